"""Cache of measurements by image content, for folders that are scored repeatedly."""

from __future__ import annotations

import glob
import hashlib
import json
import os
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from hybridlesion._atomic import atomic_path
from hybridlesion.batch import FeatureResult, Output, RunOptions, describe_featurizer, measure
from hybridlesion.exceptions import ImageError, SourceError, TableError
from hybridlesion.featurizer import FEATURE_VERSION, FINETUNED_EMBEDDERS, LesionFeaturizer
from hybridlesion.io import read_bytes, split_locator
from hybridlesion.metadata import normalise_image_id

# Incremented when the format of an entry changes.
_CACHE_PROTOCOL = 1

# First bytes of every entry.
MARK = b"hybridlesion-features\n"
_HEAD = struct.Struct(f"<{len(MARK)}sI32s")

# Number of files read concurrently, to hide the latency of shared folders and object stores, and
# number of paths per batch.
_READERS = 8
_READ_AHEAD = 1024

# Only the digest of the weights matters, not their location.
_PLACES = {"weights": "weights_digest", "segmenter": "segmenter_digest"}

_DIGIT = "[0-9a-f]"


def hash_images(paths: Iterable[object]) -> list[str | None]:
    """Hash image files without decoding them.

    Parameters
    ----------
    paths : iterable of str
        Paths or locators, as returned by `hybridlesion.io.list_images`.

    Returns
    -------
    list of str or None
        SHA-256 digest of each file as 64 hexadecimal digits, or None if the file cannot be read.
    """
    paths, digests = list(paths), []
    with ThreadPoolExecutor(_READERS) as readers:
        for start in range(0, len(paths), _READ_AHEAD):
            some = paths[start : start + _READ_AHEAD]
            # Threads would contend for the open archive file.
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
    """Folder of measurements, with one small file per image.

    The key of an entry is a SHA-256 digest of the image file, the featurizer's configuration and
    the feature version. Age, sex and site are not cached. With a fine-tuned network, the key also
    covers the image, patient and lesion ids, which identify its training images.

    Parameters
    ----------
    folder : Path
        Folder of the cache, created by the first write.
    featurizer : LesionFeaturizer
        Fitted featurizer.

    Attributes
    ----------
    names : list of str
        Columns of an entry.

    Notes
    -----
    Entries are written atomically and never changed, so any number of processes can share a
    folder. A damaged entry does not match its digest, and the image is measured again. Reading an
    entry updates the modification time of its file, which `trim_cache` uses to order entries.
    """

    def __init__(self, folder: Path, featurizer: LesionFeaturizer):
        self.folder = folder
        self.names = featurizer.measured_names()
        self._digest = _configuration_digest(describe_featurizer(featurizer), self.names)
        self._by_record = featurizer.embedder in FINETUNED_EMBEDDERS

    def keys(self, records: pd.DataFrame, digests: Sequence[str | None]) -> list[str | None]:
        """Compute the key of each record.

        Parameters
        ----------
        records : DataFrame of shape (n, columns)
            Records.
        digests : sequence of str or None
            Digests of the images, from `hash_images`.

        Returns
        -------
        list of str or None
            Keys, with None for images that cannot be read.
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
            Key of the entry, from `keys`.

        Returns
        -------
        ndarray of shape (names,), float32, or None
            Measurements, or None if the entry is missing or damaged.
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
        # The folder may be read-only.
        with suppress(OSError):
            os.utime(self._file(key))
        return np.frombuffer(values, dtype="<f4")

    def write(self, key: str, values: np.ndarray) -> None:
        """Store the measurements of an image.

        Parameters
        ----------
        key : str
            Key of the entry, from `keys`.
        values : ndarray of shape (names,), float32
            Measurements of the image.
        """
        data = np.ascontiguousarray(values, dtype="<f4").tobytes()
        head = _HEAD.pack(MARK, len(self.names), hashlib.sha256(data).digest())
        with atomic_path(self._file(key)) as temporary:
            temporary.write_bytes(head + data)

    def _file(self, key: str) -> Path:
        return self.folder / key[:2] / key


def _configuration_digest(configuration: Mapping[str, object], names: Sequence[str]) -> str:
    left_out = {place for place, digest in _PLACES.items() if digest in configuration}
    left_out.add("measurements")
    fixed = {name: value for name, value in configuration.items() if name not in left_out}
    facts = [_CACHE_PROTOCOL, FEATURE_VERSION, fixed, list(names)]
    text = json.dumps(facts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def trim_cache(folder: Path, limit: float) -> int:
    """Remove the least recently used entries until the cache is within its size limit.

    Parameters
    ----------
    folder : Path
        Folder of the cache.
    limit : float
        Maximum total size of the entries on disk, in gigabytes (10^9 bytes).

    Returns
    -------
    int
        Number of entries removed.

    Notes
    -----
    Other files in the folder are left alone. If another process still needs a removed entry, it
    measures the image again.
    """
    entries = sorted(_entries(folder))
    if sum(size for _, size, _ in entries) <= limit * 1e9:
        return 0
    # Other programs may also name files by digest, so check the contents before removing any.
    entries = [entry for entry in entries if _is_ours(entry[2])]
    excess = sum(size for _, size, _ in entries) - limit * 1e9
    n_removed = 0
    for _, size, path in entries:
        if excess <= 0:
            break
        Path(path).unlink(missing_ok=True)
        excess -= size
        n_removed += 1
    return n_removed


def _entries(folder: Path) -> Iterator[tuple[float, int, str]]:
    """Yield last use, size and path of each entry, a file named by 64 digits in a subfolder."""
    for part in glob.iglob(f"{glob.escape(str(folder))}/{2 * _DIGIT}"):
        if os.path.islink(part):
            continue
        for path in glob.iglob(f"{glob.escape(part)}/{part[-2:]}{62 * _DIGIT}"):
            with suppress(FileNotFoundError):
                state = os.lstat(path)
                # Even a small file occupies a whole disk block.
                size = max(state.st_size, 512 * getattr(state, "st_blocks", 0))
                yield state.st_mtime, size, path


def _is_ours(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(len(MARK)) == MARK
    except OSError:
        return False


def measure_cached(
    records: pd.DataFrame,
    featurizer: LesionFeaturizer,
    output: Output,
    options: RunOptions,
    digests: Sequence[str | None] | None = None,
) -> FeatureResult:
    """Measure the records whose measurements are not in the cache.

    Parameters
    ----------
    records : DataFrame of shape (n, columns)
        Records with ``image_id`` and ``path``.
    featurizer : LesionFeaturizer
        Featurizer that takes the measurements.
    output : Output
        Output whose scratch folder stores finished shards until the run is complete.
    options : RunOptions
        Run options. Without `cache`, every record is measured.
    digests : sequence of str or None, default=None
        Digests of the images, from `hash_images`. If None, they are computed.

    Returns
    -------
    FeatureResult
        Measurements, including those from the cache, and failures.

    Raises
    ------
    TableError
        If a cache is used and two records have the same id.
    """
    if options.cache is None:
        return measure(records, featurizer, output.shards, options)
    repeated = records["image_id"][records["image_id"].duplicated()]
    if len(repeated):
        raise TableError(f"two records have the image id {repeated.iloc[0]!r}; ids must differ.")
    digests = hash_images(records["path"]) if digests is None else digests
    chosen = {} if options.device is None else {"device": options.device}
    fitted = featurizer.fit_copy(records, n_jobs=1, **chosen)
    cache = FeatureCache(Path(options.cache), fitted)
    keys = cache.keys(records, digests)
    found = [cache.read(key) for key in keys]
    missing = [row for row, values in enumerate(found) if values is None]
    n_found = len(records) - len(missing)
    failures, n_reused = [], n_found
    if missing:
        progress = options.progress and partial(_report, options, n_found)
        rest = records.iloc[missing]
        new = measure(rest, featurizer, output.shards, replace(options, progress=progress))
        failures, n_reused = new.failures, n_reused + new.n_reused
        measured = new.table.reindex(columns=cache.names).to_numpy(dtype=np.float32)
        by_id = dict(zip(new.table["image_id"], measured, strict=True))
        digests_now = hash_images(rest["path"])
        for row, name, digest in zip(missing, rest["image_id"], digests_now, strict=True):
            found[row] = by_id.get(name)
            # Do not cache files that changed while they were being measured.
            if found[row] is not None and digest is not None and digest == digests[row]:
                cache.write(keys[row], found[row])
    if options.cache_limit is not None:
        trim_cache(cache.folder, options.cache_limit)
    known = records[[values is not None for values in found]]
    values = np.array([values for values in found if values is not None])
    table = fitted.join_records(known, values.reshape(len(known), len(cache.names)))
    return FeatureResult(table.reset_index(drop=True), failures, n_reused)


def _report(options: RunOptions, n_found: int, done: int, failed: int, total: int) -> None:
    options.progress(n_found + done, failed, n_found + total)
