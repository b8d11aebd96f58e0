"""The score file: its formats, what may stand in it, and how it is written."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path

import pandas as pd

from hybridlesion._atomic import atomic_path, check_writable
from hybridlesion._sanitize import is_formula, plain_cell
from hybridlesion.batch import write_errors
from hybridlesion.exceptions import HybridLesionError, TableError
from hybridlesion.featurizer import Failure
from hybridlesion.model_selection import GROUP_COLUMNS

__all__ = ["check_score_file", "refuse_names", "write_failures", "write_scores"]

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


def refuse_names(records: pd.DataFrame, out: Path) -> tuple[pd.DataFrame, list[Failure]]:
    """Set rows aside whose ids would do harm where the scores are read.

    Parameters
    ----------
    records : DataFrame of shape (n, columns)
        What is to be scored.
    out : Path
        The score file.

    Returns
    -------
    records : DataFrame of shape (m, columns)
        The rows that may be scored.
    failures : list of Failure
        The others.

    Notes
    -----
    Ids are joined later, so they are never changed: an image whose id, or whose patient's or
    lesion's, a spreadsheet would take for a formula is not scored into CSV (Parquet takes it, since
    no spreadsheet runs it), and one whose id could steer a terminal is not scored at all. A path is
    no id: one that looks like a formula is written with ``./`` before it.
    """
    columns = [name for name in ("image_id", *GROUP_COLUMNS) if name in records]
    reasons = [_harm(row, out) for row in records[columns].to_dict("records")]
    harmless = [reason is None for reason in reasons]
    paths = records["path"] if "path" in records else [""] * len(records)
    failures = [
        Failure(str(name), str(path), "read", reason)
        for name, path, reason in zip(records["image_id"], paths, reasons, strict=True)
        if reason is not None
    ]
    return records[harmless], failures


def _harm(row: dict[str, object], out: Path) -> str | None:
    for column, value in row.items():
        if isinstance(value, str) and not value.isprintable():
            return f"its {column} holds unprintable characters; give it another name."
        if out.suffix.lower() == ".csv" and is_formula(value):
            return (
                f"its {column} begins with {value[0]!r}, and a spreadsheet would run it as a "
                "formula; give it another name, or write .parquet."
            )
    return None


def write_failures(out: Path, failures: Sequence[Failure], n_rows: int) -> Path | None:
    """Write the list of failures beside the scores, for people to open in a spreadsheet.

    Parameters
    ----------
    out : Path
        The score file.
    failures : sequence of Failure
        What failed.
    n_rows : int
        Rows that did not.

    Returns
    -------
    Path or None
        Where the list is; None if nothing failed.

    Raises
    ------
    HybridLesionError
        If nothing is left to be scored.
    """
    plain = [Failure(*map(plain_cell, astuple(failure))) for failure in failures]
    errors = write_errors(out, plain)
    if failures and not n_rows:
        raise HybridLesionError(
            f"not one of the {len(failures)} images could be used; the reasons are in {errors}. "
            f"The first: {plain[0].reason}"
        )
    return errors


def write_scores(scores: pd.DataFrame, out: Path) -> None:
    """Write scores as the suffix says, whole or not at all.

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
            return
        if "path" in scores:
            scores = scores.assign(path=[_plain_path(path) for path in scores["path"]])
        # Full precision: the same scores from CSV, Parquet and memory.
        scores.to_csv(temporary, index=False)


def _plain_path(path: object) -> object:
    return f"./{path}" if is_formula(path) else path
