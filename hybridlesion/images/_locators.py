"""Locators: one string that says where an image lies, enough for another process to open it."""

from __future__ import annotations

import os
from typing import NamedTuple

__all__ = ["ARCHIVES", "Locator", "is_address", "join_locator", "split_locator"]

ARCHIVES = ("zip", "hdf5")


class Locator(NamedTuple):
    """The parts of a locator.

    Parameters
    ----------
    scheme : str
        ``"file"``, one of `ARCHIVES` for a local archive, or ``"fsspec"`` for anything else.
    inner : str
        The file's path, the archive's member or key, or the whole address without a chain.
    container : str
        The archive's path; empty for plain files and addresses.
    """

    scheme: str
    inner: str
    container: str


def is_address(path: str) -> bool:
    """Whether a string has the form of an address and not of a path.

    Parameters
    ----------
    path : str
        Path, locator or address.

    Returns
    -------
    bool
        True if it holds ``://``.
    """
    return "://" in path


def join_locator(scheme: str, inner: str, container: str) -> str:
    """Write the locator of a member of an archive.

    Parameters
    ----------
    scheme : str
        One of `ARCHIVES`.
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
    """Take a locator apart.

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
    # The archive's path is behind the last separator, since member names may hold anything.
    inner, separator, container = rest.rpartition("::")
    if scheme in ARCHIVES and separator and not is_address(container):
        return Locator(scheme, inner, container)
    if scheme in ("file", "local"):
        return Locator("file", rest, "")
    return Locator("fsspec", locator.split("::", 1)[0], "")
