"""Run directory of a long training: checkpoints, and the settings that they belong to."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from hybridlesion._atomic import atomic_path
from hybridlesion.exceptions import HybridLesionError, SourceError
from hybridlesion.segmentation.refiner import Recipe

__all__ = [
    "check_run_dir",
    "describe_settings",
    "digest_data",
    "digest_ids",
    "open_run_dir",
]

# File that identifies a run directory.
_NOTE = "settings.json"


def digest_ids(image_ids: pd.Series) -> str:
    """SHA-256 of image ids, independent of their order.

    Parameters
    ----------
    image_ids : Series of str
        The ids.

    Returns
    -------
    str
        64 hexadecimal digits.

    Examples
    --------
    >>> import pandas as pd
    >>> digest_ids(pd.Series(["b", "a"])) == digest_ids(pd.Series(["a", "b"]))
    True
    """
    return hashlib.sha256("\n".join(sorted(image_ids)).encode()).hexdigest()


def describe_settings(
    records: pd.DataFrame, folds: np.ndarray, recipe: Recipe, weights: str | Path | None
) -> dict[str, object]:
    """Collect the settings and data that determine the result of a training.

    Parameters
    ----------
    records : DataFrame of shape (n, columns)
        Training records, with columns image_id, aspect, path and mask_path.
    folds : ndarray of shape (n,), int
        Fold of each row, all -1 if there are none.
    recipe : Recipe
        Settings.
    weights : str, Path or None
        Weight file of the encoder.

    Returns
    -------
    dict
        JSON-serialisable values.
    """
    rows = pd.DataFrame({"image_id": records["image_id"], "aspect": records["aspect"]})
    rows["fold"] = folds
    data = digest_data(rows, [*records["path"], *records["mask_path"]])
    encoder = None if weights is None else hashlib.sha256(Path(weights).read_bytes()).hexdigest()
    return {"recipe": asdict(recipe), "data": data, "encoder": encoder}


def digest_data(rows: pd.DataFrame, paths: Iterable[str]) -> str:
    """SHA-256 of table rows, and of the paths and sizes of image files.

    Parameters
    ----------
    rows : DataFrame of shape (n, columns)
        Facts.
    paths : iterable of str
        Files; only the name of those that are not local is used.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    data = hashlib.sha256(pd.util.hash_pandas_object(rows, index=False).to_numpy("<u8").tobytes())
    for path in paths:
        file = Path(path)
        data.update(f"{path} {file.stat().st_size if file.is_file() else ''}\n".encode())
    return data.hexdigest()


def check_run_dir(folder: Path) -> dict | None:
    """Check, before long work, that a run directory is absent or was written by a training.

    Parameters
    ----------
    folder : Path
        The run directory.

    Returns
    -------
    dict or None
        Settings of the training in it; None if there is none.

    Raises
    ------
    SourceError
        If something else has that name.
    """
    if not os.path.lexists(folder):
        return None
    try:
        former = json.loads((folder / _NOTE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        former = None
    if not (isinstance(former, dict) and {"recipe", "data"} <= set(former)):
        raise SourceError(
            f"{folder} is in the way: checkpoints go into a folder of that name, and this one was "
            f"not written by a training (it lacks a valid {_NOTE}). Move it, or choose another "
            "output."
        )
    return former


def open_run_dir(folder: Path, settings: dict[str, object], *, restart: bool) -> None:
    """Create a run directory, or open one of the same settings.

    Parameters
    ----------
    folder : Path
        The run directory.
    settings : dict
        From `describe_settings`.
    restart : bool
        Whether to empty it first.

    Raises
    ------
    HybridLesionError
        If it belongs to other settings.
    """
    former = check_run_dir(folder)
    if former is None or restart:
        if former is not None:
            shutil.rmtree(folder)
        with atomic_path(folder / _NOTE) as temporary:
            temporary.write_text(json.dumps(settings, indent=1), encoding="utf-8")
        return
    if former != settings:
        changed = [name for name in settings if former.get(name) != settings[name]]
        raise HybridLesionError(
            f"{folder} holds a training with another {' and '.join(changed)}. Pass the "
            "same settings to resume it, choose another `out`, or pass `restart` to start over."
        )
