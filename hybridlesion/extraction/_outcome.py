"""What a run over many images leaves behind: counts, and the list of failures."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import pandas as pd

from hybridlesion._files import atomic_path
from hybridlesion.exceptions import SourceError
from hybridlesion.table import Failure

__all__ = [
    "ExtractionResult",
    "check_beside",
    "check_errors",
    "errors_path",
    "is_error_list",
    "write_errors",
    "write_failures",
]

_COLUMNS = [field.name for field in fields(Failure)]


@dataclass(frozen=True)
class ExtractionResult:
    """Outcome of one run.

    Parameters
    ----------
    path : Path or str
        What was written: a feature table, or a folder of masks; an address as text.
    n_rows : int
        Images that went through.
    n_failed : int
        Images that did not; each stands in `errors_path`.
    errors_path : Path, str or None
        ``OUT.errors.csv``, or None if nothing failed.
    seconds : float
        Wall time.
    n_reused : int, default=0
        Images whose result an earlier, interrupted run had left.
    """

    path: Path | str
    n_rows: int
    n_failed: int
    errors_path: Path | str | None
    seconds: float
    n_reused: int = 0


def errors_path(out: str | os.PathLike) -> Path:
    """Name the list of failures that belongs to an output.

    Parameters
    ----------
    out : str or path-like
        The output file or folder.

    Returns
    -------
    Path
        ``OUT.errors.csv`` beside it.

    Examples
    --------
    >>> errors_path("runs/features.parquet").as_posix()
    'runs/features.parquet.errors.csv'
    """
    out = Path(out)
    return out.with_name(out.name + ".errors.csv")


def is_error_list(data: bytes) -> bool:
    """Whether the begin of a file is that of a list of failures.

    Parameters
    ----------
    data : bytes
        First bytes of the file, or all.

    Returns
    -------
    bool
        Whether its first line is the header of `write_failures`.

    Examples
    --------
    >>> is_error_list(b"image_id,path,stage,reason\\nISIC_1,a.jpg,read,no image\\n")
    True
    >>> is_error_list(b"image_id,comment\\n")
    False
    """
    return data.split(b"\n", 1)[0].strip() == ",".join(_COLUMNS).encode()


def check_errors(out: str | os.PathLike) -> None:
    """Make sure, before long work, that no file of other origin is ``OUT.errors.csv``.

    Parameters
    ----------
    out : str or path-like
        The output file or folder.

    Raises
    ------
    SourceError
        If there is something of that name that is no list of failures.
    """
    check_beside(errors_path(out), _COLUMNS)


def check_beside(path: Path, columns: Sequence[str]) -> None:
    """Make sure that a table whose name the user did not give is absent, or one of ours.

    Parameters
    ----------
    path : Path
        CSV file that is to be written.
    columns : sequence of str
        What the header of ours begins with.

    Raises
    ------
    SourceError
        If there is something else of that name.
    """
    if not os.path.lexists(path):
        return
    try:
        with open(path, "rb") as stream:
            header = stream.readline(10_000).decode("utf-8", "replace").strip().split(",")
    except OSError:
        header = []
    if header[: len(columns)] != list(columns):
        raise SourceError(
            f"{path} is in the way: a table of that name is written beside the output, and this "
            f"one is of other origin (its header is not {','.join(columns)}). Move it, or name "
            "another output."
        )


def write_errors(out: str | os.PathLike, failures: Sequence[Failure]) -> Path | None:
    """Write the list of failures beside `out`, or remove an old one if nothing failed.

    Parameters
    ----------
    out : str or path-like
        The output file or folder.
    failures : sequence of Failure
        What failed, in record order.

    Returns
    -------
    Path or None
        Where the list is, None if nothing failed.

    Raises
    ------
    SourceError
        If a file of that name is no list of failures.
    """
    path = errors_path(out)
    check_errors(out)
    if not failures:
        path.unlink(missing_ok=True)
        return None
    with atomic_path(path) as temporary:
        write_failures(temporary, failures)
    return path


def write_failures(path: Path, failures: Sequence[Failure]) -> None:
    """Write failures as CSV.

    Parameters
    ----------
    path : Path
        File to write.
    failures : sequence of Failure
        What failed, in record order.
    """
    rows = pd.DataFrame([asdict(failure) for failure in failures], columns=_COLUMNS)
    rows.to_csv(path, index=False)
