"""A locator to the bytes behind it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from hybridlesion.exceptions import ImageError
from hybridlesion.images._addresses import open_address
from hybridlesion.images._archives import hdf5_value, open_zip_member
from hybridlesion.images._formats import HEAD_LENGTH, identify_format
from hybridlesion.images._locators import split_locator

__all__ = ["read_bytes", "read_head"]

# No image of 200 megapixels is larger, and a hostile archive could unpack to anything.
_MAX_BYTES = 2 << 30


def read_bytes(path: str | os.PathLike) -> bytes:
    """Read the whole file that a locator names, if it begins like an image.

    Parameters
    ----------
    path : str or path-like
        Path or locator, as `list_images` gives it.

    Returns
    -------
    bytes
        The file.

    Raises
    ------
    ImageError
        If it is no image by its first bytes, larger than 2 GiB or not in its archive.
    OSError
        If the file or its archive cannot be opened.
    """
    locator = split_locator(path)
    if locator.scheme == "hdf5":
        return hdf5_value(locator.container, locator.inner)
    with _opened(path) as stream:
        return _read_image_file(stream)


def read_head(path: str | os.PathLike) -> bytes:
    """Read the first bytes of a file that is no HDF5 value.

    Parameters
    ----------
    path : str or path-like
        Path or locator.

    Returns
    -------
    bytes
        At most `HEAD_LENGTH` bytes.

    Raises
    ------
    ImageError
        If it is not in its archive.
    OSError
        If the file or its archive cannot be opened.
    """
    with _opened(path) as stream:
        return stream.read(HEAD_LENGTH)


@contextmanager
def _opened(path: str | os.PathLike) -> Iterator[BinaryIO]:
    locator = split_locator(path)
    if locator.scheme == "zip":
        with open_zip_member(locator.container, locator.inner) as stream:
            yield stream
    elif locator.scheme == "fsspec":
        with open_address(os.fspath(path)) as stream:
            yield stream
    else:
        with open(locator.inner, "rb") as stream:
            yield stream


def _read_image_file(stream: BinaryIO) -> bytes:
    head = stream.read(HEAD_LENGTH)
    # Before the rest is fetched: it may be a film of 4 GB.
    identify_format(head)
    data = head + stream.read(_MAX_BYTES)
    if len(data) > _MAX_BYTES:
        raise ImageError(f"the file is larger than {_MAX_BYTES >> 30} GiB.")
    return data
