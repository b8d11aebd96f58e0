"""Measure records in shards: the work on one shard, and the run over all shards."""

from __future__ import annotations

import os
import socket
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pyarrow as pa

from hybridlesion import __version__
from hybridlesion._formatting import count_words
from hybridlesion.batch._output import check_mask_folder
from hybridlesion.batch._runners import Runner, RunOptions
from hybridlesion.batch._shards import Shard, ShardPlan, ShardResult, ShardStore, file_state
from hybridlesion.batch._storage import CURE
from hybridlesion.batch._workers import WorkerDied, supervise, time_limit
from hybridlesion.exceptions import HybridLesionError, SourceError
from hybridlesion.featurizer import BLOCK, FEATURE_VERSION, Failure, LesionFeaturizer
from hybridlesion.io import join_locator, split_locator
from hybridlesion.segmentation import segmenter_digest


@dataclass(frozen=True)
class FeatureResult:
    """Measurements of many records.

    Parameters
    ----------
    table : DataFrame of shape (n, columns)
        One row per measured record, in the order of the records.
    failures : list of Failure
        Records that could not be measured, in order.
    n_reused : int, default=0
        Number of records whose results came from an interrupted run or a cache.
    """

    table: pd.DataFrame
    failures: list[Failure]
    n_reused: int = 0


def measure(
    records: pd.DataFrame, featurizer: LesionFeaturizer, store: ShardStore, options: RunOptions
) -> FeatureResult:
    """Measure records into a table in memory.

    Finished shards are stored until the run is complete, so that an interrupted run can resume.

    Parameters
    ----------
    records : DataFrame of shape (n, columns)
        One or more records, interpreted as by `LesionFeaturizer`.
    featurizer : LesionFeaturizer
        Featurizer, which is cloned and fitted.
    store : ShardStore
        Scratch folder of the run, which is removed at the end.
    options : RunOptions
        Run options; `cache` is ignored.

    Returns
    -------
    FeatureResult
        Measurements and failures.

    Raises
    ------
    SourceError
        If the scratch folder cannot be written, or was not created by this program.
    """
    featurizer, options = prepare_run(records, featurizer, options)
    run = run_shards(records, featurizer, store, options, keep=True)
    table = pa.concat_tables(run.tables).to_pandas()
    store.clear()
    return FeatureResult(table, run.failures, run.n_reused)


def prepare_run(
    records: pd.DataFrame, featurizer: LesionFeaturizer, options: RunOptions
) -> tuple[LesionFeaturizer, RunOptions]:
    """Fit a featurizer for a run, and check the folder for the masks.

    Parameters
    ----------
    records : DataFrame of shape (n, columns)
        Records.
    featurizer : LesionFeaturizer
        Featurizer to clone.
    options : RunOptions
        Options of the run. If `device` is set, it replaces the featurizer's device.

    Returns
    -------
    featurizer : LesionFeaturizer
        Fitted clone with ``n_jobs=1``, because the runner provides the parallelism.
    options : RunOptions
        Options with the absolute path of the folder for the masks.

    Raises
    ------
    ArtifactError
        If the featurizer was fitted on features of another version.
    """
    if options.masks is not None:
        masks = check_mask_folder(options.masks, records.get("path", ()))
        options = replace(options, masks=masks)
    device = {} if options.device is None else {"device": options.device}
    return featurizer.fit_copy(records, n_jobs=1, **device), options


class Run(NamedTuple):
    """Completed run whose shards are still stored.

    Parameters
    ----------
    n_shards : int
        Number of shards.
    schema : pyarrow.Schema
        Columns and types of the rows.
    configuration : dict
        Settings that determined the measurements.
    tables : list of pyarrow.Table
        Rows of every shard, in order; empty unless the rows were kept in memory.
    failures : list of Failure
        Records that could not be measured, in order.
    n_reused : int
        Number of records whose results came from an interrupted run.
    """

    n_shards: int
    schema: pa.Schema
    configuration: dict
    tables: list[pa.Table]
    failures: list[Failure]
    n_reused: int


