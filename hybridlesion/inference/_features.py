"""Images to measurements, with or without a cache of former ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import clone

from hybridlesion.batch import ProcessRunner, Runner
from hybridlesion.batch._extract import compute_features
from hybridlesion.batch._output import Target, check_mask_folder
from hybridlesion.exceptions import OptionError, TableError
from hybridlesion.featurizer import Failure, LesionFeaturizer, encode_metadata
from hybridlesion.inference._cache import FeatureCache, hash_images, trim_cache

__all__ = ["Measured", "Measuring"]

Progress = Callable[[int, int, int], None]


@dataclass(frozen=True)
class Measured:
    """What came of measuring.

    Parameters
    ----------
    table : DataFrame of shape (n, features)
        One row for each image that went through, in the order of the records.
    failures : list of Failure
        The others.
    n_reused : int
        Images that did not have to be measured again.
    """

    table: pd.DataFrame
    failures: list[Failure]
    n_reused: int


@dataclass(frozen=True)
class Measuring:
    """How images are measured.

    Parameters
    ----------
    featurizer : LesionFeaturizer
        What to measure.
    out : Path
        The output; the folder ``OUT.shards`` beside it holds what is measured until all is, and an
        interrupted run goes on from there.
    cache : Path, default=None
        Folder of former measurements; None keeps none.
    cache_limit : float, default=None
        Gigabytes that it may take; None sets no limit.
    n_jobs : int, default=1
        Processes.
    runner : Runner, default=None
        Who measures; None starts `n_jobs` processes.
    restart : bool, default=False
        Whether to throw away what an interrupted run left.
    masks : str or Path, default=None
        Folder that receives every mask.
    progress : callable, default=None
        Called as ``progress(done, failed, total)``.
    """

    featurizer: LesionFeaturizer
    out: Path
    cache: Path | None = None
    cache_limit: float | None = None
    n_jobs: int = 1
    runner: Runner | None = None
    restart: bool = False
    masks: str | Path | None = None
    progress: Progress | None = None

    def measure(
        self, records: pd.DataFrame, digests: Sequence[str | None] | None = None
    ) -> Measured:
        """Measure records; those in the cache are neither decoded nor measured.

        Parameters
        ----------
        records : DataFrame of shape (n, columns)
            Records with ``image_id`` and ``path``.
        digests : sequence of str or None, default=None
            What `hash_images` gave for them; None reads the images.

        Returns
        -------
        Measured
            Measurements and failures.

        Raises
        ------
        TableError
            If a cache is used and two records have one id.
        OptionError
            If a cache is used and masks are wanted.
        """
        if self.cache is None:
            return self._extract(records, self.progress)
        _check_for_cache(records, self.masks)
        digests = hash_images(records["path"]) if digests is None else digests
        featurizer = clone(self.featurizer).set_params(n_jobs=1).fit(records)
        cache = FeatureCache(self.cache, featurizer)
        keys = cache.keys(records, digests)
        found = {row: cache.read(key) for row, key in enumerate(keys)}
        missing = [row for row, values in found.items() if values is None]
        n_found = len(records) - len(missing)
        failures, n_reused = [], n_found
        if missing:
            fresh = self._extract(records.iloc[missing], self._progress_after(n_found))
            failures, n_reused = fresh.failures, n_reused + fresh.n_reused
            measured = fresh.table.reindex(columns=cache.names).to_numpy(dtype=np.float32)
            by_id = dict(zip(fresh.table["image_id"], measured, strict=True))
            ids = records["image_id"].to_numpy()
            found |= {row: by_id.get(ids[row]) for row in missing}
            _keep(cache, records["path"].to_numpy(), digests, keys, found, missing)
        if self.cache_limit is not None:
            trim_cache(self.cache, self.cache_limit)
        rows = [row for row, values in found.items() if values is not None]
        values = np.array([found[row] for row in rows]).reshape(len(rows), len(cache.names))
        table = _assemble(featurizer, records.iloc[rows], cache.names, values)
        return Measured(table, failures, n_reused)

    def _extract(self, records: pd.DataFrame, progress: Progress | None) -> Measured:
        folder = Target(self.out).shards
        found = compute_features(
            records,
            folder,
            clone(self.featurizer).set_params(n_jobs=1).fit(records),
            ProcessRunner(self.n_jobs) if self.runner is None else self.runner,
            restart=self.restart,
            masks=None if self.masks is None else check_mask_folder(self.masks, records["path"]),
            progress=progress,
        )
        table = folder.read(found.n_shards, found.schema)
        folder.clear()
        return Measured(table, found.failures, found.n_reused)

    def _progress_after(self, n_found: int) -> Progress | None:
        if self.progress is None:
            return None
        progress = self.progress
        return lambda done, failed, total: progress(n_found + done, failed, n_found + total)


def _check_for_cache(records: pd.DataFrame, masks: object) -> None:
    if masks is not None:
        raise OptionError("masks need every image measured anew; leave the cache or the masks out.")
    repeated = records["image_id"][records["image_id"].duplicated()]
    if len(repeated):
        raise TableError(f"two records have the image id {repeated.iloc[0]!r}; ids must differ.")


def _keep(
    cache: FeatureCache,
    paths: np.ndarray,
    digests: Sequence[str | None],
    keys: Sequence[str | None],
    found: dict[int, np.ndarray | None],
    missing: Sequence[int],
) -> None:
    """Write what was measured, but for files that changed while they were."""
    rows = [row for row in missing if found[row] is not None and keys[row] is not None]
    for row, digest in zip(rows, hash_images(paths[rows]), strict=True):
        if digest == digests[row]:
            cache.write(keys[row], found[row])


def _assemble(
    featurizer: LesionFeaturizer, records: pd.DataFrame, names: list[str], values: np.ndarray
) -> pd.DataFrame:
    """Put measurements beside what the records know today."""
    parts = [
        records.reindex(columns=featurizer.carried_),
        encode_metadata(records, featurizer.measurements_),
        pd.DataFrame(values, columns=names, index=records.index),
    ]
    return pd.concat(parts, axis=1).reset_index(drop=True)
