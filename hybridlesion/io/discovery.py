"""Images from several sources, joined with their metadata."""

from __future__ import annotations

import os
import re
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd

from hybridlesion._formatting import shorten
from hybridlesion.exceptions import OptionError, SourceError, TableError
from hybridlesion.io._listing import ImageListing, scan_images
from hybridlesion.io._locators import image_id_from_path, is_table_name, split_locator
from hybridlesion.metadata import Records, path_ids, read_label, read_records

_Source = str | os.PathLike

_OUTCOMES = ("benign", "malignant", "0", "1", "yes", "no", "true", "false", "positive", "negative")
_FILE_KIND = re.compile(r"images?|imgs?|photos?|pictures?|jpe?gs?|pngs?", re.IGNORECASE)
# Names of folders with a part of a collection or with files of one kind, which are never classes.
_NO_CLASS = re.compile(
    r"(train|test|val|valid)(ing|idation)?([ _-]?(set|data))?|fold[ _-]?\d+|split[ _-]?\d+"
    r"|(images?|imgs?|photos?|pictures?|jpe?gs?|pngs?|data|dataset|all|raw)([ _-]?\d+)?",
    re.IGNORECASE,
)


def find_records(
    sources: _Source | Sequence[_Source],
    *,
    metadata: Sequence[_Source] = (),
    id_column: str | None = None,
    target_column: str | None = None,
    malignant: Sequence[str] | None = None,
    benign: Sequence[str] | None = None,
    columns: Mapping[str, str] | None = None,
    path_column: str | None = None,
    roots: Sequence[_Source] = (),
    labels_from_folders: bool | None = False,
) -> Records:
    """List images and join them with their metadata.

    Parameters
    ----------
    sources : str, path-like or sequence of these
        Folders, files, archives, tables with a path column, or fsspec addresses.
    metadata : sequence of str or path-like, default=()
        Tables in any ISIC layout. If empty, only the images are listed, or, if the sources are
        tables of paths, their other columns are read.
    id_column : str, default=None
        Column of the tables with the image id. If None, it is detected.
    target_column : str, default=None
        Column of the tables with the ground truth. If None, it is detected.
    malignant, benign : sequence of str, default=None
        Diagnoses that count as malignant, and further words that count as benign; see
        `hybridlesion.metadata.read_records`.
    columns : mapping of str to str, default=None
        Record column -> name in the tables.
    path_column : str, default=None
        Column with the paths, if the sources are tables. If None, it is detected.
    roots : sequence of str or path-like, default=()
        Folders, in addition to that of a table, in which its images may lie.
    labels_from_folders : bool or None, default=False
        Whether the folder of an image is its class: ``benign`` and ``malignant``, or a diagnosis.
        Folders such as ``train`` and ``images`` are ignored. If False, folders named after classes
        cause a warning; if None, they do not.

    Returns
    -------
    Records
        One row per image, with `image_id`, `path` and its metadata. The warnings include the number
        of skipped files.

    Raises
    ------
    SourceError
        If there are no images, or two sources contain the same image id.
    TableError
        If the metadata cannot be used, or belongs to none of the images.
    OptionError
        If options contradict each other, or labels are requested but no folder names a class.
    """
    sources = _as_list(sources)
    options = {"id_column": id_column, "target_column": target_column, "columns": columns}
    options |= {"malignant": malignant, "benign": benign}
    id_name = id_column or (columns or {}).get("image_id")
    listing = scan_sources(sources, path_column=path_column, id_column=id_name, roots=roots)
    images = listing.images
    tables = [*metadata, *([label_table(images)] if labels_from_folders else [])]
    if tables:
        records = read_records(tables, images=images, **options)
    elif all(is_table_name(str(source)) for source in sources):
        records = _read_own_columns(sources, images, options, path_column)
    else:
        idle = " and ".join(f"`{name}`" for name, value in options.items() if value)
        notes = [] if labels_from_folders is None else _offer_labels(images)
        if idle:
            notes = [f"{idle} had no effect without a table. Name one with `metadata`."]
        records = _images_alone(images, *notes)
    return replace(records, warnings=(*listing.notes, *records.warnings))


def find_images(
    sources: _Source | Sequence[_Source],
    *,
    path_column: str | None = None,
    roots: Sequence[_Source] = (),
) -> pd.DataFrame:
    """List the images in several sources, each image once.

    Parameters
    ----------
    sources : str, path-like or sequence of these
        Folders, files, archives, tables with a path column, or fsspec addresses.
    path_column : str, default=None
        Column with the paths, if the sources are tables. If None, it is detected.
    roots : sequence of str or path-like, default=()
        Folders, in addition to that of a table, in which its images may lie.

    Returns
    -------
    DataFrame of shape (n, 2)
        ``image_id`` and ``path``.

    Raises
    ------
    SourceError
        If there are no images, or two sources contain the same image id.
    TableError
        If a table has no column with paths, or paths that cannot be used.
    OptionError
        If `path_column` is given and a source is not a table.

    Warns
    -----
    UserWarning
        If files were skipped, or ids differ from the file names.
    """
    listing = scan_sources(sources, path_column=path_column, roots=roots)
    for note in listing.notes:
        warnings.warn(note, UserWarning, stacklevel=2)
    return listing.images