def run_shards(
    records: pd.DataFrame,
    featurizer: LesionFeaturizer,
    store: ShardStore,
    options: RunOptions,
    *,
    keep: bool,
) -> Run:
    """Measure all records not yet measured by an interrupted run, and keep the stored shards.

    Parameters
    ----------
    records : DataFrame of shape (n, columns)
        One or more records.
    featurizer : LesionFeaturizer
        Fitted featurizer, as returned by `prepare_run`.
    store : ShardStore
        Scratch folder; valid results of an interrupted run are reused.
    options : RunOptions
        Options of the run, as returned by `prepare_run`.
    keep : bool
        Whether to keep the rows in memory. If False, memory use does not grow with the number of
        records.

    Returns
    -------
    Run
        Shards and failures.

    Raises
    ------
    SourceError
        If the scratch folder cannot be written, or was not created by this program.
    """
    configuration = describe_featurizer(featurizer)
    store.open(restart=options.restart)
    masks = None if options.masks is None else Path(options.masks)
    task = ShardTask(featurizer, store, masks, keep)
    # Without a network, shards need not consist of whole batches.
    least = BLOCK if featurizer.embedder_ is None else featurizer.batch_size
    facts = configuration | {"masks": str(masks)}
    plan = ShardPlan(records, facts, options.shard_size, least=least)
    results = _read_finished(store, plan, keep=keep)
    missing = [number for number in range(len(plan)) if number not in results]
    total = len(records)
    n_reused = done = total - sum(map(plan.n_records, missing))
    failed = sum(len(result.failures) for result in results.values())
    # Shards are cut one at a time, since a copy of all records would double the memory.
    shards = map(plan.shard, missing)
    # If no shard is missing, do not even connect to a cluster.
    for shard, result in _compute(options.make_runner(), task, shards) if missing else ():
        results[shard.number] = result
        done, failed = done + len(shard.records), failed + len(result.failures)
        if options.progress is not None:
            options.progress(done, failed, total)
    ordered = [results[number] for number in range(len(plan))]
    tables = [result.table for result in ordered] if keep else []
    failures = [failure for result in ordered for failure in result.failures]
    return Run(len(plan), task.schema, configuration, tables, failures, n_reused)


def _compute(
    runner: Runner, task: ShardTask, shards: Iterator[Shard]
) -> Iterator[tuple[Shard, ShardResult]]:
    """Compute all shards; those that killed their workers come last, one at a time."""
    lost = []
    for shard, answer in runner.run(task, shards):
        if isinstance(answer, WorkerDied):
            lost.append(shard)
        else:
            yield shard, answer
    for shard in lost:
        yield shard, _compute_isolated(task.limited(runner.time_limit), shard)


def _compute_isolated(task: ShardTask, shard: Shard) -> ShardResult:
    """Compute a shard without the images that crash a worker."""
    crashing = _find_crashing_images(task, shard.records)
    # If no image crashes alone, the time limit was too short for the batch, not for an image.
    task = task if crashing else task.limited(None)
    rest = replace(shard, crashing=crashing)
    ((_, answer),) = supervise(task, [rest], 1, expect_deaths=True)
    if isinstance(answer, WorkerDied):
        ids = shard.records["image_id"]
        raise HybridLesionError(
            f"{answer.reason(task.limit)}, at images {ids.iloc[0]} to {ids.iloc[-1]}, although "
            "each succeeds alone. Finished work is kept: run the same command with fewer `n_jobs`."
        )
    return answer


def _find_crashing_images(task: ShardTask, records: pd.DataFrame) -> dict[int, str]:
    """Measure each image in a separate process; return the reasons for crashes by position."""
    rows = enumerate(records.iloc[[position]] for position in range(len(records)))
    return {
        position: answer.reason(task.limit)
        for (position, _), answer in supervise(task.probe, rows, 1, expect_deaths=True)
        if isinstance(answer, WorkerDied)
    }


