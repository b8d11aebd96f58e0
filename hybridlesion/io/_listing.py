"""Listing of the images of a source, with locators and ids."""

from __future__ import annotations

import os
import posixpath
import re
import warnings
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from hybridlesion.exceptions import HybridLesionError, OptionError, SourceError
from hybridlesion.io._containers import PassedOver, hdf5_keys, walk_folder, zip_members
from hybridlesion.io._formats import identify_format, is_text
from hybridlesion.io._image_files import read_head
from hybridlesion.io._locators import (
    IMAGE_SUFFIXES,
    TABLE_SUFFIXES,
    image_id_from_path,
    is_address,
    is_table_name,
    join_locator,
    list_address,
    split_locator,
    suffix_of,
)
from hybridlesion.io._masks import choose_masks
from hybridlesion.io._tables import table_images
from hybridlesion.metadata import path_ids, split_sheet

_SHOWN_PAIRS = 5
# Characters by which Python represents bytes of a file name that are not valid UTF-8.
_SURROGATE = re.compile("[\ud800-\udfff]")
# Formats of redundant copies of photographs that are also stored in another format.
_COPIES = frozenset((".heic", ".heif", ".hif", ".avif", ".dcm", ".dicom"))


@dataclass(frozen=True)
class ImageListing:
    """The images of one source, and notes on skipped files.

    Parameters
    ----------
    images : DataFrame of shape (n, 2)
        ``image_id`` and ``path``, sorted by ``image_id``.
    notes : tuple of str
        Messages about skipped files, by kind, and about ids that differ from the file names.
    """

    images: pd.DataFrame
    notes: tuple[str, ...]


def list_images(
    source: str | os.PathLike,
    *,
    path_column: str | None = None,
    roots: Sequence[str | os.PathLike] = (),
) -> pd.DataFrame:
    """List the images in a folder, file, table or archive, or at a URL.

    Parameters
    ----------
    source : str or path-like
        A folder (searched recursively, including linked folders), an image file, a table (CSV,
        Parquet or Excel) with a column of paths, a zip archive, an HDF5 file whose keys are image
        ids (ISIC 2024), or an fsspec address (``s3://bucket/folder``) of a folder, a file, a
        pattern, a zip archive or a table.
    path_column : str, default=None
        Column of a table that contains the paths. If None, ``path``, ``file_name`` and similar
        names are tried.
    roots : sequence of str or path-like, default=()
        Folders, in addition to that of the table, in which its images may lie. Relative paths are
        tried in each folder.

    Returns
    -------
    DataFrame of shape (n, 2)
        ``image_id`` and ``path``, which is an absolute path or a locator such as
        ``zip://MEMBER::/archive.zip`` that `read_image` can open in any process; sorted by
        ``image_id``.

    Raises
    ------
    SourceError
        If the source is missing, cannot be read or contains no image, or if two images would have
        the same id.
    TableError
        If a table has no column of paths, paths that lead out of its folder and the roots, or ids
        and paths that contradict each other.
    MissingDependencyError
        If the source needs a library that is not installed.

    Warns
    -----
    UserWarning
        If files were skipped, with a count and an example of each kind, or if ids differ from the
        file names.

    Notes
    -----
    Ids are taken from the table if it has them, else from the file names without suffix. If several
    files have the same name, as in ``benign/1.jpg`` and ``malignant/1.jpg``, their ids begin with
    their folders: ``train-benign-1``.

    In folders, archives and addresses, files are selected by their suffix, or by their first bytes
    if they have none. Hidden files and masks are skipped. A mask is a file called ``NAME_mask`` or
    similar, or in a folder of masks, that lies next to the photograph ``NAME`` or has only two
    values. A file or a table row that the caller names is always included.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("x/a/ISIC_2.jpg", "x/a/1.jpg", "x/b/1.jpg"):
    ...         path = pathlib.Path(folder, name)
    ...         path.parent.mkdir(parents=True, exist_ok=True)
    ...         path.touch()
    ...     scan_images(folder).images["image_id"].tolist()
    ['ISIC_2', 'x-a-1', 'x-b-1']
    """
    listing = scan_images(source, path_column=path_column, roots=roots)
    for note in listing.notes:
        warnings.warn(note, UserWarning, stacklevel=2)
    return listing.images


def scan_images(
    source: str | os.PathLike,
    *,
    path_column: str | None = None,
    id_column: str | None = None,
    roots: Sequence[str | os.PathLike] = (),
) -> ImageListing:
    """List images as `list_images` does, but return its notes instead of warning.

    Parameters
    ----------
    source : str or path-like
        Source of images.
    path_column : str, default=None
        Column of a table that contains the paths. If None, it is detected.
    id_column : str, default=None
        Column of a table that contains the image ids, if present. If None, it is detected.
    roots : sequence of str or path-like, default=()
        Further folders in which the images of a table may lie.

    Returns
    -------
    ImageListing
        Images and notes.

    Raises
    ------
    SourceError, TableError, MissingDependencyError
        As in `list_images`.
    """
    source = full = os.fspath(source)
    locator = split_locator(source)
    if locator.scheme == "file":
        source, full = locator.inner, os.path.abspath(locator.inner)
        if not os.path.exists(source) and not os.path.exists(split_sheet(source)[0]):
            raise SourceError(f"{source} does not exist.")
    if is_table_name(source):
        images, remarks = table_images(full, path_column, id_column, roots)
        return ImageListing(_as_frame(images, source), remarks)
    if path_column is not None:
        raise OptionError(f"{source} is not a table. Leave out `path_column` ({path_column!r}).")
    passed_over = PassedOver()
    names = _find(full, passed_over)
    skipped = passed_over.describe()
    notes = [f"skipped in {source}: {skipped}."] if skipped else []
    broken = next(filter(_SURROGATE.search, names), None)
    if broken is not None:
        raise SourceError(
            f"{source} holds file names that are not valid UTF-8, such as "
            f"{broken.encode('utf-8', 'replace')!r}. Rename them."
        )
    ids = list(map(image_id_from_path, names))
    images = pd.DataFrame({"image_id": ids, "path": list(names)}, dtype=str)
    repeated = images["image_id"].duplicated(keep=False)
    if repeated.any():
        # The name of the source is included so that listing a folder or its parent gives equal ids.
        own = _own_name(full)
        images["image_id"] = path_ids([f"{own}/{name}" for name in names.values()])
        example = images.loc[repeated, "image_id"].iloc[0]
        notes.append(
            f"{repeated.sum():,} images in {source} share a file name with another; their ids "
            f"begin with their folders, as in {example}."
        )
    return ImageListing(_as_frame(images, source), tuple(notes))


