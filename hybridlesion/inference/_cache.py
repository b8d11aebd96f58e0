"""Measurements of images, kept by what the image is: for folders that are scored every night."""

from __future__ import annotations

import hashlib
import json
import os
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from hybridlesion._atomic import atomic_path
from hybridlesion._validation import check_number
from hybridlesion.batch._extract import describe_featurizer
from hybridlesion.exceptions import ImageError, OptionError, SourceError
from hybridlesion.featurizer import FEATURE_VERSION, FINETUNED, LesionFeaturizer
from hybridlesion.io import read_bytes, split_locator
from hybridlesion.metadata import normalise_image_id

__all__ = ["MARK", "FeatureCache", "check_cache_limit", "hash_images", "trim_cache"]

# Raised when an entry would be read otherwise than it was written.
_CACHE_PROTOCOL = 1

# What every entry begins with.
MARK = b"hybridlesion-features\n"
_HEAD = struct.Struct(f"<{len(MARK)}sI32s")

# Files that are read at once: a shared folder or a store keeps each reader waiting. The next ones
# are taken a few at a time, however many there are.
_READERS = 8
_READ_AHEAD = 1024

# Where the same weights lie does not change what they measure; their digest stands beside.
_PLACES = {"weights": "weights_digest", "segmenter": "segmenter_digest"}


def hash_images(paths: Iterable[object]) -> list[str | None]:
    """Digest the files of images, without decoding them.

    Parameters
    ----------
    paths : iterable of str
        Paths or locators, as `hybridlesion.io.list_images` gives them.

    Returns
    -------
    list of str or None
        SHA-256 of each file, 64 hexadecimal digits; None where it cannot be read.
    """
    paths, digests = list(paths), []
    with ThreadPoolExecutor(_READERS) as readers:
        for start in range(0, len(paths), _READ_AHEAD):
            some = paths[start : start + _READ_AHEAD]
            # An archive is one open file, which threads would only fight over.
            hashed = map if any(map(_in_archive, some)) else readers.map
            digests += hashed(_hash_image, some)
    return digests


def _in_archive(path: object) -> bool:
    return isinstance(path, str) and split_locator(path).scheme in ("zip", "hdf5")


def _hash_image(path: object) -> str | None:
    try:
        return hashlib.sha256(read_bytes(path)).hexdigest() if isinstance(path, str) else None
    except (ImageError, SourceError, OSError):
        return None


class FeatureCache:
    """A folder of measurements, one small file an image.

    An entry is found by the SHA-256 over the image's own digest, everything in the featurizer that
    changes what it measures, and the number of the measuring code. Age, sex and site are no part of
    it: they are read anew each time. Of a fine-tuned network the ids of image, patient and lesion
    are, since by them it knows what it learned from.

    Parameters
    ----------
    folder : Path
        Folder of the cache; made when it is first written to.
    featurizer : LesionFeaturizer
        Fitted featurizer.

    Attributes
    ----------
    names : list of str
        Columns that are kept.

    Notes
    -----
    Entries appear whole under their final name and are never changed, so any number of processes
    may share a folder. One that is damaged does not fit its digest, and is measured and written
    again. A read is noted in the time of the file, by which `trim_cache` knows what to remove.
    """

    def __init__(self, folder: Path, featurizer: LesionFeaturizer):
        self.folder = folder
        self.names = featurizer.measured_names()
        self._digest = _configuration_digest(describe_featurizer(featurizer), self.names)
        self._by_record = featurizer.embedder == FINETUNED

    def keys(self, records: pd.DataFrame, digests: Sequence[str | None]) -> list[str | None]:
        """Name the entry of each record.

        Parameters
        ----------
        records : DataFrame of shape (n, columns)
            Records.
        digests : sequence of str or None
            What `hash_images` gave for them.

        Returns
        -------
        list of str or None
            Key of each; None where there is no image to read.
        """
        ids = [""] * len(records)
        if self._by_record:
            columns = [name for name in ("patient_id", "lesion_id") if name in records]
            known = records[columns].astype(object).where(records[columns].notna(), None)
            names = map(normalise_image_id, records["image_id"].astype(str))
            rows = known.to_dict("records") if columns else [{}] * len(records)
            ids = [
                json.dumps([name, row], sort_keys=True, default=str)
                for name, row in zip(names, rows, strict=True)
            ]
        return [
            digest and hashlib.sha256(f"{self._digest}/{digest}/{own}".encode()).hexdigest()
            for digest, own in zip(digests, ids, strict=True)
        ]

    def read(self, key: str | None) -> np.ndarray | None:
        """Look up an entry.

        Parameters
        ----------
        key : str or None
            From `keys`.

        Returns
        -------
        ndarray of shape (names,), float32, or None
            The measurements; None if there are none, or they are damaged.
        """
        if key is None:
            return None
        try:
            data = self._file(key).read_bytes()
            mark, n_values, digest = _HEAD.unpack_from(data)
        except (OSError, struct.error):
            return None
        values = data[_HEAD.size :]
        whole = (mark, n_values, len(values)) == (MARK, len(self.names), 4 * len(self.names))
        if not whole or hashlib.sha256(values).digest() != digest:
            return None
        # A folder that may only be read serves as well.
        with suppress(OSError):
            os.utime(self._file(key))
        return np.frombuffer(values, dtype="<f4")

    def write(self, key: str, values: np.ndarray) -> None:
        """Keep the measurements of an image.

        Parameters
        ----------
        key : str
            From `keys`.
        values : ndarray of shape (names,), float32
            What was measured.
        """
        data = np.ascontiguousarray(values, dtype="<f4").tobytes()
        head = _HEAD.pack(MARK, len(self.names), hashlib.sha256(data).digest())
        with atomic_path(self._file(key)) as temporary:
            temporary.write_bytes(head + data)

    def _file(self, key: str) -> Path:
        return self.folder / key[:2] / key


def _configuration_digest(configuration: Mapping[str, object], names: Sequence[str]) -> str:
    fixed = {name: value for name, value in configuration.items() if name != "measurements"}
    for place, digest in _PLACES.items():
        if digest in fixed:
            del fixed[place]
    text = json.dumps(
        [_CACHE_PROTOCOL, FEATURE_VERSION, fixed, list(names)], sort_keys=True, default=str
    )
    return hashlib.sha256(text.encode()).hexdigest()


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