def _read_finished(store: ShardStore, plan: ShardPlan, *, keep: bool) -> dict[int, ShardResult]:
    """Read the stored results that are still valid; warn about those that are not."""
    results, reasons = {}, Counter()
    for number in sorted(store.numbers()):
        found: ShardResult | str = "there are fewer shards now"
        if number < len(plan):
            found = store.read(plan.shard(number), keep=keep)
        if isinstance(found, str):
            reasons[found] += 1
        else:
            results[number] = found
    for reason, count in reasons.items():
        shards = count_words(count, "stored shard")
        note = f"{shards} of an earlier run cannot be reused: {reason}."
        warnings.warn(note, UserWarning, stacklevel=4)
    return results


# Parameters of the featurizer that do not affect its measurements.
_WITHOUT_EFFECT = ("n_jobs", "on_error", "device", "passthrough")


def describe_featurizer(featurizer: LesionFeaturizer) -> dict:
    """Return the settings that determine the measurements of a fitted featurizer.

    Parameters
    ----------
    featurizer : LesionFeaturizer
        Fitted featurizer.

    Returns
    -------
    dict
        Parameters that affect the values, the measurement columns, the version of the features, and
        the digests of the network weights.
    """
    parameters = featurizer.get_params().items()
    configuration = {name: value for name, value in parameters if name not in _WITHOUT_EFFECT}
    configuration["measurements"] = list(featurizer.measurements_)
    configuration["feature_version"] = featurizer.feature_version_
    if featurizer.embedder_ is not None:
        configuration["weights_digest"] = featurizer.embedder_.weights_digest_
    digest = segmenter_digest(featurizer.segmenter)
    if digest is not None:
        configuration["segmenter_digest"] = digest
    return configuration


def _this_code() -> tuple[str, int]:
    return __version__, FEATURE_VERSION


def _this_process() -> tuple[str, int]:
    return socket.gethostname(), os.getpid()