def _find(source: str, passed_over: PassedOver) -> dict[str, str]:
    """Return the locators of a source with their names relative to it."""
    if is_address(source):
        return _at_address(source, passed_over)
    if os.path.isdir(source):
        start = len(source.rstrip(os.sep)) + 1
        files = walk_folder(source, passed_over)
        names = {path: path[start:].replace(os.sep, "/") for path in files}
        return _choose(names, source, passed_over)
    suffix = suffix_of(source)
    if suffix == ".zip":
        names = {join_locator("zip", name, source): name for name in zip_members(source)}
        return _choose(names, source, passed_over)
    if suffix in (".hdf5", ".h5"):
        return {join_locator("hdf5", key, source): key for key in hdf5_keys(source)}
    if suffix in IMAGE_SUFFIXES or (not suffix and _kind(source) == "image"):
        return {source: os.path.basename(source)}
    raise SourceError(
        f"{source} is not a source of images. Accepted: folders, image files "
        f"({', '.join(sorted(IMAGE_SUFFIXES))}), tables ({', '.join(sorted(TABLE_SUFFIXES))}), "
        ".zip, .hdf5 and .h5 archives, and fsspec addresses."
    )


def _at_address(source: str, passed_over: PassedOver) -> dict[str, str]:
    locator = split_locator(source)
    # The locator of one archive member is also a source.
    if locator.container:
        return {source: locator.inner}
    if suffix_of(source) in (".hdf5", ".h5"):
        raise SourceError(f"{source}: HDF5 is read from local disks only. Copy the file first.")
    paths = {path: split_locator(path).inner for path in list_address(source)}
    if list(paths) == [source]:
        return {source: posixpath.basename(paths[source])}
    paths = {path: re.sub(r"\A\w+:/+", "", inner) for path, inner in paths.items()}
    shared = len(posixpath.commonpath(map(posixpath.dirname, paths.values())))
    names = {path: inner[shared:].lstrip("/") for path, inner in paths.items()}
    return _choose(names, source, passed_over)


def _choose(names: dict[str, str], source: str, passed_over: PassedOver) -> dict[str, str]:
    """Select the images among files, and count the other files."""
    images = {}
    for locator, name in names.items():
        # Among the hidden files are the ._name files that macOS adds to archives.
        if posixpath.basename(name).startswith("."):
            continue
        suffix = suffix_of(name)
        kind = "" if suffix else _kind(locator)
        if suffix in IMAGE_SUFFIXES or kind == "image":
            images[locator] = name
        else:
            passed_over.add_file(name, ordinary=kind == "text")
    # The name of the source is included, since it may be a folder of masks.
    own = _own_name(source)
    masks = choose_masks({locator: f"{own}/{name}" for locator, name in images.items()})
    for mask in sorted(masks):
        passed_over.add("mask", "masks", images.pop(mask))
    _drop_copies(images, passed_over)
    if not images:
        found = passed_over.describe(ordinary=True) or "nothing"
        raise SourceError(
            f"no images in {source}: found {found}. Images end in "
            f"{', '.join(sorted(IMAGE_SUFFIXES))}; masks are skipped."
        )
    return images


def _own_name(source: str) -> str:
    name = posixpath.basename(source.replace(os.sep, "/").rstrip("/"))
    return posixpath.splitext(name)[0]


def _drop_copies(images: dict[str, str], passed_over: PassedOver) -> None:
    """Keep only the JPEG if a camera stored a photograph as both HEIC and JPEG."""
    by_stem = defaultdict(list)
    for locator, name in images.items():
        by_stem[posixpath.splitext(name)[0]].append(locator)
    for same in by_stem.values():
        copies = [one for one in same if suffix_of(images[one]) in _COPIES]
        if len(copies) == len(same) - 1:
            for one in copies:
                kind = f"{suffix_of(images[one])} copy of another file of the same name"
                passed_over.add(kind, kind, images.pop(one))


def _kind(path: str) -> str:
    """Recognise images and texts by their first bytes."""
    try:
        head = read_head(path)
        if is_text(head):
            return "text"
        identify_format(head)
    except (HybridLesionError, OSError):
        return ""
    return "image"


def _as_frame(images: pd.DataFrame, source: str) -> pd.DataFrame:
    if images.empty:
        raise SourceError(f"no images in {source}.")
    images = images.sort_values(["image_id", "path"], ignore_index=True)
    repeated = images["image_id"].duplicated()
    if repeated.any():
        pairs = (images["path"].shift() + " and " + images["path"])[repeated]
        shown = "; ".join(pairs[:_SHOWN_PAIRS]) + ("; ..." if len(pairs) > _SHOWN_PAIRS else "")
        raise SourceError(
            f"{len(pairs)} images in {source} have the same id as another, its file name without "
            f"suffix: {shown}. Rename or remove one of each, or read the folders separately."
        )
    return images
