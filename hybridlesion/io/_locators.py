"""Locators: strings from which any process can open an image."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, NamedTuple

from hybridlesion.exceptions import HybridLesionError, MissingDependencyError, SourceError


class Locator(NamedTuple):
    """The parts of a locator.

    Parameters
    ----------
    scheme : str
        ``"file"``, ``"zip"`` or ``"hdf5"`` for a local archive, or ``"fsspec"`` for anything else.
    inner : str
        The file's path, the archive's member or key, or the whole address without a chain.
    container : str
        The archive's path; empty for plain files and addresses.
    """

    scheme: str
    inner: str
    container: str


def is_address(path: str) -> bool:
    """Whether a string is an address rather than a path.

    Parameters
    ----------
    path : str
        Path, locator or address.

    Returns
    -------
    bool
        True if it contains ``://``.
    """
    return "://" in path


def join_locator(scheme: str, inner: str, container: str) -> str:
    """Format the locator of an archive member.

    Parameters
    ----------
    scheme : {"zip", "hdf5"}
        Kind of archive.
    inner : str
        Member or key.
    container : str
        Path of the archive.

    Returns
    -------
    str
        The locator.

    Examples
    --------
    >>> join_locator("zip", "a/b.jpg", "/data/train.zip")
    'zip://a/b.jpg::/data/train.zip'
    """
    return f"{scheme}://{inner}::{container}"


def split_locator(locator: str | os.PathLike) -> Locator:
    """Split a locator into its parts.

    Parameters
    ----------
    locator : str or path-like
        Path, locator or address.

    Returns
    -------
    Locator
        Its parts.

    Examples
    --------
    >>> split_locator("zip://a/b.jpg::/data/train.zip")
    Locator(scheme='zip', inner='a/b.jpg', container='/data/train.zip')
    >>> split_locator("s3://bucket/b.jpg")
    Locator(scheme='fsspec', inner='s3://bucket/b.jpg', container='')
    """
    locator = os.fspath(locator)
    if not is_address(locator):
        return Locator("file", locator, "")
    scheme, rest = locator.split("://", 1)
    # The archive's path follows the last separator, since member names may contain anything.
    inner, separator, container = rest.rpartition("::")
    if scheme in ("zip", "hdf5") and separator and not is_address(container):
        return Locator(scheme, inner, container)
    if scheme in ("file", "local"):
        return Locator("file", rest, "")
    return Locator("fsspec", locator.split("::", 1)[0], "")


LOSSLESS_SUFFIXES = frozenset((".png", ".bmp", ".tif", ".tiff", ".gif"))
IMAGE_SUFFIXES = LOSSLESS_SUFFIXES | frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".heic", ".heif", ".hif", ".avif", ".dcm", ".dicom")
)
TABLE_SUFFIXES = frozenset((".csv", ".tsv", ".parquet", ".pq", ".xlsx"))

# A suffix has a letter, so the numbers in a DICOM identifier, 1.2.840.10008, are not suffixes.
_SUFFIX = re.compile(r"\.(?=\d*[a-z])[a-z0-9~+-]+", re.IGNORECASE)
_SHEET = re.compile(r"(?<=\.xlsx)#[^/\\]*\Z", re.IGNORECASE)


def suffix_of(name: str) -> str:
    """Return the suffix of a file name in lower case, with its dot.

    Parameters
    ----------
    name : str
        File name, with or without folders.

    Returns
    -------
    str
        For example ``".jpg"``, or the empty string.

    Examples
    --------
    >>> suffix_of("a/ISIC_1.JPG"), suffix_of("1.2.840.10008")
    ('.jpg', '')
    """
    suffix = posixpath.splitext(name)[1]
    return suffix.lower() if _SUFFIX.fullmatch(suffix) else ""


def is_table_name(source: str) -> bool:
    """Whether a source is a table, judging by its name.

    Parameters
    ----------
    source : str
        Path or address; ``FILE.xlsx#SHEET`` names a sheet.

    Returns
    -------
    bool
        True if it has the suffix of a table.
    """
    return suffix_of(_SHEET.sub("", source)) in TABLE_SUFFIXES


def image_id_from_path(path: str) -> str:
    """Derive the image id from a path or locator.

    Parameters
    ----------
    path : str
        Path or locator, as returned by `list_images`.

    Returns
    -------
    str
        The file's name without folders and without an image suffix, or the HDF5 key.

    Examples
    --------
    >>> image_id_from_path("images/ISIC_0000001.jpg")
    'ISIC_0000001'
    >>> image_id_from_path("zip://train/ISIC_0000002.JPG::/data/train.zip")
    'ISIC_0000002'
    >>> image_id_from_path("hdf5://ISIC_0000003::/data/train-image.hdf5")
    'ISIC_0000003'
    """
    name = posixpath.basename(split_locator(path).inner.replace("\\", "/"))
    return posixpath.splitext(name)[0] if suffix_of(name) in IMAGE_SUFFIXES else name


def list_address(address: str) -> list[str]:
    """List the files behind an fsspec address.

    Parameters
    ----------
    address : str
        A folder (recursive), one file, a pattern with ``*``, or a zip archive.

    Returns
    -------
    list of str
        Addresses of all files, of any kind.

    Raises
    ------
    SourceError
        If nothing is found or the address cannot be listed.
    MissingDependencyError
        If the storage needs a driver that is not installed.
    """
    from fsspec.core import url_to_fs

    if address.lower().endswith(".zip") and not address.startswith("zip://"):
        address = f"zip://::{address}"
    with _explained(address):
        storage, path = url_to_fs(address)
        if "*" in path:
            paths = storage.glob(path)
        elif path and storage.isfile(path):
            paths = [path]
        else:
            paths = storage.find(path)
        if not paths:
            raise SourceError(f"nothing found at {address}.")
    first, chained, rest = address.partition("::")
    if chained:
        scheme = first.split("://", 1)[0]
        return [f"{scheme}://{path}::{rest}" for path in paths]
    return [storage.unstrip_protocol(path) for path in paths]


@contextmanager
def open_address(address: str) -> Iterator[BinaryIO]:
    """Open the file at an fsspec address for reading.

    Parameters
    ----------
    address : str
        Address of one file.

    Yields
    ------
    binary file
        The file.

    Raises
    ------
    SourceError
        If it cannot be read.
    MissingDependencyError
        If the storage needs a driver that is not installed.
    """
    import fsspec

    with _explained(address), fsspec.open(address, "rb") as stream:
        yield stream


@contextmanager
def _explained(address: str) -> Iterator[None]:
    try:
        yield
    except HybridLesionError:
        raise
    except ImportError as error:
        raise MissingDependencyError(f"{address} needs an fsspec driver: {error}") from error
    except FileNotFoundError as error:
        raise SourceError(f"{address} does not exist.") from error
    # Each driver raises the errors of its client library, which share no base class.
    except Exception as error:
        raise SourceError(f"cannot read {address}: {type(error).__name__}: {error}") from error
