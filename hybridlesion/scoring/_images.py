"""Every image to be scored, with what the metadata knows of it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import pandas as pd

from hybridlesion.exceptions import TableError
from hybridlesion.metadata import Records, normalise_image_id, read_records
from hybridlesion.sources import find_records

__all__ = ["find_images"]


def find_images(
    sources: Sequence[str | os.PathLike],
    metadata: Sequence[str | os.PathLike] = (),
    id_column: str | None = None,
    columns: Mapping[str, str] | None = None,
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """List images and join their metadata; an image without a record stays.

    Parameters
    ----------
    sources : sequence of str or path-like
        Image sources of any kind.
    metadata : sequence of str or path-like, default=()
        Tables in any ISIC layout; empty for images alone.
    id_column : str, default=None
        Column of the tables that names the image; None finds it.
    columns : mapping of str to str, default=None
        Names that the tables use, by the record column that each stands for.

    Returns
    -------
    records : DataFrame of shape (images, columns)
        One row per image, in the order of the sources; metadata is missing where it is unknown.
    notes : tuple of str
        What a user should know.

    Raises
    ------
    SourceError
        If there are no images, or two sources hold the same image id.
    TableError
        If the metadata cannot be used, belongs to none of the images, or two files have one id.

    Notes
    -----
    A fit may leave out what it cannot learn from. A score that is missing goes unnoticed in a
    long list, and the model bears unknown age, sex and site.
    """
    images = find_records(sources).frame
    if not metadata:
        return images, ()
    images = images.assign(image_id=[normalise_image_id(str(name)) for name in images["image_id"]])
    records = read_records(list(metadata), id_column=id_column, columns=columns)
    _check_ids(images["image_id"], records.frame["image_id"])
    joined = images.merge(records.frame.drop(columns="path", errors="ignore"), "left", "image_id")
    return joined, (*records.warnings, *_count_unmatched(images["image_id"], records))


def _check_ids(images: pd.Series, records: pd.Series) -> None:
    repeated = images[images.duplicated()]
    if len(repeated):
        raise TableError(
            f"{len(repeated)} images have the id of another one, the first is "
            f"{repeated.iloc[0]!r}. Keep one file of each."
        )
    if not images.isin(records).any():
        raise TableError(
            f"the metadata has a record of none of the images. Images are called "
            f"{images.iloc[0]!r}, records {records.iloc[0]!r}. Is it the table of these images? "
            "If another column names the image, say which with --id-column."
        )


def _count_unmatched(images: pd.Series, records: Records) -> list[str]:
    notes, ids = [], records.frame["image_id"]
    without = int((~images.isin(ids)).sum())
    if without:
        notes.append(
            f"{without:,} of {len(images):,} images have no record; they are scored with age, sex "
            "and site unknown."
        )
    unused = int((~ids.isin(images)).sum())
    if unused:
        notes.append(f"{unused:,} of {len(ids):,} records have no image; left out.")
    return notes
