"""A folder behind an fsspec address as the place of a run's files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hybridlesion.exceptions import HybridLesionError, MissingDependencyError, SourceError
from hybridlesion.extraction._folder_place import CURE

__all__ = ["RemotePlace"]


class RemotePlace:
    """A folder behind an fsspec address.

    Parameters
    ----------
    address : str
        The address, such as ``s3://bucket/run``.

    Notes
    -----
    Object stores show a file only when it is whole. Where a store does not, a half-written shard
    is known by its missing end, and computed again.
    """

    def __init__(self, address: str):
        self.address = address.rstrip("/")

    def __str__(self) -> str:
        return self.address

    def make(self) -> None:
        """Make the folder, where the store knows folders.

        Raises
        ------
        SourceError
            If the store refuses.
        """
        with self._storage("") as (storage, path):
            storage.makedirs(path, exist_ok=True)

    def exists(self) -> bool:
        """Whether there are files; an empty folder counts as none, since few stores have one."""
        return bool(self.names())

    def has(self, name: str) -> bool:
        """Look for a file of that name.

        Parameters
        ----------
        name : str
            The name.

        Returns
        -------
        bool
            Whether it is there.
        """
        return name in self.names()

    def names(self) -> list[str]:
        """List the files.

        Returns
        -------
        list of str
            Their names.
        """
        with self._storage("") as (storage, path):
            storage.invalidate_cache()
            with suppress(FileNotFoundError):
                return [found.rsplit("/", 1)[-1] for found in storage.ls(path, detail=False)]
        return []

    def read(self, name: str) -> bytes:
        """Read a file.

        Parameters
        ----------
        name : str
            Its name.

        Returns
        -------
        bytes
            What it holds.
        """
        with self._storage(name) as (storage, path):
            return storage.cat_file(path)

    def write(self, name: str, data: bytes) -> None:
        """Write a file.

        Parameters
        ----------
        name : str
            Its name.
        data : bytes
            What it shall hold.

        Raises
        ------
        SourceError
            If the store refuses.
        """
        with self._storage(name) as (storage, path):
            storage.pipe_file(path, data)

    def create(self, name: str, data: bytes) -> bool:
        """Write a file unless there is one of that name; two at the same instant both succeed.

        Parameters
        ----------
        name : str
            Its name.
        data : bytes
            What it shall hold.

        Returns
        -------
        bool
            Whether it was written.

        Raises
        ------
        SourceError
            If the store refuses.
        """
        if name in self.names():
            return False
        self.write(name, data)
        return True

    def upload(self, name: str, file: Path) -> None:
        """Write a file from a local one of any size.

        Parameters
        ----------
        name : str
            Its name.
        file : Path
            What it shall hold.

        Raises
        ------
        SourceError
            If the store refuses.
        """
        with self._storage(name) as (storage, path):
            storage.put_file(str(file), path)

    def remove(self, name: str) -> None:
        """Remove a file; one that is gone already is no error.

        Parameters
        ----------
        name : str
            Its name.
        """
        with self._storage(name) as (storage, path), suppress(FileNotFoundError):
            storage.rm_file(path)

    def clear(self) -> None:
        """Remove the folder and all in it."""
        with self._storage("") as (storage, path), suppress(FileNotFoundError):
            storage.rm(path, recursive=True)

    @contextmanager
    def _storage(self, name: str) -> Iterator[tuple]:
        address = f"{self.address}/{name}" if name else self.address
        try:
            from fsspec.core import url_to_fs

            yield url_to_fs(address)
        except HybridLesionError:
            raise
        except ImportError as error:
            raise MissingDependencyError(f"{address} needs a driver of fsspec: {error}") from error
        # Each driver raises the errors of its own client library, which share no base class.
        except Exception as error:
            raise SourceError(
                f"cannot use {address}: {type(error).__name__}: {error}. {CURE}"
            ) from error
