"""Records to a Parquet feature table on disk."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.base import clone

from hybridlesion._files import check_writable
from hybridlesion._validation import check_number
from hybridlesion.exceptions import HybridLesionError, SourceError, TableError
from hybridlesion.extraction._outcome import ExtractionResult, write_errors
from hybridlesion.extraction._processes import count_jobs, map_unordered
from hybridlesion.extraction._shards import (
    SCHEMA_KEY,
    Shard,
    ShardFolder,
    arrow_schema,
    plan_shards,
)
from hybridlesion.segmentation import segmenter_digest
from hybridlesion.table import Failure, LesionFeaturizer

__all__ = ["extract_features", "read_features"]

# Parameters of the featurizer that change how fast it works, never what it measures.
_WITHOUT_EFFECT = ("n_jobs", "on_error", "device")


def extract_features(
    records: pd.DataFrame,
    out: str | os.PathLike,
    *,
    featurizer: LesionFeaturizer | None = None,
    n_jobs: int = 1,
    restart: bool = False,
    masks: str | os.PathLike | None = None,
    shard_size: int = 32,
    progress: Callable[[int, int, int], None] | None = None,
) -> ExtractionResult:
    """Measure every record and write one feature table.

    The records are worked off in shards that wait beside `out`; an interrupted run goes on with
    what is missing. The rows are the same, in the order of the records, whatever `n_jobs` is.

    Parameters
    ----------
    records : DataFrame of shape (n, columns)
        Records.
    out : str or path-like
        Parquet file to write. Failures go to ``OUT.errors.csv``.
    featurizer : LesionFeaturizer, default=None
        What to measure; None takes the defaults.
    n_jobs : int, default=1
        Processes; -1 takes every core.
    restart : bool, default=False
        Whether to throw away what an interrupted run left.
    masks : str or path-like, default=None
        Folder that receives every mask.
    shard_size : int, default=32
        Records per shard.
    progress : callable, default=None
        Called as ``progress(done, failed, total)`` after every shard.

    Returns
    -------
    ExtractionResult
        What was written, and how much failed.

    Raises
    ------
    SourceError
        If `out` cannot be written.
    TableError
        If there are no records.
    HybridLesionError
        If not one image could be used.
    """
    started = time.monotonic()
    out = check_writable(out)
    n_jobs = count_jobs(n_jobs)
    check_number("shard_size", shard_size, low=1, integer=True)
    if len(records) == 0:
        raise TableError("there are no records to extract features from.")
    featurizer = LesionFeaturizer() if featurizer is None else clone(featurizer)
    featurizer = featurizer.set_params(n_jobs=1).fit(records)
    configuration = describe_featurizer(featurizer)
    folder = ShardFolder(out)
    if restart:
        folder.clear()
    work = _ShardWork(featurizer, folder, None if masks is None else Path(masks))
    shards = list(plan_shards(records, configuration | {"masks": str(masks)}, shard_size))
    failures, n_reused = _compute_shards(work, shards, n_jobs, progress)
    errors = write_errors(out, failures)
    if len(failures) == len(records):
        folder.clear()
        raise HybridLesionError(
            f"not one of the {len(records)} images could be used; the reasons are in {errors}. "
            f"The first: {failures[0].reason}"
        )
    schema = work.schema.with_metadata({SCHEMA_KEY: json.dumps({"featurizer": configuration})})
    n_rows = folder.merge(len(shards), schema, out)
    folder.clear()
    seconds = time.monotonic() - started
    return ExtractionResult(out, n_rows, len(failures), errors, seconds, n_reused)


def _compute_shards(
    work: _ShardWork,
    shards: list[Shard],
    n_jobs: int,
    progress: Callable[[int, int, int], None] | None,
) -> tuple[list[Failure], int]:
    """Compute what no earlier run left; return all failures in order, and how much was left."""
    failures = {shard.number: work.folder.failures(shard) for shard in shards}
    missing = [shard for shard in shards if failures[shard.number] is None]
    total = sum(len(shard.records) for shard in shards)
    n_reused = done = total - sum(len(shard.records) for shard in missing)
    failed = sum(len(found) for found in failures.values() if found)
    for number, n_records, found in map_unordered(work, missing, n_jobs=n_jobs):
        failures[number] = found
        done, failed = done + n_records, failed + len(found)
        if progress is not None:
            progress(done, failed, total)
    return [failure for number in sorted(failures) for failure in failures[number]], n_reused


def read_features(path: str | os.PathLike) -> tuple[pd.DataFrame, dict | None]:
    """Read a feature table and the configuration it was made with.

    Parameters
    ----------
    path : str or path-like
        Parquet file that `extract_features` wrote.

    Returns
    -------
    table : DataFrame of shape (n, features)
        The rows.
    configuration : dict or None
        Parameters of the featurizer; None if the file was made by other means.

    Raises
    ------
    SourceError
        If there is no such file.
    TableError
        If the file is no Parquet table.
    """
    try:
        table = pq.read_table(path)
    except FileNotFoundError as error:
        raise SourceError(f"there is no feature table {path}; check the name.") from error
    except (OSError, pa.ArrowInvalid) as error:
        raise TableError(f"{path} cannot be read as a Parquet table: {error}") from error
    metadata = table.schema.metadata or {}
    facts = json.loads(metadata[SCHEMA_KEY]) if SCHEMA_KEY in metadata else {}
    return table.to_pandas(), facts.get("featurizer")


def describe_featurizer(featurizer: LesionFeaturizer) -> dict:
    """List what determines the measurements of a fitted featurizer.

    Parameters
    ----------
    featurizer : LesionFeaturizer
        Fitted featurizer.

    Returns
    -------
    dict
        Its parameters, less those without effect on the values, its measurement columns and
        the digests of its networks' weights.
    """
    parameters = featurizer.get_params()
    configuration = {name: parameters[name] for name in parameters if name not in _WITHOUT_EFFECT}
    configuration["measurements"] = list(featurizer.measurements_)
    if featurizer.embedder_ is not None:
        configuration["weights_digest"] = featurizer.embedder_.weights_digest_
    digest = segmenter_digest(featurizer.segmenter)
    if digest is not None:
        configuration["segmenter_digest"] = digest
    return configuration


@dataclass(frozen=True)
class _ShardWork:
    """The picklable function that computes one shard and stores it."""

    featurizer: LesionFeaturizer
    folder: ShardFolder
    masks: Path | None

    @property
    def schema(self) -> pa.Schema:
        nothing = pd.DataFrame(columns=list(self.featurizer.feature_names_in_))
        return arrow_schema(self.featurizer.featurize(nothing)[0])

    def __call__(self, shard: Shard) -> tuple[int, int, list[Failure]]:
        table, failures = self.featurizer.featurize(shard.records, masks=self.masks)
        failed = {failure.image_id for failure in failures}
        usable = table[~table["image_id"].isin(failed)]
        stored = pa.Table.from_pandas(usable, schema=self.schema, preserve_index=False)
        self.folder.write(shard, stored, failures)
        return shard.number, len(shard.records), failures
