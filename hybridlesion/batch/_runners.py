"""Runners: who computes the shards, and the options of a run."""

from __future__ import annotations

import hashlib
import os
import secrets
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import islice
from typing import TYPE_CHECKING

from hybridlesion._optional_imports import import_optional
from hybridlesion._validation import check_number
from hybridlesion.batch._storage import open_storage
from hybridlesion.batch._workers import (
    TIME_LIMIT_EXIT,
    WorkerDied,
    count_jobs,
    one_thread,
    run_supervised,
)
from hybridlesion.exceptions import HybridLesionError, OptionError, SourceError

if TYPE_CHECKING:
    from hybridlesion.batch._measure import ShardResult, ShardTask
    from hybridlesion.batch._shards import Shard

    Answers = Iterator[tuple[Shard, ShardResult | WorkerDied]]

# Seconds: hundreds of times what an image takes, so that a busy machine is not mistaken for a
# hanging one.
TIME_LIMIT = 120.0


class Runner(ABC):
    """Base class of the runners, which compute the shards of a run.

    Attributes
    ----------
    time_limit : float or None
        Seconds per image in a worker process; None sets no limit.
    """

    time_limit: float | None = None

    @abstractmethod
    def run(self, work: ShardTask, shards: Iterable[Shard]) -> Answers:
        """Compute shards.

        Parameters
        ----------
        work : ShardTask
            Picklable function that measures a shard, stores the result and returns it.
        shards : iterable of Shard
            Draw from it as needed: all shards together may not fit into memory.

        Yields
        ------
        tuple
            A shard, and what `work` returned for it or `WorkerDied`.
        """


class ProcessRunner(Runner):
    """Supervised worker processes of this machine; one that dies or hangs is replaced.

    Parameters
    ----------
    n_jobs : int, default=1
        Processes. 1 measures in the calling process, without isolation; -1 uses every core, in
        worker processes even on a single core.
    time_limit : float or None, default=120.0
        Seconds per image in a worker process; None sets no limit.
    """

    def __init__(self, n_jobs: int = 1, *, time_limit: float | None = TIME_LIMIT):
        count_jobs(n_jobs)
        if time_limit is not None:
            check_number("time_limit", time_limit, low=0.1)
        self.n_jobs = n_jobs
        self.time_limit = time_limit

    def run(self, work: ShardTask, shards: Iterable[Shard]) -> Answers:
        """Compute shards; retry one whose worker died, but not one that ran out of time.

        Parameters
        ----------
        work : ShardTask
            Picklable function that measures a shard, stores the result and returns it.
        shards : iterable of Shard
            Drawn one at a time, whenever a process is free.

        Yields
        ------
        tuple
            A shard, and its result or `WorkerDied`.
        """
        if self.n_jobs == 1:
            with one_thread():
                for shard in shards:
                    yield shard, work(shard)
            return
        lost = []
        work = work.limited(self.time_limit)
        for shard, answer in run_supervised(work, shards, count_jobs(self.n_jobs)):
            if isinstance(answer, WorkerDied) and answer.exit_code != TIME_LIMIT_EXIT:
                lost.append(shard)
            else:
                yield shard, answer
        # A single process has all the memory that several may have lacked.
        yield from run_supervised(work, lost, 1, expect_deaths=True)


@dataclass(frozen=True)
class RunOptions:
    """Options of a run over many images; none of them changes a result.

    Parameters
    ----------
    n_jobs : int, default=1
        Processes that measure images; 1 stays in the calling process, -1 uses every core.
    runner : Runner, default=None
        Computes the shards, for example a `DaskRunner`; None starts `n_jobs` processes.
    time_limit : float or None, default=120.0
        Seconds per image in a worker process; None sets no limit. A `runner` has its own.
    device : {"auto", "cpu", "cuda"}, default=None
        Device of the network; None keeps the featurizer's.
    restart : bool, default=False
        Whether to discard the results of an interrupted run.
    masks : str or path-like, default=None
        Folder for the masks, one ``IMAGEID_segmentation.png`` per image; None writes none.
    shard_size : int, default=None
        Records per shard; None chooses by the number of records.
    cache : str or path-like, default=None
        Folder of measurements by image content, read and extended; None keeps none. Used for
        scoring only.
    cache_limit : float, default=None
        Size limit of the cache in gigabytes; the least recently used entries are removed. None
        sets no limit.
    progress : callable, default=None
        Called as ``progress(done, failed, total)`` after every shard.

    Raises
    ------
    OptionError
        If there is a `cache_limit` without a `cache`, or a cache together with `masks`.
    """

    n_jobs: int = 1
    runner: Runner | None = None
    time_limit: float | None = TIME_LIMIT
    device: str | None = None
    restart: bool = False
    masks: str | os.PathLike | None = None
    shard_size: int | None = None
    cache: str | os.PathLike | None = None
    cache_limit: float | None = None
    progress: Callable[[int, int, int], None] | None = None

    def __post_init__(self):
        if self.shard_size is not None:
            check_number("shard_size", self.shard_size, low=1, integer=True)
        if self.cache_limit is not None:
            check_number("cache_limit", self.cache_limit, low=0.001)
            if self.cache is None:
                raise OptionError("`cache_limit` needs a cache; pass `cache`, too.")
        if self.cache is not None and self.masks is not None:
            raise OptionError("masks need every image measured; omit `cache` or `masks`.")

    def make_runner(self) -> Runner:
        """Return the runner, or processes of this machine.

        Returns
        -------
        Runner
            `runner`, or a `ProcessRunner` of `n_jobs` processes.
        """
        return self.runner or ProcessRunner(self.n_jobs, time_limit=self.time_limit)