def scan_sources(
    sources: _Source | Sequence[_Source],
    *,
    path_column: str | None = None,
    id_column: str | None = None,
    roots: Sequence[_Source] = (),
) -> ImageListing:
    """List images as `find_images` does, but return its notes instead of warning.

    Parameters
    ----------
    sources : str, path-like or sequence of these
        Sources of images.
    path_column : str, default=None
        Column with the paths, if the sources are tables. If None, it is detected.
    id_column : str, default=None
        Column with the image ids, if tables have it. If None, it is detected.
    roots : sequence of str or path-like, default=()
        Folders, in addition to that of a table, in which its images may lie.

    Returns
    -------
    ImageListing
        Images of all sources, with the number of the ``source`` as a third column, and notes.

    Raises
    ------
    SourceError, TableError, OptionError
        As in `find_images`.
    """
    sources = _as_list(sources)
    options = {"path_column": path_column, "id_column": id_column, "roots": roots}
    listings = [scan_images(source, **options) for source in sources]
    for source, listing in zip(sources, listings, strict=True):
        _check_found(source, listing.images["path"])
    if not listings:
        raise SourceError("no images: name a folder, file, archive, table of paths or address.")
    tables = [listing.images.assign(source=i) for i, listing in enumerate(listings)]
    images = pd.concat(tables, ignore_index=True)
    notes = [note for listing in listings for note in listing.notes]
    shared = images["image_id"].duplicated(keep=False)
    by_name = images["image_id"] == images["path"].map(image_id_from_path)
    if by_name[shared].all() and not images["path"].duplicated().any():
        full = path_ids(list(map(_full_name, images["path"])))
        images["image_id"] = images["image_id"].where(~shared, full)
        notes += [
            f"{shared.sum():,} images share a name with one in another source; their ids begin "
            f"with their folders, as in {image_id}."
            for image_id in images.loc[shared, "image_id"].head(1)
        ]
    repeated = images.loc[images["image_id"].duplicated(), "image_id"]
    if len(repeated):
        raise SourceError(
            f"image ids occur in more than one source: {shorten(map(repr, repeated))}. List each "
            "image once, or run the sources separately."
        )
    return ImageListing(images, tuple(notes))


def _check_found(source: _Source, paths: pd.Series) -> None:
    """Raise an error if none of the paths in a table exists."""
    files = map(split_locator, paths)
    found = (one.scheme == "fsspec" or os.path.exists(one.container or one.inner) for one in files)
    if is_table_name(str(source)) and not any(found):
        raise SourceError(
            f"none of the {len(paths):,} images in {source} was found: {paths.iloc[0]} does not "
            "exist. Pass their folder as `roots`."
        )


def _full_name(path: str) -> str:
    """Return a path in which the archive, if any, is written as a folder."""
    locator = split_locator(path)
    folder = re.sub(r"\.zip\Z", "", locator.container, flags=re.IGNORECASE)
    return f"{folder}/{locator.inner}" if folder else path


def _as_list(sources: _Source | Sequence[_Source]) -> list[_Source]:
    return [sources] if isinstance(sources, (str, os.PathLike)) else list(sources)


def _images_alone(images: pd.DataFrame, *notes: str) -> Records:
    return Records(images[["image_id", "path"]], ("images",), {}, notes)


def _class_folder(path: str) -> str | None:
    """Return the nearest folder of an image that may be a class."""
    folders = re.split(r"[\\/]+", _full_name(path))[:-1]
    nearest = next((one for one in reversed(folders) if not _FILE_KIND.fullmatch(one)), "")
    return None if not nearest or _NO_CLASS.fullmatch(nearest) else nearest


def label_table(images: pd.DataFrame) -> pd.DataFrame:
    """Convert the folders of images to a table of labels.

    Parameters
    ----------
    images : DataFrame of shape (n, columns)
        ``image_id`` and ``path``.

    Returns
    -------
    DataFrame of shape (n, 2)
        ``image_id``, and the name of the folder as ``benign_malignant`` or ``diagnosis``; missing
        for images in no such folder.

    Raises
    ------
    OptionError
        If no image is in a folder named after its class.
    """
    folders = images["path"].map(_class_folder)
    if folders.isna().all():
        raise OptionError(
            "no image is in a folder named after its class. For `labels_from_folders`, sort the "
            "images as benign/1.jpg and malignant/1.jpg, or into folders named by diagnosis."
        )
    words = folders.str.replace(r"[_\s]+", " ", regex=True).str.strip().str.lower()
    outcomes = words.dropna().isin(_OUTCOMES).all()
    label = "benign_malignant" if outcomes else "diagnosis"
    return pd.DataFrame({"image_id": images["image_id"], label: words})


def _offer_labels(images: pd.DataFrame) -> list[str]:
    """Suggest labels from folders if at least two folders are named after classes."""
    counts = Counter(images["path"].map(_class_folder).dropna())
    known = [folder for folder in counts if read_label(folder) is not None]
    if len(known) < 2 or 2 * len(known) < len(counts):
        return []
    shown = ", ".join(f"{folder} ({counts[folder]:,})" for folder in sorted(counts)[:10])
    return [f"images are in folders named {shown}. `labels_from_folders` takes these as labels."]


def _read_own_columns(
    tables: Sequence[_Source], images: pd.DataFrame, options: dict, path_column: str | None
) -> Records:
    """Read the other columns of tables of paths, or only the paths if that fails.

    If options refer to the columns, a failure is an error; otherwise, it is a note.
    """
    named = {} if path_column is None else {"path": path_column}
    columns = named | dict(options["columns"] or {})
    try:
        records = read_records(list(tables), images=images, **{**options, "columns": columns})
        missed = len(images) - len(records.frame)
        if missed > 0:
            raise TableError(f"{missed} of its {len(images)} images have names other than its ids.")
    except TableError as error:
        if any(options.values()):
            raise
        names = ", ".join(map(str, tables))
        return _images_alone(images, f"only the paths in {names} are used: {error}")
    return records
