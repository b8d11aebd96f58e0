"""Read inputs for scoring: images with their metadata, or feature tables."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
from sklearn.base import BaseEstimator

from hybridlesion.exceptions import TableError
from hybridlesion.io.discovery import find_records
from hybridlesion.metadata import (
    MEASURED,
    Findings,
    Records,
    explain_near,
    normalise_image_id,
    read_table,
    rename_images,
    split_sheet,
)
from hybridlesion.pipeline import split_steps
from hybridlesion.training import keep_measured


def match_metadata(
    sources: Sequence[str | os.PathLike],
    metadata: Sequence[str | os.PathLike],
    roots: Sequence[str | os.PathLike],
    read: Callable[[Sequence[str | os.PathLike]], Records],
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """List images and join their metadata, keeping images without a record.

    Parameters
    ----------
    sources : sequence of str or path-like
        Image sources of any kind.
    metadata : sequence of str or path-like
        Tables in any ISIC layout. If empty, the images have no metadata.
    roots : sequence of str or path-like
        Additional folders to search for the images listed in a table of paths.
    read : callable
        `read_records`, with the options of the user.

    Returns
    -------
    records : DataFrame of shape (images, columns)
        One row per image, in the order of the sources, with missing values for unknown metadata.
    notes : tuple of str
        Notes for the user.

    Raises
    ------
    SourceError
        If there are no images, or two sources contain the same image id.
    TableError
        If the metadata cannot be used or do not match any image, or if two files share an id.

    Notes
    -----
    Fitting may drop images without a record, but scoring must not: a missing score goes unnoticed
    in a long list, and the model can handle unknown age, sex and site.
    """
    found = find_records(sources, roots=roots, labels_from_folders=None)
    if not metadata:
        return found.frame, found.warnings
    joined, notes = join_metadata(found.frame, read(list(metadata)))
    return joined, (*found.warnings, *notes)


def join_metadata(images: pd.DataFrame, records: Records) -> tuple[pd.DataFrame, list[str]]:
    """Join images and their metadata, keeping images without a record.

    Parameters
    ----------
    images : DataFrame of shape (n, columns)
        Images with ``image_id`` and ``path``.
    records : Records
        Metadata from `read_records`.

    Returns
    -------
    records : DataFrame of shape (n, columns)
        One row per image, with missing values for unknown metadata.
    notes : list of str
        Notes for the user.

    Raises
    ------
    TableError
        If the metadata do not match any image, or two files share an id.
    """
    images = images.assign(image_id=[normalise_image_id(str(name)) for name in images["image_id"]])
    findings = Findings()
    ids = images["image_id"]
    repeated = ids[ids.duplicated()]
    if len(repeated):
        raise TableError(
            f"{len(repeated)} images have the id of another, e.g. {repeated.iloc[0]!r}; keep one."
        )
    images = rename_images(images, records.frame, findings)
    ids, recorded = images["image_id"], records.frame["image_id"]
    if not ids.isin(recorded).any():
        near = "".join(f" {note}" for note in explain_near(list(ids), list(recorded)))
        raise TableError(
            f"the metadata has no record of these images. Images are called {ids.iloc[0]!r}, "
            f"records {recorded.iloc[0]!r}. Check that it is the right table; if another column "
            f"has the image ids, pass it as `id_column`.{near}"
        )
    known = records.frame.drop(columns="path", errors="ignore")
    joined = images.merge(known, "left", "image_id", suffixes=("_of_images", ""))
    for name in known.columns.intersection(images.columns).drop("image_id"):
        # A table of paths may contain values that are missing from the metadata.
        own = joined.pop(f"{name}_of_images")
        joined[name] = joined[name].where(joined[name].notna(), own)
    unmatched = _count_unmatched(ids, recorded)
    return joined, [*_notes(records), *findings.warnings, *unmatched]


def _notes(records: Records) -> list[str]:
    return [note for note in records.warnings if note not in records.target_notes]


def _count_unmatched(images: pd.Series, records: pd.Series) -> list[str]:
    notes = []
    without, unused = images[~images.isin(records)], records[~records.isin(images)]
    if len(without):
        notes.append(
            f"{len(without):,} of {len(images):,} images have no record; they are scored with age, "
            f"sex and site unknown, e.g. {without.iloc[0]}."
        )
    if len(unused):
        count, example = f"{len(unused):,} of {len(records):,}", unused.iloc[0]
        notes.append(f"{count} records have no image, e.g. {example}; left out.")
    return [*notes, *explain_near(list(unused), list(without))]


_TABLE_SUFFIXES = (".csv", ".parquet", ".pq", ".tsv", ".txt", ".xlsx")


def find_rows(
    model: BaseEstimator,
    inputs: Sequence[str | os.PathLike],
    metadata: Sequence[str | os.PathLike],
    roots: Sequence[str | os.PathLike],
    read: Callable[[Sequence[str | os.PathLike]], Records],
) -> tuple[pd.DataFrame, bool, tuple[str, ...]]:
    """Read the rows to score.

    Parameters
    ----------
    model : Pipeline or HybridLesionClassifier
        Fitted model.
    inputs : sequence of str or path-like
        Image sources of any kind or feature tables, but not a mixture.
    metadata : sequence of str or path-like
        Tables with age, sex, site and patient.
    roots : sequence of str or path-like
        Additional folders to search for the images listed in a table of paths.
    read : callable
        `read_records`, with the options of the user.

    Returns
    -------
    rows : DataFrame of shape (n, columns)
        Image records or measured rows.
    measured : bool
        Whether the rows are already measured.
    notes : tuple of str
        Notes for the user.

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
            "Score them separately, or pass tables of metadata as `metadata`."
        )
    if tables:
        rows, notes = [], []
        for table in tables:
            records = read([table, *metadata])
            measured, unmeasured = keep_measured(records.frame)
            notes += [*_notes(records), *unmeasured]
            rows.append(measured)
        return pd.concat(rows, ignore_index=True), True, tuple(notes)
    if featurizer is None:
        raise TableError(
            "this model was fitted on tables alone and cannot measure images. Pass a table, or "
            "fit a model on the output of `hybridlesion features`."
        )
    images, image_notes = match_metadata(inputs, metadata, roots, read)
    return images, False, image_notes


def _is_table(source: str | os.PathLike, *, with_images: bool) -> bool:
    """Check whether a source is a table of rows to score, rather than of image paths."""
    if Path(split_sheet(str(source))[0]).suffix.lower() not in _TABLE_SUFFIXES:
        return False
    columns = [str(name) for name in read_table(source).columns]
    measured = any(name.startswith((*MEASURED, "meta__")) for name in columns)
    return measured or not with_images
