"""Runners, which compute the shards, and the options of a run."""

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
from hybridlesion.batch._workers import TIME_LIMIT, WorkerDied, count_jobs, run_jobs, supervise
from hybridlesion.exceptions import HybridLesionError, OptionError, SourceError

if TYPE_CHECKING:
    from hybridlesion.batch._measure import ShardResult, ShardTask
    from hybridlesion.batch._shards import Shard

    Answers = Iterator[tuple[Shard, ShardResult | WorkerDied]]


class Runner(ABC):
    """Base class of the runners, which compute the shards of a run.

    Attributes
    ----------
    time_limit : float or None
        Time limit per image in a worker process, in seconds, or None for no limit.
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
            Shards, to be consumed lazily: all of them together may not fit into memory.

        Yields
        ------
        tuple
            A shard, and either the value that `work` returned for it or `WorkerDied`.
        """


class ProcessRunner(Runner):
    """Runner for supervised local worker processes, which are replaced if they die or hang.

    Parameters
    ----------
    n_jobs : int, default=1
        Number of processes. With 1, images are measured in the calling process, without isolation;
        -1 means using all cores, with worker processes even on a single core.
    time_limit : float or None, default=120.0
        Time limit per image in a worker process, in seconds, or None for no limit.
    """

    def __init__(self, n_jobs: int = 1, *, time_limit: float | None = TIME_LIMIT):
        count_jobs(n_jobs)
        if time_limit is not None:
            check_number("time_limit", time_limit, low=0.1)
        self.n_jobs = n_jobs
        self.time_limit = time_limit

    def run(self, work: ShardTask, shards: Iterable[Shard]) -> Answers:
        """Compute shards, with a retry if a worker dies but not if it exceeds the time limit.

        Parameters
        ----------
        work : ShardTask
            Picklable function that measures a shard, stores the result and returns it.
        shards : iterable of Shard
            Shards, consumed one at a time whenever a process is free.

        Yields
        ------
        tuple
            A shard, and its result or `WorkerDied`.
        """
        lost = []
        work = work.limited(self.time_limit)
        for shard, answer in run_jobs(work, shards, self.n_jobs):
            if isinstance(answer, WorkerDied) and not answer.timed_out:
                lost.append(shard)
            else:
                yield shard, answer
        # Retry in a single process, which has all the memory to itself.
        yield from supervise(work, lost, 1, expect_deaths=True)


@dataclass(frozen=True)
class RunOptions:
    """Options of a run over many images; none of them changes a result.

    Parameters
    ----------
    n_jobs : int, default=1
        Number of processes that measure images. With 1, the work is done in the calling process;
        -1 means using all cores.
    runner : Runner, default=None
        Runner that computes the shards, for example a `DaskRunner`. If None, `n_jobs` processes
        are started.
    time_limit : float or None, default=120.0
        Time limit per image in a worker process, in seconds, or None for no limit. Ignored if
        `runner` is given, since a runner has a separate limit.
    device : {"auto", "cpu", "cuda"}, default=None
        Device of the network. If None, the device of the featurizer is used.
    restart : bool, default=False
        Whether to discard the results of an interrupted run.
    masks : str or path-like, default=None
        Folder for the masks, one ``IMAGEID_segmentation.png`` per image. If None, no masks are
        written.
    shard_size : int, default=None
        Records per shard. If None, it is chosen from the number of records.
    cache : str or path-like, default=None
        Folder that caches measurements by image content. If None, no cache is used. Only used for
        scoring.
    cache_limit : float, default=None
        Maximum size of the cache in gigabytes, or None for no limit. If it is exceeded, the least
        recently used entries are removed.
    progress : callable, default=None
        Called as ``progress(done, failed, total)`` after every shard.

    Raises
    ------
    OptionError
        If `cache_limit` is given without `cache`, or `cache` together with `masks`.
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
        """Return the runner, or by default a runner for local processes.

        Returns
        -------
        Runner
            `runner` if given, else a `ProcessRunner` with `n_jobs` processes.
        """
        return self.runner or ProcessRunner(self.n_jobs, time_limit=self.time_limit)


# The pickled task, stored next to the shards: workers that join late can read it, and the scheduler
# need not send the network weights with every shard.
_WORK = "work.pickle"
# Seconds to wait for the scheduler to recompute a shard whose result was lost.
_AGAIN = 600


class DaskRunner(Runner):
    """Runner for the workers of an existing Dask cluster.

    Parameters
    ----------
    address : str
        Address of the scheduler, such as ``tcp://10.0.0.1:8786``.
    resources : mapping of str to float, default=None
        Resources that each shard needs, such as ``{"GPU": 1}``. If None, all workers are used.
    time_limit : float or None, default=120.0
        Time limit per image in seconds, or None for no limit. A worker that exceeds the limit
        exits, and its nanny starts a new worker.

    Notes
    -----
    Workers must see the images and the output folder under the same paths as this process, and
    run the same version of this package. They may join late, leave or die. If the scheduler
    gives up on a shard (by default after three dead workers), local worker processes compute it
    and identify the image that causes the crash. The number of shards submitted at any time is
    twice the number of worker threads.
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
            Shards, consumed a few at a time.

        Yields
        ------
        tuple
            A shard, and its result or `WorkerDied`.

        Raises
        ------
        SourceError
            If the scheduler is unreachable, or a worker cannot see the output folder.
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
                f"no Dask scheduler at {self.address}: {error}. Start one with `dask scheduler`."
            ) from error
        if not client.nthreads():
            note = f"the Dask cluster at {self.address} has no workers yet; waiting for the first."
            warnings.warn(note, UserWarning, stacklevel=2)
        return client

    def _keep_busy(
        self, client, distributed, task: Callable[[Shard], ShardResult], shards: Iterator[Shard]
    ) -> Answers:
        running = {}
        options = {"resources": self.resources or None, "pure": False}
        # Random keys, so that another run on the same cluster does not share the results.
        run = f"hybridlesion-{secrets.token_hex(6)}"
        finished = distributed.as_completed(loop=client.loop)
        while True:
            # Recomputed in every iteration, since workers may join late.
            wanted = 2 * max(1, sum(client.nthreads().values())) - len(running)
            for shard in islice(shards, max(0, wanted)):
                future = client.submit(task, shard, key=f"{run}-{shard.number}", **options)
                running[future.key] = shard
                finished.add(future)
            if not running:
                return
            future = next(finished)
            yield running.pop(future.key), _answer(future, distributed)


def _run_stored(folder: str, digest: str, shard: Shard) -> ShardResult:
    """Compute a shard with the stored task, in a worker."""
    return _fetch(folder, digest)(shard)


@lru_cache(maxsize=2)
def _fetch(folder: str, digest: str) -> ShardTask:
    """Read the task once per process; the digest ensures that it belongs to this run."""
    import cloudpickle

    try:
        packed = open_storage(folder).read(_WORK)
    except OSError as error:
        raise SourceError(
            f"this worker cannot access {folder}: {error}. For a Dask cluster, `out` must be a "
            "folder that all machines share under one path, or at an address such as s3://..."
        ) from error
    if hashlib.sha256(packed).hexdigest() != digest:
        raise SourceError(f"{_WORK} in {folder} was not written by this run.")
    return cloudpickle.loads(packed)


def _answer(future, distributed) -> ShardResult | WorkerDied:
    if future.status == "lost":
        # The worker died together with the result; the scheduler has the shard recomputed.
        with suppress(TimeoutError, CancelledError):
            future.exception(timeout=_AGAIN)
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
