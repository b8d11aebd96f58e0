"""What a run over many images leaves behind: counts, and the list of failures."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import pandas as pd

from hybridlesion._files import atomic_path
from hybridlesion.table import Failure

__all__ = ["ExtractionResult", "errors_path", "write_errors", "write_failures"]


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
    """
    path = errors_path(out)
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
    columns = [field.name for field in fields(Failure)]
    rows = pd.DataFrame([asdict(failure) for failure in failures], columns=columns)
    rows.to_csv(path, index=False)
