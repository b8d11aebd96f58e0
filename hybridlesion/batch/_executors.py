"""Who computes the shards: processes of this machine, or whatever joblib is set to."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator

from hybridlesion._validation import check_number
from hybridlesion.batch._measure import ShardWork
from hybridlesion.batch._shards import Shard
from hybridlesion.batch._workers import TIME_LIMIT_EXIT, Lost, count_jobs, one_thread, supervise
from hybridlesion.exceptions import HybridLesionError
from hybridlesion.featurizer import Failure

__all__ = ["TIME_LIMIT", "JoblibRunner", "ProcessRunner", "Runner"]

# Seconds: hundreds of times what an image takes, so that a busy machine is not mistaken for a
# hanging one.
TIME_LIMIT = 120.0

Answers = Iterator[tuple[Shard, list[Failure] | Lost]]


class Runner(ABC):
    """What `extract_features` asks of those who compute its shards.

    Attributes
    ----------
    time_limit : float or None
        Seconds that one image may take where a process of its own measures it; None: no limit.
    """

    time_limit: float | None = None

    @abstractmethod
    def run(self, work: ShardWork, shards: Iterable[Shard]) -> Answers:
        """Compute shards.

        Parameters
        ----------
        work : ShardWork
            Picklable function that computes a shard, stores it, and returns its failures.
        shards : iterable of Shard
            To be taken a few at a time: all together may not fit into memory.

        Yields
        ------
        tuple
            A shard, and its failures or `Lost`.
        """


class ProcessRunner(Runner):
    """Processes of this machine, each watched: one that dies or hangs costs no more than itself.

    Parameters
    ----------
    n_jobs : int, default=1
        Processes. 1 works in the calling process, which nothing protects; -1 takes every core,
        in processes of their own even where there is but one core.
    time_limit : float or None, default=120.0
        Seconds that one image may take in a process of its own; None sets no limit.
    """

    def __init__(self, n_jobs: int = 1, *, time_limit: float | None = TIME_LIMIT):
        count_jobs(n_jobs)
        if time_limit is not None:
            check_number("time_limit", time_limit, low=0.1)
        self.n_jobs = n_jobs
        self.time_limit = time_limit

    def run(self, work: ShardWork, shards: Iterable[Shard]) -> Answers:
        """Compute shards; one whose worker died is tried once more, one that took too long is not.

        Parameters
        ----------
        work : ShardWork
            Picklable function that computes a shard, stores it, and returns its failures.
        shards : iterable of Shard
            Taken one by one, as a process is free.

        Yields
        ------
        tuple
            A shard, and its failures or `Lost`.
        """
        if self.n_jobs == 1:
            with one_thread():
                for shard in shards:
                    yield shard, work(shard)
            return
        lost = []
        work = work.limited(self.time_limit)
        for shard, answer in supervise(work, shards, count_jobs(self.n_jobs)):
            if isinstance(answer, Lost) and answer.exit_code != TIME_LIMIT_EXIT:
                lost.append(shard)
            else:
                yield shard, answer
        # One process has all the memory that several may have lacked.
        yield from supervise(work, lost, 1, expect_deaths=True)


class JoblibRunner(Runner):
    """Whatever backend `joblib.parallel_config` chooses: loky, threading, dask or another.

    Parameters
    ----------
    n_jobs : int or None, default=None
        Jobs at once; None takes what `joblib.parallel_config` says.

    Notes
    -----
    joblib gives up when one of its processes dies. What is done is kept, but which image was to
    blame remains unknown; `ProcessRunner` finds it.

    Examples
    --------
    ::

        with joblib.parallel_config(backend="loky", n_jobs=4):
            extract_features(records, "features.parquet", runner=JoblibRunner())
    """

    def __init__(self, n_jobs: int | None = None):
        self.n_jobs = n_jobs

    def run(self, work: ShardWork, shards: Iterable[Shard]) -> Answers:
        """Compute shards.

        Parameters
        ----------
        work : ShardWork
            Picklable function that computes a shard, stores it, and returns its failures.
        shards : iterable of Shard
            Taken a few at a time.

        Yields
        ------
        tuple
            A shard and its failures.

        Raises
        ------
        HybridLesionError
            If a process of joblib died.
        """
        from joblib import Parallel, delayed

        # Answers come back with their shard, since their order is that of completion.
        parallel = Parallel(n_jobs=self.n_jobs, batch_size=1, return_as="generator_unordered")
        try:
            with one_thread():
                yield from parallel(delayed(_with_shard)(work, shard) for shard in shards)
        except RuntimeError as error:
            if type(error).__name__ not in ("TerminatedWorkerError", "BrokenProcessPool"):
                raise
            raise HybridLesionError(
                "a process of joblib's died. What is done is kept: run it again with fewer jobs, "
                "or with ProcessRunner, which finds the image that is to blame."
            ) from error


def _with_shard(work: ShardWork, shard: Shard) -> tuple[Shard, list[Failure]]:
    return shard, work(shard)
