"""Where images and their metadata lie, found together as records."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import pandas as pd

from hybridlesion.exceptions import SourceError, TableError
from hybridlesion.images import list_images
from hybridlesion.metadata import Records, read_records

__all__ = ["find_images", "find_records"]

_WORDS = {"id_column": "--id-column", "target_column": "--target", "columns": "--column"}
_WORDS |= {"malignant": "--malignant", "benign": "--benign"}
_TABLE_SUFFIXES = (".csv", ".tsv", ".parquet", ".pq")


def find_records(
    sources: str | os.PathLike | Sequence[str | os.PathLike],
    *,
    metadata: Sequence[str | os.PathLike] = (),
    id_column: str | None = None,
    target_column: str | None = None,
    malignant: Sequence[str] | None = None,
    benign: Sequence[str] | None = None,
    columns: Mapping[str, str] | None = None,
    path_column: str | None = None,
) -> Records:
    """List images and join their metadata.

    Parameters
    ----------
    sources : str, path-like or sequence of these
        Folders, files, archives, tables with a path column, or fsspec addresses.
    metadata : sequence of str or path-like, default=()
        Tables in any ISIC layout; empty for images alone, or where the sources are tables of
        paths, whose other columns are then read.
    id_column : str, default=None
        Column of the tables that names the image; None finds it.
    target_column : str, default=None
        Column of the tables that holds the truth; None finds it.
    malignant, benign : sequence of str, default=None
        Diagnoses that count as malignant, and further words that count as benign; see
        `hybridlesion.metadata.read_records`.
    columns : mapping of str to str, default=None
        Names that the tables use, by the record column that each stands for.
    path_column : str, default=None
        Column with the paths, where the sources are tables; None finds it.

    Returns
    -------
    Records
        One row per image, with `image_id`, `path` and what the metadata knows.

    Raises
    ------
    SourceError
        If there are no images, or two sources hold the same image id.
    TableError
        If the metadata cannot be used, or belongs to none of the images.
    OptionError
        If a setting contradicts another.
    """
    paths = find_images(sources, path_column=path_column)
    options = {"id_column": id_column, "target_column": target_column, "columns": columns}
    options |= {"malignant": malignant, "benign": benign}
    if metadata:
        return read_records(list(metadata), images=paths, **options)
    sources = _as_list(sources)
    if all(str(source).lower().endswith(_TABLE_SUFFIXES) for source in sources):
        return _read_own_columns(sources, paths, options, path_column)
    named = [f"{_WORDS[name]} ({name})" for name, value in options.items() if value]
    note = f"{' and '.join(named)} had no effect: no metadata table was given (--metadata)."
    return _images_alone(paths, note if named else None)


def find_images(
    sources: str | os.PathLike | Sequence[str | os.PathLike], *, path_column: str | None = None
) -> pd.DataFrame:
    """List the images of several sources, each image once.

    Parameters
    ----------
    sources : str, path-like or sequence of these
        Folders, files, archives, tables with a path column, or fsspec addresses.
    path_column : str, default=None
        Column with the paths, where the sources are tables; None finds it.

    Returns
    -------
    DataFrame of shape (n, 2)
        ``image_id`` and ``path``.

    Raises
    ------
    SourceError
        If there are no images, or two sources hold the same image id.
    TableError
        If a table has no column with paths, or paths that cannot be used.
    OptionError
        If `path_column` is given and a source is no table.
    """
    sources = _as_list(sources)
    found = [list_images(os.fspath(source), path_column=path_column) for source in sources]
    images = pd.concat(found, ignore_index=True)
    repeated = images.loc[images["image_id"].duplicated(), "image_id"]
    if len(repeated):
        count = f"{len(repeated)} image ids occur" if len(repeated) > 1 else "an image id occurs"
        raise SourceError(
            f"{count} in more than one source, the first is {repeated.iloc[0]!r}. Name each image "
            "once, or run the sources apart."
        )
    if images.empty:
        raise SourceError(
            f"no images in {', '.join(map(str, sources))}. Name a folder, an image file, a zip or "
            "HDF5 archive, a table with a path column, or an fsspec address."
        )
    return images


def _as_list(
    sources: str | os.PathLike | Sequence[str | os.PathLike],
) -> list[str | os.PathLike]:
    return [sources] if isinstance(sources, (str, os.PathLike)) else list(sources)


def _images_alone(images: pd.DataFrame, note: str | None) -> Records:
    return Records(images, ("images",), {}, () if note is None else (note,))


def _read_own_columns(
    tables: Sequence[str | os.PathLike],
    images: pd.DataFrame,
    options: Mapping[str, object],
    path_column: str | None,
) -> Records:
    """Read what tables of paths say beside the paths; a list of images alone stays good for that.

    Without options that show that the columns are meant, what cannot be read is told and left.
    """
    named = {} if path_column is None else {"path": path_column}
    columns = named | dict(options["columns"] or {})
    try:
        records = read_records(list(tables), images=images, **{**options, "columns": columns})
        if len(records.frame) < len(images):
            raise TableError(
                f"{len(images) - len(records.frame)} of its {len(images)} images are called "
                "otherwise than its ids."
            )
    except TableError as error:
        if any(options.values()):
            raise
        names = ", ".join(map(str, tables))
        return _images_alone(images, f"only the paths in {names} are used: {error}")
    return records
