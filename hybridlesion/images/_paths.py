"""Names in a table to paths, none of which may leave the folder that the table speaks for."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from urllib.parse import unquote

from hybridlesion.exceptions import ImageError
from hybridlesion.images._locators import is_address, join_locator, split_locator

__all__ = ["FolderGuard", "resolve_path"]


def resolve_path(folder: str | os.PathLike, name: str) -> str:
    r"""Resolve the name of a file against the folder that must hold it.

    Parameters
    ----------
    folder : str or path-like
        Folder of the images, or an fsspec address of one.
    name : str
        Path relative to `folder`, an absolute path inside it, or the locator of a member of an
        archive inside it. Backslashes count as slashes, since tables come from Windows too.

    Returns
    -------
    str
        Absolute path or locator. Whether the file exists is not looked at.

    Raises
    ------
    ImageError
        If the name is empty, holds ``..``, or leads out of `folder`, by a symbolic link too.

    Examples
    --------
    >>> resolve_path("/data/isic", "train/ISIC_1.jpg")
    '/data/isic/train/ISIC_1.jpg'
    >>> resolve_path("/data/isic", "../private.jpg")
    Traceback (most recent call last):
    ...
    hybridlesion.exceptions.ImageError: '../private.jpg' leads out of the folder /data/isic.
    """
    return FolderGuard(folder).resolve(name)


class FolderGuard:
    """`resolve_path` for many names of one folder.

    Parameters
    ----------
    folder : str or path-like
        Folder of the images, or an fsspec address of one.
    roots : sequence of str or path-like, default=()
        Further folders in which a name may end, also by ``..`` or a symbolic link.
    """

    def __init__(self, folder: str | os.PathLike, roots: Sequence[str | os.PathLike] = ()):
        self.folder = _absolute(folder)
        self.allowed = [self.folder, *map(_absolute, roots)]
        # Symbolic links of whole folders are followed once, not once for each of their files.
        self._real_folders: dict[str, str] = {}

    def resolve(self, name: str) -> str:
        """Resolve one name; see `resolve_path`.

        Parameters
        ----------
        name : str
            Relative or absolute path, or a locator.

        Returns
        -------
        str
            Absolute path or locator.
        """
        if not isinstance(name, str) or not name.strip() or "\0" in name:
            raise ImageError(f"{name!r} is no file name.")
        if is_address(self.folder) or split_locator(name).scheme == "fsspec":
            return self._resolve_address(name)
        locator = split_locator(name)
        inside = self._resolve_local(locator.container or locator.inner, name)
        if locator.container:
            return join_locator(locator.scheme, locator.inner, inside)
        return inside

    def _resolve_address(self, name: str) -> str:
        if _climbs(unquote(name)) or "::" in name:
            raise self._outside(name)
        if is_address(name):
            if any(name.startswith(f"{folder}/") for folder in self.allowed if is_address(folder)):
                return name
        elif not name.startswith("/"):
            return f"{self.folder}/{name}"
        raise self._outside(name)

    def _resolve_local(self, path: str, name: str) -> str:
        path = path.replace("\\", "/")
        if _climbs(path) and len(self.allowed) == 1:
            raise self._outside(name)
        path = os.path.normpath(os.path.join(self.folder, path))
        real = self._real_path(path)
        for folder in self.allowed:
            if real.startswith(self._real_folder(folder).rstrip(os.sep) + os.sep):
                return path
        raise self._outside(name)

    def _real_path(self, path: str) -> str:
        parent, base = os.path.split(path)
        real = os.path.join(self._real_folder(parent), base)
        return os.path.realpath(real) if os.path.islink(real) else real

    def _real_folder(self, folder: str) -> str:
        if folder not in self._real_folders:
            self._real_folders[folder] = os.path.realpath(folder)
        return self._real_folders[folder]

    def _outside(self, name: str) -> ImageError:
        return ImageError(f"{name!r} leads out of the folder {self.folder}.")


def _absolute(folder: str | os.PathLike) -> str:
    folder = os.fspath(folder)
    return folder.rstrip("/") if is_address(folder) else os.path.abspath(folder)


def _climbs(path: str) -> bool:
    return ".." in re.split(r"[\\/]", path)
