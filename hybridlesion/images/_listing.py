"""Any source of images to a list of locators and ids."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise

import pandas as pd

from hybridlesion.exceptions import OptionError, SourceError
from hybridlesion.images._addresses import list_address
from hybridlesion.images._archives import hdf5_keys, zip_members
from hybridlesion.images._locators import is_address, join_locator, split_locator
from hybridlesion.images._names import (
    IMAGE_SUFFIXES,
    TABLE_SUFFIXES,
    image_id_from_path,
    is_image_name,
    suffix_of,
)
from hybridlesion.images._tables import table_images

__all__ = ["list_images"]

_SHOWN_PAIRS = 5


def list_images(source: str | os.PathLike, *, path_column: str | None = None) -> pd.DataFrame:
    """List the images of a folder, file, table, archive or address, without opening them.

    Parameters
    ----------
    source : str or path-like
        A folder (searched through all its folders), one image file, a CSV or Parquet table with a
        column of paths, a zip archive, an HDF5 file whose keys are image ids (ISIC 2024), or an
        fsspec address (``s3://bucket/folder``) of a folder, a file, a pattern, a zip archive or a
        table.
    path_column : str, default=None
        Column of a table that holds the paths; None looks for ``path``, ``file_name`` and the
        like.

    Returns
    -------
    DataFrame of shape (n, 2)
        ``image_id``, the file's name without its suffix, and ``path``, an absolute path or a
        locator such as ``zip://MEMBER::/archive.zip`` that `read_image` opens in any process.
        Sorted by ``image_id``.

    Raises
    ------
    SourceError
        If the source is missing, cannot be read or holds no image, or if two images would have
        the same id.
    TableError
        If a table has no column of paths, or paths that lead out of the table's folder.
    MissingDependencyError
        If the source needs a library that is not installed.

    Notes
    -----
    In folders, archives and addresses, files are chosen by name: other suffixes, hidden files
    and masks (``_segmentation``, ``_lesion``, ``_superpixels``) are passed over. Links to
    folders are not followed. A file or a table row that the caller names is taken as it is.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("ISIC_2.jpg", "ISIC_1.jpg", "ISIC_1_segmentation.png"):
    ...         (pathlib.Path(folder) / name).touch()
    ...     list_images(folder)["image_id"].tolist()
    ['ISIC_1', 'ISIC_2']
    """
    source = os.fspath(source)
    if is_address(source) and split_locator(source).scheme == "file":
        source = split_locator(source).inner
    is_table = suffix_of(source) in TABLE_SUFFIXES
    if path_column is not None and not is_table:
        raise OptionError(
            f"a column of paths was named ({path_column!r}), but {source} is no table: leave out "
            "path_column (--path-column on the command line)."
        )
    if is_address(source):
        paths = table_images(source, path_column=path_column) if is_table else _at_address(source)
    else:
        paths = _at_path(os.path.abspath(source), path_column)
    return _as_frame(paths, source)


def _at_path(source: str, path_column: str | None) -> list[str]:
    if os.path.isdir(source):
        return _chosen(_walk(source), source)
    if not os.path.exists(source):
        raise SourceError(f"{source} does not exist.")
    suffix = suffix_of(source)
    if suffix in TABLE_SUFFIXES:
        return table_images(source, path_column=path_column)
    if suffix == ".zip":
        members = _chosen(zip_members(source), source)
        return [join_locator("zip", member, source) for member in members]
    if suffix in (".hdf5", ".h5"):
        return [join_locator("hdf5", key, source) for key in hdf5_keys(source)]
    if suffix in IMAGE_SUFFIXES:
        return [source]
    raise SourceError(
        f"{source} is no source of images. Accepted are folders, image files "
        f"({', '.join(sorted(IMAGE_SUFFIXES))}), tables ({', '.join(sorted(TABLE_SUFFIXES))}), "
        ".zip, .hdf5 and .h5 archives, and fsspec addresses."
    )


def _at_address(source: str) -> list[str]:
    locator = split_locator(source)
    # The locator of one archive member is a source too.
    if locator.container:
        return [source]
    if suffix_of(source) in (".hdf5", ".h5"):
        raise SourceError(f"{source}: HDF5 is read from local disks only. Copy the file first.")
    files = list_address(source)
    return files if files == [source] else _chosen(files, source)


def _walk(folder: str) -> Iterable[str]:
    def refuse(error: OSError) -> None:
        raise SourceError(f"cannot list {error.filename}: {error.strerror}.") from error

    for parent, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            yield os.path.join(parent, name)


def _chosen(names: Iterable[str], source: str) -> list[str]:
    names = list(names)
    images = [name for name in names if is_image_name(split_locator(name).inner)]
    if not images:
        kinds = Counter(suffix_of(name) or "no suffix" for name in names).most_common(5)
        found = ", ".join(f"{count} {kind}" for kind, count in kinds) or "nothing"
        raise SourceError(
            f"no images in {source}: found {found}. Images end in "
            f"{', '.join(sorted(IMAGE_SUFFIXES))}; names of masks are passed over."
        )
    return images


def _as_frame(paths: list[str], source: str) -> pd.DataFrame:
    if not paths:
        raise SourceError(f"no images in {source}.")
    rows = sorted((image_id_from_path(path), path) for path in paths)
    repeated = [
        f"{first} and {second}"
        for (image_id, first), (next_id, second) in pairwise(rows)
        if image_id == next_id
    ]
    if repeated:
        raise SourceError(
            f"{len(repeated)} images in {source} have the id of another one, which is the file's "
            f"name without its suffix: {'; '.join(repeated[:_SHOWN_PAIRS])}"
            f"{'; ...' if len(repeated) > _SHOWN_PAIRS else ''}. Rename or remove one of each, or "
            "read the folders apart."
        )
    image_ids, paths = zip(*rows, strict=True)
    try:
        return pd.DataFrame({"image_id": image_ids, "path": paths}, dtype=str)
    except UnicodeEncodeError as error:
        raise SourceError(
            f"{source} holds file names that are not valid UTF-8, such as "
            f"{error.object.encode('utf-8', 'replace')!r}. Rename them."
        ) from error
