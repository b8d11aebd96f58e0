"""How large a cache may grow: what was not used for longest goes first."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from hybridlesion._validation import check_number
from hybridlesion.exceptions import OptionError
from hybridlesion.scoring._cache import MARK

__all__ = ["check_cache_limit", "trim_cache"]

_DIGITS = frozenset("0123456789abcdef")


class _Entry(NamedTuple):
    used: float
    size: int
    path: str


def check_cache_limit(limit: float | None, cache: object) -> None:
    """Make sure that a limit is one, and that there is a cache for it.

    Parameters
    ----------
    limit : float or None
        Gigabytes.
    cache : object
        Folder of the cache; None if there is none.

    Raises
    ------
    OptionError
        If the limit is below a megabyte (0.001), or there is no cache.
    """
    if limit is None:
        return
    check_number("cache_limit", limit, low=0.001)
    if cache is None:
        raise OptionError("cache_limit needs a cache: give its folder, too.")


def trim_cache(folder: Path, limit: float) -> int:
    """Remove entries until a cache is no larger than its limit.

    Parameters
    ----------
    folder : Path
        Folder of the cache.
    limit : float
        Gigabytes (10^9 bytes) of disk that all entries may take together.

    Returns
    -------
    int
        How many were removed: those that were neither written nor read for longest.

    Notes
    -----
    Nothing but entries is touched, whatever else lies in the folder. Another process that misses an
    entry measures its image again.
    """
    entries = sorted(_entries(folder))
    if sum(entry.size for entry in entries) <= limit * 1e9:
        return 0
    # Other stores name their files by digests, too: only now is it worth the time to open each.
    entries = [entry for entry in entries if _is_ours(entry.path)]
    excess = sum(entry.size for entry in entries) - limit * 1e9
    n_removed = 0
    for entry in entries:
        if excess <= 0:
            break
        Path(entry.path).unlink(missing_ok=True)
        excess -= entry.size
        n_removed += 1
    return n_removed


def _entries(folder: Path) -> Iterator[_Entry]:
    """Find entries by their names: 64 hexadecimal digits, in a folder of the first two."""
    for part in _scan(folder):
        for found in _scan(part.path) if part.is_dir(follow_symlinks=False) else ():
            if len(found.name) == 64 and set(found.name) <= _DIGITS and found.name[:2] == part.name:
                try:
                    state = found.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                # A small file takes a whole block of the disk.
                size = max(state.st_size, 512 * getattr(state, "st_blocks", 0))
                yield _Entry(state.st_mtime, size, found.path)


def _is_ours(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(len(MARK)) == MARK
    except OSError:
        return False


def _scan(folder: str | Path) -> list[os.DirEntry]:
    try:
        with os.scandir(folder) as found:
            return list(found)
    except FileNotFoundError:
        return []
