"""All files below a local folder, through links."""

from __future__ import annotations

import os
from collections import deque

from hybridlesion.exceptions import SourceError
from hybridlesion.images._passed_over import PassedOver

__all__ = ["walk_folder"]


def walk_folder(folder: str, passed_over: PassedOver) -> list[str]:
    """List the files below a folder, each folder and each file once.

    Parameters
    ----------
    folder : str
        Absolute path.
    passed_over : PassedOver
        Receives broken links, and links to what was listed before.

    Returns
    -------
    list of str
        Paths, through linked folders too. Hidden folders are left out. A file that several paths
        lead to has the one without links, if there is one.

    Raises
    ------
    SourceError
        If a folder cannot be listed.
    """
    files: list[str] = []
    linked_files: list[str] = []
    waiting = deque([folder])
    links: deque[str] = deque()
    seen: set[str] = set()
    while waiting or links:
        # Links wait until all that lies here by itself is listed.
        current = waiting.popleft() if waiting else links.popleft()
        real = os.path.realpath(current)
        if os.path.islink(current) and current != folder:
            inside = os.path.realpath(os.path.dirname(current)) + os.sep
            if real in seen or inside.startswith(real.rstrip(os.sep) + os.sep):
                kind = "to a folder above it or already listed"
                passed_over.add(f"link {kind}", f"links {kind}", current)
                continue
        if real in seen:
            continue
        seen.add(real)
        for entry in _entries(current):
            if not entry.is_symlink():
                if entry.is_file():
                    files.append(entry.path)
                elif entry.is_dir() and not entry.name.startswith("."):
                    waiting.append(entry.path)
            elif not os.path.exists(entry.path):
                passed_over.add("broken link", "broken links", entry.path)
            elif entry.is_file():
                linked_files.append(entry.path)
            elif entry.is_dir() and not entry.name.startswith("."):
                links.append(entry.path)
    return files + _new_files(linked_files, files, passed_over)


def _entries(folder: str) -> list[os.DirEntry]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise SourceError(f"cannot list {folder}: {error.strerror}.") from error


def _new_files(links: list[str], files: list[str], passed_over: PassedOver) -> list[str]:
    if not links:
        return []
    seen = set(map(os.path.realpath, files))
    new = []
    for link in links:
        real = os.path.realpath(link)
        if real in seen:
            kind = "to a file already listed"
            passed_over.add(f"link {kind}", f"links {kind}", link)
        else:
            seen.add(real)
            new.append(link)
    return new
