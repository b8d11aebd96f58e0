"""Shared parts of network training: reading and grouping images, and run directories."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hybridlesion._atomic import atomic_path
from hybridlesion.batch import count_jobs, map_unordered
from hybridlesion.exceptions import HybridLesionError, ImageError, SourceError, TableError
from hybridlesion.featurizer import Failure
from hybridlesion.leakage import cluster_near_duplicates, crop_hashes, perceptual_hash
from hybridlesion.metadata import normalise_ids, normalise_image_id, read_table
from hybridlesion.model_selection import GROUP_COLUMNS, connected_groups

_ID_COLUMNS = ("image_id", "image_name", "image", "isic_id")
_BONDS = ("patient_id", "lesion_id")

# File that identifies a run directory.
_NOTE = "settings.json"

Progress = Callable[[int, int, int], None]
EpochLog = Callable[[str, Mapping[str, float]], None]


def write_file(path: Path, content: str | bytes) -> None:
    """Write a file atomically.

    Parameters
    ----------
    path : Path
        File to write.
    content : str or bytes
        Content; text is encoded in UTF-8.
    """
    with atomic_path(path) as temporary:
        temporary.write_bytes(content if isinstance(content, bytes) else content.encode())


def as_paths(sources: str | os.PathLike | Sequence[str | os.PathLike]) -> list[str]:
    """Convert one or more sources into a list of paths.

    Parameters
    ----------
    sources : str, path-like or sequence of these
        One or more sources.

    Returns
    -------
    list of str
        Paths of the sources.

    Examples
    --------
    >>> as_paths("images")
    ['images']
    """
    several = [sources] if isinstance(sources, (str, os.PathLike)) else sources
    return [os.fspath(source) for source in several]


def read_facts(table: str | os.PathLike) -> pd.DataFrame:
    """Read the aspect ratios and ids of images from a table.

    Parameters
    ----------
    table : str or path-like
        CSV or Parquet file with a column of image ids.

    Returns
    -------
    DataFrame of shape (n, columns)
        ``image_id``, and ``aspect``, ``patient_id`` and ``lesion_id`` if available.

    Raises
    ------
    TableError
        If the table has no image ids.
    """
    raw = read_table(table)
    id_column = next((name for name in _ID_COLUMNS if name in raw), None)
    if id_column is None:
        raise TableError(f"{table} has no column of image ids: {', '.join(_ID_COLUMNS)}.")
    ids = normalise_ids(raw[id_column]).fillna("")
    facts = pd.DataFrame({"image_id": ids.map(normalise_image_id)})
    for name in _BONDS:
        if name in raw:
            facts[name] = normalise_ids(raw[name])
    if {"orig_width", "orig_height"} <= set(raw):
        facts["aspect"] = pd.to_numeric(raw["orig_width"]) / pd.to_numeric(raw["orig_height"])
    return facts


def list_records(records: pd.DataFrame) -> list[dict[str, Any]]:
    """List records as mappings from columns to values, with None for unknown aspect ratios.

    Parameters
    ----------
    records : DataFrame of shape (n, columns)
        Records with ``aspect``.

    Returns
    -------
    list of dict
        Records.
    """
    aspect = records["aspect"].astype(float).astype(object)
    return records.assign(aspect=aspect.where(aspect.notna(), None)).to_dict("records")


def read_images(
    read: Callable[[Mapping[str, Any]], Any],
    records: pd.DataFrame,
    keep: Callable[[int, Any], None],
    *,
    n_jobs: int,
    progress: Progress | None,
    noun: str = "images",
) -> list[Failure]:
    """Read the images of all records in several processes.

    Parameters
    ----------
    read : callable
        Picklable function of a record, which is passed as a mapping from its columns to values.
    records : DataFrame of shape (n, columns)
        Records with ``image_id``, ``path`` and ``aspect``.
    keep : callable
        Called as ``keep(position, what_was_read)``, in order of completion.
    n_jobs : int
        Number of processes; -1 means using all cores.
    progress : callable or None
        Called as ``progress(done, failed, total)``.
    noun : str, default="images"
        Name of the items in the error message.

    Returns
    -------
    list of Failure
        Failures, in record order.

    Raises
    ------
    HybridLesionError
        If nothing can be read.
    """
    pieces = list(enumerate(list_records(records)))
    failures: dict[int, Failure] = {}
    answers = map_unordered(partial(_attempt, read), pieces, n_jobs=count_jobs(n_jobs))
    for done, (position, answer) in enumerate(answers, start=1):
        if isinstance(answer, Failure):
            failures[position] = answer
        else:
            keep(position, answer)
        if progress is not None:
            progress(done, len(failures), len(pieces))
    if len(failures) == len(pieces):
        first = next(iter(failures.values()))
        raise HybridLesionError(
            f"none of {len(pieces)} {noun} could be read; {first.image_id}: {first.reason}"
        )
    return [failures[position] for position in sorted(failures)]


def _attempt(
    read: Callable[[Mapping[str, Any]], Any], piece: tuple[int, Mapping[str, Any]]
) -> tuple[int, Any]:
    position, record = piece
    try:
        return position, read(record)
    except (ImageError, SourceError) as error:
        failure = Failure(str(record["image_id"]), str(record["path"]), "read", str(error))
        return position, failure


def group_images(records: pd.DataFrame, images: Iterable[np.ndarray]) -> np.ndarray:
    """Group images of the same patient or lesion, and near-duplicates.

    Parameters
    ----------
    records : DataFrame of shape (n, columns)
        Records.
    images : iterable of ndarray of shape (height, width, 3), uint8
        Images of the records.

    Returns
    -------
    ndarray of shape (n,), int
        Group numbers.
    """
    pairs = [(perceptual_hash(image), crop_hashes(image)) for image in images]
    clusters = cluster_near_duplicates(*map(np.stack, zip(*pairs, strict=True)))
    return connected_groups(clusters, *(records[n] for n in GROUP_COLUMNS if n in records))


def digest_ids(image_ids: pd.Series) -> str:
    """Compute the SHA-256 digest of image ids, independent of their order.

    Parameters
    ----------
    image_ids : Series of str
        Image ids.

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


