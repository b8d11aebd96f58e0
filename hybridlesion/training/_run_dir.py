"""Where a long training keeps what it has done, and whose it is."""

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
    "check_workspace",
    "describe_settings",
    "digest_data",
    "digest_ids",
    "open_workspace",
]

# By this file a workspace is known as one.
_NOTE = "settings.json"


def digest_ids(image_ids: pd.Series) -> str:
    """SHA-256 of image ids, whatever their order.

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
    """Say what decides the result of a training.

    Parameters
    ----------
    records : DataFrame of shape (n, columns)
        What is trained on; columns image_id and fold-free facts.
    folds : ndarray of shape (n,), int
        Fold of each row, all -1 if there are none.
    recipe : Recipe
        Settings.
    weights : str, Path or None
        Weight file of the encoder.

    Returns
    -------
    dict
        Plain values that JSON can hold.
    """
    rows = pd.DataFrame({"image_id": records["image_id"], "aspect": records["aspect"]})
    rows["fold"] = folds
    data = digest_data(rows, [*records["path"], *records["mask_path"]])
    encoder = None if weights is None else hashlib.sha256(Path(weights).read_bytes()).hexdigest()
    return {"recipe": asdict(recipe), "data": data, "encoder": encoder}


def digest_data(rows: pd.DataFrame, paths: Iterable[str]) -> str:
    """SHA-256 of what is known about images, and of where and how large their files are.

    Parameters
    ----------
    rows : DataFrame of shape (n, columns)
        Facts.
    paths : iterable of str
        Files; of those that are no local files only the name counts.

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


def check_workspace(folder: Path) -> dict | None:
    """Make sure, before long work, that nothing of other origin has the name of a workspace.

    Parameters
    ----------
    folder : Path
        Where it is or is to be.

    Returns
    -------
    dict or None
        Settings of the training that left it; None if there is none.

    Raises
    ------
    SourceError
        If there is something that no training left.
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
            f"left by no training (it has no {_NOTE} of one). Move it, or name another output."
        )
    return former


def open_workspace(folder: Path, settings: dict[str, object], *, restart: bool) -> None:
    """Make a workspace, or take over one that the same settings left.

    Parameters
    ----------
    folder : Path
        Where it is.
    settings : dict
        From `describe_settings`.
    restart : bool
        Whether to empty it first.

    Raises
    ------
    HybridLesionError
        If it belongs to other settings, or is no workspace.
    """
    former = check_workspace(folder)
    if former is None or restart:
        if former is not None:
            shutil.rmtree(folder)
        with atomic_path(folder / _NOTE) as temporary:
            temporary.write_text(json.dumps(settings, indent=1), encoding="utf-8")
        return
    if former != settings:
        changed = [name for name in settings if former.get(name) != settings[name]]
        raise HybridLesionError(
            f"{folder} holds a training with another {' and '.join(changed)}. Give the same "
            "settings to go on with it, name another --out, or pass --restart to begin anew."
        )
