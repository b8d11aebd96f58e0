"""Storage for the files of a run: a local folder or an fsspec address."""

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

# Advice for errors such as a full disk, a lost network share or an inaccessible bucket.
CURE = "Finished work is kept: fix this, and run the same command again."


def in_the_way(place: str | os.PathLike, purpose: str) -> SourceError:
    """Create the error for a file or folder that another program wrote where a run must write.

    Parameters
    ----------
    place : str or path-like
        The file or folder.
    purpose : str
        What the run needs instead, and how it recognises that.

    Returns
    -------
    SourceError
        Error to raise.
    """
    return SourceError(
        f"{place} is in the way: this run needs {purpose}, and the existing one was not written "
        "by this program. Move it, or choose another output."
    )


class LocalStorage:
    """Folder on a local or mounted file system.

    Parameters
    ----------
    folder : Path
        Path of the folder; it is made absolute, so that other processes find it.
    """

    def __init__(self, folder: Path):
        self.folder = Path(os.path.abspath(folder))

    def __str__(self) -> str:
        return str(self.folder)

    def make(self) -> None:
        """Create the folder if it is missing.

        Raises
        ------
        SourceError
            If the folder cannot be created.
        """
        with explained(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)

    def exists(self) -> bool:
        """Check whether anything exists at the path, including a file or a broken link."""
        return os.path.lexists(self.folder)

    def has(self, name: str) -> bool:
        """Check whether a file, folder or link with this name exists.

        Parameters
        ----------
        name : str
            Name to look for.

        Returns
        -------
        bool
            True if it exists.
        """
        return os.path.lexists(self.folder / name)

    def names(self) -> list[str]:
        """List the files.

        Returns
        -------
        list of str
            Names of the files; empty if the folder does not exist.
        """
        return os.listdir(self.folder) if self.folder.is_dir() else []

    def read(self, name: str) -> bytes:
        """Read a file.

        Parameters
        ----------
        name : str
            Name of the file.

        Returns
        -------
        bytes
            Content of the file.
        """
        return (self.folder / name).read_bytes()

    def write(self, name: str, data: bytes) -> None:
        """Write a file atomically.

        Parameters
        ----------
        name : str
            Name of the file.
        data : bytes
            Content of the file.

        Raises
        ------
        SourceError
            If the folder is missing, full or read-only.
        """
        if not self.folder.is_dir():
            raise SourceError(f"the folder {self.folder} vanished while in use. {CURE}")
        with self.replacing(name) as temporary:
            temporary.write_bytes(data)

    @contextmanager
    def replacing(self, name: str) -> Iterator[Path]:
        """Yield a temporary path whose file is moved into the folder if the block succeeds.

        Parameters
        ----------
        name : str
            Name of the file.

        Yields
        ------
        Path
            Temporary path with the same suffix.

        Raises
        ------
        SourceError
            If the file cannot be written.
        """
        with explained(self.folder), atomic_path(self.folder / name) as temporary:
            yield temporary

    def check(self, name: str) -> None:
        """Check, before a long run, that a file can be written.

        Parameters
        ----------
        name : str
            Name of the file.

        Raises
        ------
        SourceError
            If the file cannot be written.
        """
        check_writable(self.folder / name)

    def create(self, name: str, data: bytes) -> bool:
        """Write a file unless a file with this name exists.

        Parameters
        ----------
        name : str
            Name of the file.
        data : bytes
            Content of the file.

        Returns
        -------
        bool
            Whether the file was written.

        Raises
        ------
        SourceError
            If the folder is read-only.
        """
        path = self.folder / name
        with explained(self.folder), suppress(FileExistsError), open(path, "xb") as stream:
            try:
                stream.write(data)
                stream.flush()
            except OSError:
                path.unlink(missing_ok=True)
                raise
            return True
        return False

    def remove(self, name: str) -> None:
        """Remove a file if it exists.

        Parameters
        ----------
        name : str
            Name of the file.
        """
        (self.folder / name).unlink(missing_ok=True)

    def clear(self) -> None:
        """Remove the folder and its contents, with the files in order of name."""
        for name in sorted(self.names()):
            with suppress(OSError):
                (self.folder / name).unlink()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Convert an OSError into a SourceError with advice for the user.

    Parameters
    ----------
    folder : Path
        Folder that the block writes to.

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
        reason = error.strerror or error
        raise SourceError(f"cannot write into {folder}: {reason}. {CURE}") from error


