"""Records to a Parquet feature table on disk."""

from __future__ import annotations

import os
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pyarrow as pa
from sklearn.base import clone

from hybridlesion._formatting import count_words
from hybridlesion._validation import as_pandas, check_number
from hybridlesion.batch._executors import ProcessRunner, Runner
from hybridlesion.batch._lock import locked
from hybridlesion.batch._measure import ShardWork
from hybridlesion.batch._output import ExtractionResult, Target, check_mask_folder, check_originals
from hybridlesion.batch._shard_files import ShardFolder, describe_columns
from hybridlesion.batch._shards import Shard, ShardPlan
from hybridlesion.batch._workers import Lost, supervise
from hybridlesion.exceptions import HybridLesionError, TableError
from hybridlesion.featurizer import BLOCK, Failure, LesionFeaturizer, check_records
from hybridlesion.segmentation import segmenter_digest

__all__ = [
    "Computed",
    "compute_features",
    "compute_isolated",
    "describe_featurizer",
    "extract_features",
]


def compute_isolated(work: ShardWork, shard: Shard) -> list[Failure]:
    """Compute a shard without the images that no worker survives.

    Parameters
    ----------
    work : ShardWork
        The work, with its time limit.
    shard : Shard
        A shard over which workers have died.

    Returns
    -------
    list of Failure
        What failed, in record order.

    Raises
    ------
    HybridLesionError
        If workers die over the shard, though over none of its images alone.
    """
    culprits = find_culprits(work, shard.records)
    # With nobody to blame, the limit was too short for a batch, not for an image.
    work = work if culprits else work.limited(None)
    cleared = replace(shard, culprits=culprits)
    ((_, answer),) = supervise(work, [cleared], 1, expect_deaths=True)
    if isinstance(answer, Lost):
        raise HybridLesionError(
            f"{answer.reason(work.limit)}, at images {_span(shard.records)}, though each of them "
            "alone goes through. What is done is kept: see to the machine's memory, and run the "
            "same command again with fewer --jobs."
        )
    return answer


def find_culprits(work: ShardWork, records: pd.DataFrame) -> dict[int, str]:
    """Measure each image alone, in a process that it may take with it.

    Parameters
    ----------
    work : ShardWork
        The work, with its time limit.
    records : DataFrame of shape (n, columns)
        Records of a shard.

    Returns
    -------
    dict of int to str
        Reason by position, for every image over which the process died.
    """
    rows = [_Row(position, records.iloc[[position]]) for position in range(len(records))]
    return {
        row.position: answer.reason(work.limit)
        for row, answer in supervise(_TryOut(work), rows, 1, expect_deaths=True)
        if isinstance(answer, Lost)
    }


class _Row:
    """One record of a shard."""

    def __init__(self, position: int, record: pd.DataFrame):
        self.position, self.record = position, record


class _TryOut:
    """The picklable function that measures one record."""

    def __init__(self, work: ShardWork):
        self.work = work

    def __call__(self, row: _Row) -> None:
        self.work.try_out(row.record)


def _span(records: pd.DataFrame) -> str:
    first, last = records["image_id"].iloc[0], records["image_id"].iloc[-1]
    return f"{first} to {last}"


# Parameters of the featurizer that change how it works, never what it measures.
_WITHOUT_EFFECT = ("n_jobs", "on_error", "device", "passthrough")


class Computed(NamedTuple):
    """What stands in a scratch folder when all records are measured.

    Parameters
    ----------
    n_shards : int
        Shards.
    schema : pyarrow.Schema
        Columns and types of their rows.
    configuration : dict
        What determined the measurements.
    failures : list of Failure
        What failed, in record order.
    n_reused : int
        Records whose result an interrupted run had left.
    """

    n_shards: int
    schema: pa.Schema
    configuration: dict
    failures: list[Failure]
    n_reused: int


def extract_features(
    records: pd.DataFrame,
    out: str | os.PathLike,
    *,
    featurizer: LesionFeaturizer | None = None,
    n_jobs: int = 1,
    restart: bool = False,
    masks: str | os.PathLike | None = None,
    shard_size: int | None = None,
    runner: Runner | None = None,
    progress: Callable[[int, int, int], None] | None = None,
) -> ExtractionResult:
    """Measure every record and write one feature table.

    The records are worked off in shards that wait beside `out`; an interrupted run goes on with
    what is missing. The file is the same to the byte, in the order of the records, whoever
    computes the shards and however often the work was interrupted.

    Parameters
    ----------
    records : DataFrame of shape (n, columns)
        Records, of pandas or polars; read as by `LesionFeaturizer`.
    out : str or path-like
        Parquet file to write, or its fsspec address. Failures go to ``OUT.errors.csv``.
    featurizer : LesionFeaturizer, default=None
        What to measure; None takes the defaults.
    n_jobs : int, default=1
        Processes of this machine; 1 works in this one, -1 takes every core. See `ProcessRunner`.
    restart : bool, default=False
        Whether to throw away what an interrupted run left.
    masks : str or path-like, default=None
        Folder that receives every mask.
    shard_size : int, default=None
        Records per shard; None chooses by the number of records.
    runner : Runner, default=None
        Who computes the shards, for example `DaskRunner`; None starts `n_jobs` processes.
    progress : callable, default=None
        Called as ``progress(done, failed, total)`` after every shard.

    Returns
    -------
    ExtractionResult
        What was written, and how much failed.

    Raises
    ------
    SourceError
        If `out` cannot be written, is one of the images, or another run is writing it; or if a
        file of other origin is called ``OUT.errors.csv``, ``OUT.lock`` or ``OUT.shards``.
    TableError
        If there are no records, or they hold cells that cannot be understood.
    HybridLesionError
        If not one image could be used, or no process lives long enough.

    Warns
    -----
    UserWarning
        If what an earlier run left is of no use, with the reason; or words of the records were not
        understood.

    Notes
    -----
    While it works, ``OUT.lock`` beside `out` names the process that does, and the folder
    ``OUT.shards`` holds what is done; both go when it ends well. An image over which a process of
    its own dies, or that takes too long there, is left out like one that cannot be read.

    The file keeps ids, target and diagnosis apart from the features and says in its metadata which
    is which; `read_feature_table` returns them separately.
    """
    started = time.monotonic()
    check_number("shard_size", 1 if shard_size is None else shard_size, low=1, integer=True)
    target = Target(out)
    records = as_pandas(records)
    if len(records) == 0:
        raise TableError("there are no records to extract features from.")
    check_originals(target.local_files(), records.get("path", ()))
    records = check_records(records)
    featurizer = LesionFeaturizer() if featurizer is None else clone(featurizer)
    featurizer = featurizer.set_params(n_jobs=1).fit(records)
    masks = None if masks is None else check_mask_folder(masks, records.get("path", ()))
    target.make_folder()
    with locked(target.place, target.name):
        found = compute_features(
            records,
            target.shards,
            featurizer,
            ProcessRunner(n_jobs) if runner is None else runner,
            restart=restart,
            masks=masks,
            shard_size=shard_size,
            progress=progress,
        )
        failures = found.failures
        errors = target.write_errors(failures)
        if len(failures) == len(records):
            target.shards.clear()
            raise HybridLesionError(
                f"not one of the {len(records)} images could be used; the reasons are in {errors}. "
                f"The first: {failures[0].reason}"
            )
        schema = describe_columns(found.schema, found.configuration)
        with target.writing() as temporary:
            n_rows = target.shards.merge(found.n_shards, schema, temporary)
        target.shards.clear()
    seconds = time.monotonic() - started
    return ExtractionResult(target.path, n_rows, len(failures), errors, seconds, found.n_reused)


