"""The score file: its formats, and how it is written."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

from hybridlesion._files import atomic_path, check_writable
from hybridlesion.exceptions import TableError
from hybridlesion.extraction import errors_path

__all__ = ["check_score_file", "write_scores"]

_SUFFIXES = (".csv", ".parquet")


def check_score_file(out: str | os.PathLike) -> Path:
    """Make sure, before long work, that scores can be written.

    Parameters
    ----------
    out : str or path-like
        File to come.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    TableError
        If its suffix is neither ``.csv`` nor ``.parquet``.
    SourceError
        If it cannot be written.
    """
    if Path(out).suffix.lower() not in _SUFFIXES:
        raise TableError(f"scores are written as .csv or .parquet, got {Path(out).name!r}.")
    return check_writable(out)


def write_scores(scores: pd.DataFrame, out: Path) -> None:
    """Write scores as the suffix says, whole or not at all; an old list of failures goes.

    Parameters
    ----------
    scores : DataFrame of shape (n, columns)
        What `score_table` gave.
    out : Path
        File to write.
    """
    with atomic_path(out) as temporary:
        if out.suffix.lower() == ".parquet":
            scores.to_parquet(temporary, index=False)
        else:
            # Full precision: the same scores from CSV, Parquet and memory.
            scores.to_csv(temporary, index=False)
    errors_path(out).unlink(missing_ok=True)