class RemoteStorage:
    """Folder at an fsspec address.

    Parameters
    ----------
    address : str
        Address of the folder, such as ``s3://bucket/run``.

    Notes
    -----
    In object stores, a file becomes visible only once it is complete. In other storage, a truncated
    shard is detected by its missing footer and recomputed.
    """

    def __init__(self, address: str):
        self.address = address.rstrip("/")

    def __str__(self) -> str:
        return self.address

    def make(self) -> None:
        """Create the folder if the store supports folders.

        Raises
        ------
        SourceError
            If the store refuses the request.
        """
        with self._open("") as (fs, path):
            fs.makedirs(path, exist_ok=True)

    def exists(self) -> bool:
        """Check whether the folder contains files, since few stores have empty folders."""
        return bool(self.names())

    def has(self, name: str) -> bool:
        """Check whether a file with this name exists.

        Parameters
        ----------
        name : str
            Name of the file.

        Returns
        -------
        bool
            True if it exists.
        """
        return name in self.names()

    def names(self) -> list[str]:
        """List the files.

        Returns
        -------
        list of str
            Names of the files.
        """
        with self._open("") as (fs, path):
            fs.invalidate_cache()
            with suppress(FileNotFoundError):
                return [found.rsplit("/", 1)[-1] for found in fs.ls(path, detail=False)]
        return []

    def read(self, name: str) -> bytes:
        """Read a file.

        Parameters
        ----------
        name : str
            Name of the file.

        Returns
        -------
        bytes
            Content of the file.
        """
        with self._open(name) as (fs, path):
            return fs.cat_file(path)

    def write(self, name: str, data: bytes) -> None:
        """Write a file.

        Parameters
        ----------
        name : str
            Name of the file.
        data : bytes
            Content of the file.

        Raises
        ------
        SourceError
            If the store refuses the request.
        """
        with self._open(name) as (fs, path):
            fs.pipe_file(path, data)

    def create(self, name: str, data: bytes) -> bool:
        """Write a file unless a file with this name exists.

        The check is not atomic: two simultaneous calls can both succeed.

        Parameters
        ----------
        name : str
            Name of the file.
        data : bytes
            Content of the file.

        Returns
        -------
        bool
            Whether the file was written.

        Raises
        ------
        SourceError
            If the store refuses the request.
        """
        if name in self.names():
            return False
        self.write(name, data)
        return True

    @contextmanager
    def replacing(self, name: str) -> Iterator[Path]:
        """Yield a temporary local path whose file is uploaded if the block succeeds.

        Parameters
        ----------
        name : str
            Name of the file.

        Yields
        ------
        Path
            Temporary path with the same suffix.

        Raises
        ------
        SourceError
            If the file cannot be written.
        """
        with tempfile.TemporaryDirectory() as folder:
            temporary = Path(folder) / name
            with explained(Path(folder)):
                yield temporary
            with self._open(name) as (fs, path):
                fs.put_file(str(temporary), path)

    def check(self, name: str) -> None:
        """Check, before a long run, that a file can be written.

        Parameters
        ----------
        name : str
            Name of the file.

        Raises
        ------
        SourceError
            If the store refuses the request.
        """
        self.make()
        trial = f".{name}.{secrets.token_hex(4)}.try"
        self.write(trial, b"")
        self.remove(trial)

    def remove(self, name: str) -> None:
        """Remove a file if it exists.

        Parameters
        ----------
        name : str
            Name of the file.
        """
        with self._open(name) as (fs, path), suppress(FileNotFoundError):
            fs.rm_file(path)

    def clear(self) -> None:
        """Remove the folder and its contents."""
        with self._open("") as (fs, path), suppress(FileNotFoundError):
            fs.rm(path, recursive=True)

    @contextmanager
    def _open(self, name: str) -> Iterator[tuple]:
        address = f"{self.address}/{name}" if name else self.address
        try:
            from fsspec.core import url_to_fs

            yield url_to_fs(address)
        except HybridLesionError:
            raise
        except ImportError as error:
            raise MissingDependencyError(f"{address} needs an fsspec driver: {error}") from error
        # Every driver raises the errors of its client library, which share no base class.
        except Exception as error:
            raise SourceError(f"cannot use {address}: {error!r}. {CURE}") from error


Storage = LocalStorage | RemoteStorage


def open_storage(folder: str | os.PathLike) -> Storage:
    """Open a folder given by its path or address.

    Parameters
    ----------
    folder : str or path-like
        Path or fsspec address.

    Returns
    -------
    LocalStorage or RemoteStorage
        Storage for the folder, which is not created yet.
    """
    folder = os.fspath(folder)
    if folder.startswith(("file://", "local://")):
        folder = folder.split("://", 1)[1]
    return RemoteStorage(folder) if is_address(folder) else LocalStorage(Path(folder))