def digest_file(path: str | os.PathLike | None) -> str | None:
    """Compute the SHA-256 digest of a file.

    Parameters
    ----------
    path : str, path-like or None
        Path of the file, or None.

    Returns
    -------
    str or None
        64 hexadecimal digits, or None if `path` is None.
    """
    return None if path is None else hashlib.sha256(Path(path).read_bytes()).hexdigest()


def digest_data(rows: pd.DataFrame, paths: Iterable[str]) -> str:
    """Compute the SHA-256 digest of table rows, and of the paths and sizes of image files.

    Parameters
    ----------
    rows : DataFrame of shape (n, columns)
        Table rows.
    paths : iterable of str
        Paths of the files. The size is only used for local files.

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
    """Check, before a long run, that a run directory is absent or was written by a training.

    Parameters
    ----------
    folder : Path
        Run directory.

    Returns
    -------
    dict or None
        Settings of the training in the directory, or None if the directory does not exist.

    Raises
    ------
    SourceError
        If a file or another folder with that name exists.
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


def open_run_dir(folder: Path, settings: Mapping[str, object], *, restart: bool) -> None:
    """Create a run directory, or open an existing directory with the same settings.

    Parameters
    ----------
    folder : Path
        Run directory.
    settings : mapping
        Settings and data that determine the result; must be JSON-serialisable.
    restart : bool
        Whether to empty the directory first.

    Raises
    ------
    HybridLesionError
        If the directory belongs to a training with other settings.
    """
    former = check_run_dir(folder)
    if former is None or restart:
        if former is not None:
            shutil.rmtree(folder)
        write_file(folder / _NOTE, json.dumps(settings, indent=1))
    elif former != settings:
        changed = [name for name in settings if former.get(name) != settings[name]]
        raise HybridLesionError(
            f"{folder} contains a run with another {' and '.join(changed)}. Pass the same settings "
            "to resume it, choose another `out`, or pass `restart` to start over."
        )
