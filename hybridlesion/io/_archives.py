"""Local archives of images: zip, and HDF5 as distributed with ISIC 2024."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import numpy as np

from hybridlesion._optional_imports import import_optional
from hybridlesion.exceptions import ImageError, SourceError

__all__ = ["hdf5_keys", "hdf5_value", "open_zip_member", "zip_members"]

_OPEN_ARCHIVES = 4

# Open archives of each process by its id. A forked child must not use its parent's, whose file
# position it would share, nor close them; under its own id it finds none and opens its own.
_handles: dict[int, OrderedDict[tuple, Any]] = {}


def zip_members(archive: str) -> list[str]:
    """List the files in a zip archive.

    Parameters
    ----------
    archive : str
        Path of the archive.

    Returns
    -------
    list of str
        Names with forward slashes, folders left out.

    Raises
    ------
    SourceError
        If the file is not a zip archive or cannot be opened.
    """
    names = _opened(archive, _open_zip).namelist()
    return [name for name in names if not name.endswith("/")]


@contextmanager
def open_zip_member(archive: str, member: str) -> Iterator[BinaryIO]:
    """Open one file of a zip archive for reading.

    Parameters
    ----------
    archive : str
        Path of the archive.
    member : str
        Name, as `zip_members` gives it.

    Yields
    ------
    binary file
        The unpacked file.

    Raises
    ------
    ImageError
        If there is no such member, or it is encrypted, damaged or packed in an unknown way.
    SourceError
        If the archive cannot be opened.
    """
    handle = _opened(archive, _open_zip)
    try:
        with handle.open(member) as stream:
            yield stream
    except KeyError as error:
        raise ImageError(f"the archive has no member {member!r}.") from error
    # RuntimeError: encrypted. NotImplementedError: an unknown compression.
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise ImageError(f"cannot be unpacked: {error}") from error


def hdf5_keys(archive: str) -> list[str]:
    """List the images of an HDF5 file.

    Parameters
    ----------
    archive : str
        Path of the file.

    Returns
    -------
    list of str
        Keys of its datasets.

    Raises
    ------
    SourceError
        If the file is not HDF5 or cannot be opened.
    MissingDependencyError
        If h5py is not installed.
    """
    handle = _opened(archive, _open_hdf5)
    keys = list(handle)
    # ISIC's files are flat, and looking at each of 400,000 keys would take half a minute.
    if not keys or not hasattr(handle[keys[0]], "keys"):
        return keys
    nested: list[str] = []
    handle.visit(nested.append)
    return [key for key in nested if not hasattr(handle[key], "keys")]


def hdf5_value(archive: str, key: str) -> bytes:
    """Read the file that is stored under a key of an HDF5 file.

    Parameters
    ----------
    archive : str
        Path of the HDF5 file.
    key : str
        Key of a dataset that holds the bytes of one image file.

    Returns
    -------
    bytes
        The image file, still encoded.

    Raises
    ------
    ImageError
        If there is no such key, or something else is stored under it.
    SourceError
        If the file cannot be opened.
    MissingDependencyError
        If h5py is not installed.
    """
    handle = _opened(archive, _open_hdf5)
    if key not in handle:
        raise ImageError(f"the HDF5 file has no key {key!r}.")
    dataset = handle[key]
    shape = getattr(dataset, "shape", None)
    if shape is None or len(shape) > 1 or (len(shape) == 1 and dataset.dtype != np.uint8):
        kind = "a group" if shape is None else f"an array of shape {shape} and {dataset.dtype}"
        raise ImageError(f"the key holds {kind}, not the bytes of one image file.")
    # A whole array, since a single text value would lose the zeros at its end.
    return np.asarray(dataset).tobytes()


def _opened(archive: str, open_archive: Callable[[str], Any]) -> Any:
    """Return this process's open handle of an archive, the last few used being kept."""
    try:
        status = os.stat(archive)
    except OSError as error:
        raise SourceError(f"cannot open {archive}: {error.strerror}.") from error
    # With time and size, so that a replaced archive is opened again.
    key = (archive, status.st_mtime_ns, status.st_size)
    mine = _handles.setdefault(os.getpid(), OrderedDict())
    handle = mine.pop(key, None) or open_archive(archive)
    mine[key] = handle
    # Dropped, not closed: another thread may still be reading.
    while len(mine) > _OPEN_ARCHIVES:
        mine.popitem(last=False)
    return handle


def _open_zip(archive: str) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(archive)
    except (zipfile.BadZipFile, OSError) as error:
        raise SourceError(f"{archive} is not a readable zip archive: {error}") from error


def _open_hdf5(archive: str) -> Any:
    h5py = import_optional("h5py", feature="reading HDF5 images", install="hybridlesion[hdf5]")
    try:
        return h5py.File(archive, "r")
    except OSError as error:
        raise SourceError(f"{archive} is not a readable HDF5 file: {error}") from error