def compute_features(
    records: pd.DataFrame,
    folder: ShardFolder,
    featurizer: LesionFeaturizer,
    runner: Runner,
    *,
    restart: bool = False,
    masks: Path | None = None,
    shard_size: int | None = None,
    progress: Callable[[int, int, int], None] | None = None,
) -> Computed:
    """Measure every record into a scratch folder, which stays for the caller to read and clear.

    Parameters
    ----------
    records : DataFrame of shape (n, columns)
        Records, at least one.
    folder : ShardFolder
        Scratch folder; what an interrupted run left there is taken over.
    featurizer : LesionFeaturizer
        What to measure, fitted, with one job.
    runner : Runner
        Who computes the shards.
    restart : bool, default=False
        Whether to throw away what an interrupted run left.
    masks : Path, default=None
        Folder that receives every mask, from `check_mask_folder`.
    shard_size : int, default=None
        Records per shard; None chooses by the number of records.
    progress : callable, default=None
        Called as ``progress(done, failed, total)`` after every shard.

    Returns
    -------
    Computed
        What stands in the folder, and what failed.

    Raises
    ------
    SourceError
        If the folder cannot be written, or is of other origin.
    """
    configuration = describe_featurizer(featurizer)
    folder.open(restart=restart)
    work = ShardWork(featurizer, folder, masks)
    plan = ShardPlan(
        records,
        configuration | {"masks": str(masks)},
        shard_size,
        # Without a network, shards need not be whole batches.
        least=BLOCK if featurizer.embedder_ is None else featurizer.batch_size,
    )
    failures, n_reused = _compute_shards(work, plan, runner, progress)
    return Computed(len(plan), work.schema, configuration, failures, n_reused)


def _compute_shards(
    work: ShardWork,
    plan: ShardPlan,
    runner: Runner,
    progress: Callable[[int, int, int], None] | None,
) -> tuple[list[Failure], int]:
    """Compute what no earlier run left; return all failures in order, and how much was left."""
    failures = _take_over(work.folder, plan)
    missing = [number for number in range(len(plan)) if number not in failures]
    total = len(plan.records)
    n_reused = done = total - sum(map(plan.n_records, missing))
    failed = sum(map(len, failures.values()))
    # Cut one by one as they are asked for: a list of all shards would double the records.
    for shard, found in _answers(runner, work, map(plan.shard, missing)):
        failures[shard.number] = found
        done, failed = done + len(shard.records), failed + len(found)
        if progress is not None:
            progress(done, failed, total)
    return [failure for number in sorted(failures) for failure in failures[number]], n_reused


def _answers(
    runner: Runner, work: ShardWork, shards: Iterator[Shard]
) -> Iterator[tuple[Shard, list[Failure]]]:
    """Run all shards; those that killed their workers come last, with no others beside them."""
    first = next(shards, None)
    if first is None:
        # Nothing is missing: a cluster need not even be there.
        return
    lost = []
    for shard, answer in runner.run(work, chain([first], shards)):
        if isinstance(answer, Lost):
            lost.append(shard)
        else:
            yield shard, answer
    for shard in lost:
        yield shard, compute_isolated(work.limited(runner.time_limit), shard)


def _take_over(folder: ShardFolder, plan: ShardPlan) -> dict[int, list[Failure]]:
    """Look at what an earlier run left; say what of it is of no use, and why."""
    failures, reasons = {}, Counter()
    for number in sorted(folder.numbers()):
        found = folder.look_up(plan.shard(number)) if number < len(plan) else "there are fewer"
        if isinstance(found, str):
            reasons[found] += 1
        else:
            failures[number] = found
    for reason, count in reasons.items():
        warnings.warn(
            f"{count_words(count, 'stored shard')} of an earlier run cannot be taken over: "
            f"{reason}.",
            UserWarning,
            stacklevel=5,
        )
    return failures


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