@dataclass(frozen=True)
class ShardTask:
    """Picklable function that measures a shard and stores the result.

    Parameters
    ----------
    featurizer : LesionFeaturizer
        Fitted featurizer.
    store : ShardStore
        Where the results are stored.
    masks : Path or None
        Folder for the masks.
    keep : bool
        Whether to return the rows in addition to storing them.
    limit : float or None, default=None
        Time limit per image in seconds, applied in every process except the one that created this
        object.
    root : str, optional
        Folder that relative paths refer to.
    origin : tuple of str and int, optional
        Host and process that created this object.
    code : tuple of str and int, optional
        Package version and feature version of the code that created this object.
    """

    featurizer: LesionFeaturizer
    store: ShardStore
    masks: Path | None
    keep: bool
    limit: float | None = None
    root: str = field(default_factory=os.getcwd)
    origin: tuple[str, int] = field(default_factory=_this_process)
    code: tuple[str, int] = field(default_factory=_this_code)

    def limited(self, seconds: float | None) -> ShardTask:
        """Copy this object with another time limit.

        Parameters
        ----------
        seconds : float or None
            Time limit per image in seconds, or None for no limit.

        Returns
        -------
        ShardTask
            Copy with the new limit.
        """
        return replace(self, limit=seconds)

    @property
    def schema(self) -> pa.Schema:
        """Columns and types of the rows: the type follows from the name, so all shards agree."""
        nothing = pd.DataFrame(columns=list(self.featurizer.feature_names_in_))
        names = self.featurizer.featurize(nothing)[0].columns
        types = {name: pa.float32() if "__" in name else pa.string() for name in names}
        types |= {name: pa.float64() for name in ("age", "target") if name in types}
        return pa.schema(list(types.items()))

    def __call__(self, shard: Shard) -> ShardResult:
        """Measure a shard and store the result.

        Parameters
        ----------
        shard : Shard
            Shard to measure.

        Returns
        -------
        ShardResult
            Failures in record order, and the rows if they are kept.

        Raises
        ------
        SourceError
            If the result cannot be stored, images have vanished, or this process runs another
            version of the code.
        """
        mine = _this_code()
        if self.code != mine:
            raise SourceError(
                f"this worker runs hybridlesion {mine[0]} (protocol {mine[1]}), the main process "
                f"{self.code[0]} (protocol {self.code[1]}). Install the same version everywhere."
            )
        try:
            table, failures = self._measure(shard.records, shard.crashing, self.masks)
            self._check_still_there(shard, failures)
            failed = {failure.image_id for failure in failures}
            usable = table[~table["image_id"].isin(failed)]
            rows = pa.Table.from_pandas(usable, schema=self.schema, preserve_index=False)
            rows = rows.replace_schema_metadata(None)
            self.store.write(shard, rows, failures)
        except HybridLesionError:
            raise
        except OSError as error:
            raise SourceError(f"cannot write shard {shard.number}: {error}. {CURE}") from error
        return ShardResult(failures, rows if self.keep else None)

    def probe(self, row: tuple[int, pd.DataFrame]) -> None:
        """Measure one record and discard the result, to test whether the process survives.

        Parameters
        ----------
        row : tuple of int and DataFrame
            Position of the record, and the record itself.
        """
        self._measure(row[1], {}, None)

    def _measure(
        self, records: pd.DataFrame, crashing: dict[int, str], masks: Path | None
    ) -> tuple[pd.DataFrame, list[Failure]]:
        is_worker = self.origin != _this_process()
        with time_limit(self.limit if is_worker else None) as heartbeat:
            table, failures = self.featurizer.featurize(
                self._reachable(records, crashing), masks=masks, tick=heartbeat
            )
        if "path" in records:
            table = table.assign(path=records["path"])
        reasons = {str(records["image_id"].iloc[i]): reason for i, reason in crashing.items()}
        paths = dict(zip(records["image_id"].astype(str), records.get("path", ()), strict=False))
        return table, [_as_recorded(failure, paths, reasons) for failure in failures]

    def _reachable(self, records: pd.DataFrame, crashing: dict[int, str]) -> pd.DataFrame:
        """Make paths valid in this process, and blank the paths of images that crash it."""
        if "path" not in records or (not crashing and self.root == os.getcwd()):
            return records
        paths = [_absolute(path, self.root) for path in records["path"]]
        # A record without a path fails before reading, and the other records keep their batches.
        paths = [None if position in crashing else path for position, path in enumerate(paths)]
        return records.assign(path=pd.Series(paths, index=records.index, dtype=object))

    def _check_still_there(self, shard: Shard, failures: list[Failure]) -> None:
        """Raise an error if images vanished during the run, rather than call them unreadable."""
        failed = {failure.image_id for failure in failures if failure.stage == "read"}
        if not failed:
            return
        records, states = shard.records, shard.facts["images"]
        for image_id, path, state in zip(records["image_id"], records["path"], states, strict=True):
            if str(image_id) in failed and state and file_state(_absolute(path, self.root)) is None:
                raise SourceError(f"{path} existed when the run began and is now missing. {CURE}")


def _as_recorded(failure: Failure, paths: dict[str, object], crashing: dict[str, str]) -> Failure:
    """Restore the recorded path of a failure, and add the reason if its image crashed a worker."""
    path = paths.get(failure.image_id)
    if isinstance(path, str):
        failure = replace(failure, path=path)
    if failure.image_id in crashing:
        failure = replace(failure, stage="worker", reason=crashing[failure.image_id])
    return failure


def _absolute(path: object, root: str) -> object:
    """Make a local path or locator absolute; return addresses and missing paths unchanged."""
    if not isinstance(path, str):
        return path
    locator = split_locator(path)
    if locator.scheme == "fsspec":
        return path
    if locator.scheme == "file":
        return os.path.join(root, locator.inner)
    return join_locator(locator.scheme, locator.inner, os.path.join(root, locator.container))