# The pickled task, stored with the shards: workers that join late read it from there, and the
# scheduler need not send the weights of a network with every shard.
_WORK = "work.pickle"
# Seconds to wait for the scheduler to recompute a shard whose result was lost.
_AGAIN = 600


class DaskRunner(Runner):
    """Workers of an existing Dask cluster.

    Parameters
    ----------
    address : str
        Address of the scheduler, such as ``tcp://10.0.0.1:8786``.
    resources : mapping of str to float, default=None
        Resources that each shard needs, such as ``{"GPU": 1}``; None uses every worker.
    time_limit : float or None, default=120.0
        Seconds per image; a worker that takes longer exits, and its nanny starts another. None
        sets no limit.

    Notes
    -----
    Workers must see the images and the output folder under the same paths as this process, and
    run the same version of this package. They may join late, leave and die. If the scheduler
    gives up on a shard (by default after three dead workers), local worker processes compute it
    and identify the image that causes the crash. At any time, twice as many shards are submitted
    as the workers have threads.
    """

    def __init__(
        self,
        address: str,
        *,
        resources: Mapping[str, float] | None = None,
        time_limit: float | None = TIME_LIMIT,
    ):
        if time_limit is not None:
            check_number("time_limit", time_limit, low=0.1)
        self.address = address
        self.resources = dict(resources or {})
        self.time_limit = time_limit

    def run(self, work: ShardTask, shards: Iterable[Shard]) -> Answers:
        """Compute shards.

        Parameters
        ----------
        work : ShardTask
            Picklable function that measures a shard, stores the result and returns it.
        shards : iterable of Shard
            Drawn a few at a time.

        Yields
        ------
        tuple
            A shard, and its result or `WorkerDied`.

        Raises
        ------
        SourceError
            If the scheduler is unreachable, or a worker does not see the output folder.
        HybridLesionError
            If the connection to the scheduler is lost.
        """
        distributed = import_optional(
            "distributed", feature="work on a Dask cluster", install="hybridlesion[dask]"
        )
        import cloudpickle

        packed = cloudpickle.dumps(work.limited(self.time_limit))
        digest = hashlib.sha256(packed).hexdigest()
        task = partial(_run_stored, str(work.store.storage), digest)
        with self._client(distributed) as client:
            work.store.storage.write(_WORK, packed)
            yield from self._keep_busy(client, distributed, task, iter(shards))

    def _client(self, distributed):
        try:
            client = distributed.Client(self.address, set_as_default=False)
        except (OSError, ValueError) as error:
            raise SourceError(
                f"there is no Dask scheduler at {self.address}: {error}. Start one with `dask "
                "scheduler`, and pass the address that it prints."
            ) from error
        if not client.nthreads():
            warnings.warn(
                f"the Dask cluster at {self.address} has no workers yet; waiting for the first.",
                UserWarning,
                stacklevel=2,
            )
        return client

    def _keep_busy(
        self,
        client,
        distributed,
        task: Callable[[Shard], ShardResult],
        shards: Iterator[Shard],
    ) -> Answers:
        running = {}
        # A random key: another run on the same cluster must not share the result.
        run = f"hybridlesion-{secrets.token_hex(6)}"
        finished = distributed.as_completed(loop=client.loop)
        while True:
            # Recomputed each time, since workers may join late.
            wanted = 2 * max(1, sum(client.nthreads().values())) - len(running)
            for shard in islice(shards, max(0, wanted)):
                future = client.submit(
                    task,
                    shard,
                    key=f"{run}-{shard.number}",
                    resources=self.resources or None,
                    pure=False,
                )
                running[future.key] = shard
                finished.add(future)
            if not running:
                return
            future = next(finished)
            yield running.pop(future.key), _answer(future, distributed)


def _run_stored(folder: str, digest: str, shard: Shard) -> ShardResult:
    """Compute a shard by the stored task, in a worker."""
    return _fetch(folder, digest)(shard)


@lru_cache(maxsize=2)
def _fetch(folder: str, digest: str) -> ShardTask:
    """Read the task once per process; the digest ensures that it is the one of this run."""
    import cloudpickle

    try:
        packed = open_storage(folder).read(_WORK)
    except OSError as error:
        raise SourceError(
            f"this worker does not see {folder}: {error}. For a Dask cluster, `out` must lie in a "
            "folder that all machines share under one path, or at an address such as s3://..."
        ) from error
    if hashlib.sha256(packed).hexdigest() != digest:
        raise SourceError(f"{_WORK} in {folder} was not written by this run.")
    return cloudpickle.loads(packed)


def _answer(future, distributed) -> ShardResult | WorkerDied:
    if future.status == "lost":
        # Its worker died with the result; the scheduler has the shard recomputed.
        with suppress(TimeoutError, CancelledError):
            distributed.wait(future, timeout=_AGAIN)
    error = future.exception() if future.status == "error" else None
    if isinstance(error, distributed.KilledWorker):
        return WorkerDied(None)
    if error is not None:
        raise error
    if future.status != "finished":
        raise HybridLesionError(
            f"the Dask cluster dropped a shard ({future.status}), most likely because its "
            "scheduler was stopped. Finished work is kept: run the same command again."
        )
    return future.result()
