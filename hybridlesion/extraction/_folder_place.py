"""A folder of this machine, or a shared one, as the place of a run's files."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hybridlesion._files import atomic_path
from hybridlesion.exceptions import HybridLesionError, SourceError

__all__ = ["CURE", "FolderPlace", "explained"]

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
