"""What a user names, as rows to score: records of images, or tables measured before."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from sklearn.base import BaseEstimator

from hybridlesion._steps import split_steps
from hybridlesion.exceptions import TableError
from hybridlesion.metadata import read_records, read_table, split_sheet
from hybridlesion.scoring._images import find_images
from hybridlesion.training import keep_measured

__all__ = ["find_rows"]

_TABLE_SUFFIXES = (".csv", ".parquet", ".pq", ".tsv", ".txt", ".xlsx")


def find_rows(
    model: BaseEstimator,
    inputs: Sequence[str | os.PathLike],
    metadata: Sequence[str | os.PathLike],
    id_column: str | None,
    roots: Sequence[str | os.PathLike] = (),
    columns: Mapping[str, str] | None = None,
) -> tuple[pd.DataFrame, bool, tuple[str, ...]]:
    """Read what is to be scored.

    Parameters
    ----------
    model : Pipeline or HybridLesionClassifier
        Fitted model.
    inputs : sequence of str or path-like
        Image sources of any kind, or feature tables; not both at once.
    metadata : sequence of str or path-like
        Tables with age, sex, site and patient.
    id_column : str or None
        Column of the tables that names the image; None finds it.
    roots : sequence of str or path-like, default=()
        Folders, besides that of a table of paths, in which its images may lie.
    columns : mapping of str to str, default=None
        Names that the tables use, by the record column that each stands for.

    Returns
    -------
    rows : DataFrame of shape (n, columns)
        Records of images, or measured rows.
    measured : bool
        Whether the rows are measured already.
    notes : tuple of str
        What a user should know.

    Raises
    ------
    TableError
        If images and tables are mixed, or the model cannot measure images.
    """
    featurizer, _ = split_steps(model)
    tables = [source for source in inputs if _is_table(source, with_images=featurizer is not None)]
    if tables and len(tables) < len(inputs):
        raise TableError(
            f"score takes images or feature tables, not both at once: {tables[0]} is a table. "
            "Run it once for each, or give metadata with --metadata."
        )
    if tables:
        rows, notes = _read_rows(tables, metadata, id_column, columns)
        return rows, True, notes
    if featurizer is None:
        raise TableError(
            "this model was fitted on tables alone and cannot measure images. Give a table, or "
            "fit a model on the output of `hybridlesion features`."
        )
    images, notes = find_images(inputs, metadata, id_column, roots, columns)
    return images, False, notes


def _read_rows(
    tables: Sequence[str | os.PathLike],
    metadata: Sequence[str | os.PathLike],
    id_column: str | None,
    columns: Mapping[str, str] | None,
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Put tables below one another, each with the metadata of its rows."""
    rows, notes = [], []
    for table in tables:
        records = read_records([table, *metadata], id_column=id_column, columns=columns)
        measured, unmeasured = keep_measured(records.frame)
        notes += [note for note in records.warnings if note not in records.target_notes]
        notes += unmeasured
        rows.append(measured)
    return pd.concat(rows, ignore_index=True), tuple(notes)


def _is_table(source: str | os.PathLike, *, with_images: bool) -> bool:
    """Whether a source is rows to score; a table of image paths counts as images."""
    if Path(split_sheet(str(source))[0]).suffix.lower() not in _TABLE_SUFFIXES:
        return False
    columns = [str(name) for name in read_table(source).columns]
    measured = any(name.startswith(("abcd__", "emb__", "cnn__", "meta__")) for name in columns)
    return measured or not with_images
