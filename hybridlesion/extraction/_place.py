"""Where a run keeps what it writes: a folder of this machine or of the network, or an address."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hybridlesion._files import atomic_path, check_writable
from hybridlesion.extraction._folder_place import FolderPlace, explained
from hybridlesion.extraction._remote_place import RemotePlace
from hybridlesion.images._locators import is_address

__all__ = ["Place", "check_place", "open_place", "written_whole"]

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
