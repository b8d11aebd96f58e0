"""Remote storage through fsspec: s3, gs, http, memory and chains of these."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from hybridlesion.exceptions import HybridLesionError, MissingDependencyError, SourceError

__all__ = ["list_address", "open_address"]


def list_address(address: str) -> list[str]:
    """List the files behind an fsspec address.

    Parameters
    ----------
    address : str
        A folder (recursive), one file, a pattern with ``*``, or a zip archive.

    Returns
    -------
    list of str
        The address of each file, whatever its kind.

    Raises
    ------
    SourceError
        If nothing is there or it cannot be listed.
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
            raise SourceError(f"nothing is found at {address}.")
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
        raise MissingDependencyError(f"{address} needs a driver of fsspec: {error}") from error
    except FileNotFoundError as error:
        raise SourceError(f"{address} does not exist.") from error
    # Each driver raises the errors of its own client library, which share no base class.
    except Exception as error:
        raise SourceError(f"cannot read {address}: {type(error).__name__}: {error}") from error
