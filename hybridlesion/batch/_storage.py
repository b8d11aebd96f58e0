"""Where a run keeps what it writes: a folder of this machine or of the network, or an address."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hybridlesion._atomic import atomic_path, check_writable
from hybridlesion.exceptions import HybridLesionError, MissingDependencyError, SourceError
from hybridlesion.io import is_address

__all__ = [
    "CURE",
    "FolderPlace",
    "Place",
    "RemotePlace",
    "check_place",
    "explained",
    "open_place",
    "written_whole",
]

# What a full disk, a vanished share or a closed bucket leaves to do.
CURE = "What is done is kept: put it right, and run the same command again."


class FolderPlace:
    """A folder that this process reaches by its path.

    Parameters
    ----------
    folder : Path
        The folder; an absolute path, so that other processes find it.
    """

    def __init__(self, folder: Path):
        self.folder = Path(os.path.abspath(folder))

    def __str__(self) -> str:
        return str(self.folder)

    def make(self) -> None:
        """Make the folder if it is missing.

        Raises
        ------
        SourceError
            If it cannot be made.
        """
        with explained(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)

    def exists(self) -> bool:
        """Whether anything has the name of the folder, be it a file or a broken link."""
        return os.path.lexists(self.folder)

    def has(self, name: str) -> bool:
        """Look for a file, folder or link of that name.

        Parameters
        ----------
        name : str
            The name.

        Returns
        -------
        bool
            Whether it is there.
        """
        return os.path.lexists(self.folder / name)

    def names(self) -> list[str]:
        """List the files.

        Returns
        -------
        list of str
            Their names; none where there is no such folder.
        """
        return os.listdir(self.folder) if self.folder.is_dir() else []

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
        return (self.folder / name).read_bytes()

    def write(self, name: str, data: bytes) -> None:
        """Write a file: whole, or not at all.

        Parameters
        ----------
        name : str
            Its name.
        data : bytes
            What it shall hold.

        Raises
        ------
        SourceError
            If the folder is gone or full, or may not be written to.
        """
        if not self.folder.is_dir():
            raise SourceError(f"the folder {self.folder} has vanished while it was in use. {CURE}")
        with explained(self.folder), atomic_path(self.folder / name) as temporary:
            temporary.write_bytes(data)

    def create(self, name: str, data: bytes) -> bool:
        """Write a file unless there is one of that name.

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
            If the folder may not be written to.
        """
        path = self.folder / name
        try:
            with explained(self.folder), open(path, "xb") as stream:
                try:
                    stream.write(data)
                    stream.flush()
                except OSError:
                    path.unlink(missing_ok=True)
                    raise
        except SourceError as error:
            if isinstance(error.__cause__, FileExistsError):
                return False
            raise
        return True

    def remove(self, name: str) -> None:
        """Remove a file; one that is gone already is no error.

        Parameters
        ----------
        name : str
            Its name.
        """
        (self.folder / name).unlink(missing_ok=True)

    def clear(self) -> None:
        """Remove the folder and all in it, its files in the order of their names."""
        for name in sorted(self.names()):
            with suppress(OSError):
                (self.folder / name).unlink()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Turn what the operating system says into an error with a cure.

    Parameters
    ----------
    folder : Path
        Where the block writes.

    Yields
    ------
    None
        Nothing.

    Raises
    ------
    SourceError
        If the block raises an OSError.
    """
    try:
        yield
    except HybridLesionError:
        raise
    except OSError as error:
        raise SourceError(
            f"cannot write into {folder}: {error.strerror or error}. {CURE}"
        ) from error


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


Place = FolderPlace | RemotePlace


def open_place(folder: str | os.PathLike) -> Place:
    """Choose how a folder is reached.

    Parameters
    ----------
    folder : str or path-like
        Path or fsspec address.

    Returns
    -------
    FolderPlace or RemotePlace
        The place; nothing is made yet.
    """
    folder = os.fspath(folder)
    if folder.startswith(("file://", "local://")):
        folder = folder.split("://", 1)[1]
    return RemotePlace(folder) if is_address(folder) else FolderPlace(Path(folder))


@contextmanager
def written_whole(place: Place, name: str) -> Iterator[Path]:
    """Give a local path to write to, which becomes a file of the place when the block ends well.

    Parameters
    ----------
    place : FolderPlace or RemotePlace
        Where the file shall be.
    name : str
        Its name.

    Yields
    ------
    Path
        Temporary path with the same suffix.

    Raises
    ------
    SourceError
        If the file cannot be written.
    """
    if isinstance(place, FolderPlace):
        with explained(place.folder), atomic_path(place.folder / name) as temporary:
            yield temporary
        return
    with tempfile.TemporaryDirectory() as folder:
        temporary = Path(folder) / name
        with explained(Path(folder)):
            yield temporary
        place.upload(name, temporary)


def check_place(place: Place, name: str) -> None:
    """Make sure, before long work, that a file can be written.

    Parameters
    ----------
    place : FolderPlace or RemotePlace
        Where.
    name : str
        Name of the file to come.

    Raises
    ------
    SourceError
        If it cannot be written.
    """
    if isinstance(place, FolderPlace):
        check_writable(place.folder / name)
    else:
        place.make()
        trial = f".{name}.{secrets.token_hex(4)}.try"
        place.write(trial, b"")
        place.remove(trial)
