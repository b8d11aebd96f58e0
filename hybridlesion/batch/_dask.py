"""Shards on an existing Dask cluster."""

from __future__ import annotations

import hashlib
import secrets
import warnings
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import CancelledError
from contextlib import suppress
from functools import lru_cache
from itertools import islice

from hybridlesion._optional_imports import import_optional
from hybridlesion._validation import check_number
from hybridlesion.batch._executors import TIME_LIMIT, Answers, Runner
from hybridlesion.batch._measure import ShardWork
from hybridlesion.batch._shards import Shard
from hybridlesion.batch._storage import open_place
from hybridlesion.batch._workers import Lost
from hybridlesion.exceptions import HybridLesionError, SourceError
from hybridlesion.featurizer import Failure

__all__ = ["DaskRunner"]

# The work itself, in the folder of the shards: a worker that joins late or comes back reads it
# there, and the scheduler need not carry a network's weights with every shard.
_WORK = "work.pickle"
# Seconds in which a shard whose answer was lost should have been computed once more.
_AGAIN = 600


class DaskRunner(Runner):
    """The workers of a Dask cluster that runs already.

    Parameters
    ----------
    address : str
        Address of the scheduler, such as ``tcp://10.0.0.1:8786``.
    resources : mapping of str to float, default=None
        What a worker must offer for each shard, such as ``{"GPU": 1}``; None takes every worker.
    time_limit : float or None, default=120.0
        Seconds that one image may take; a worker that takes longer ends itself, and its nanny
        starts another. None sets no limit.

    Notes
    -----
    Workers must see the images and the output's folder under the same names as this process, and
    run the same version of this package. They may join late, leave and die. A shard over which
    the scheduler gives up (by default after three dead workers) is computed by this process's own
    workers, which find the image that is to blame. Shards are handed out twice as many at a time
    as there are threads on the workers.
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
            A shard, and its failures or `Lost`.

        Raises
        ------
        SourceError
            If the scheduler cannot be reached, or a worker does not see the output's folder.
        HybridLesionError
            If the scheduler is lost on the way.
        """
        distributed = import_optional(
            "distributed", feature="work on a Dask cluster", install="hybridlesion[dask]"
        )
        import cloudpickle

        packed = cloudpickle.dumps(work.limited(self.time_limit))
        order = _Order(str(work.folder.place), hashlib.sha256(packed).hexdigest())
        with self._client(distributed) as client:
            work.folder.place.write(_WORK, packed)
            yield from self._keep_busy(client, distributed, order, iter(shards))

    def _client(self, distributed):
        try:
            client = distributed.Client(self.address, set_as_default=False)
        except (OSError, ValueError) as error:
            raise SourceError(
                f"there is no Dask scheduler at {self.address}: {error}. Start one with `dask "
                "scheduler`, and give the address that it prints."
            ) from error
        if not client.nthreads():
            warnings.warn(
                f"the Dask cluster at {self.address} has no workers yet; waiting for the first.",
                UserWarning,
                stacklevel=2,
            )
        return client

    def _keep_busy(self, client, distributed, order: _Order, shards: Iterator[Shard]) -> Answers:
        running = {}
        # Not named after the data: another run on the same cluster must not share the result.
        run = f"hybridlesion-{secrets.token_hex(6)}"
        finished = distributed.as_completed(loop=client.loop)
        while True:
            # Asked for again each time: workers join late.
            wanted = 2 * max(1, sum(client.nthreads().values())) - len(running)
            for shard in islice(shards, max(0, wanted)):
                future = client.submit(
                    order,
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


class _Order:
    """What a worker is told: where the work lies, and by which digest it is known."""

    def __init__(self, folder: str, digest: str):
        self.folder, self.digest = folder, digest

    def __call__(self, shard: Shard) -> list[Failure]:
        return _fetch(self.folder, self.digest)(shard)


@lru_cache(maxsize=2)
def _fetch(folder: str, digest: str) -> ShardWork:
    """Read the work once a process; the digest holds off whatever else may lie there."""
    import cloudpickle

    try:
        packed = open_place(folder).read(_WORK)
    except OSError as error:
        raise SourceError(
            f"this worker does not see {folder}: {error}. With --dask, --out must lie in a folder "
            "that all machines share under one name, or at an address such as s3://..."
        ) from error
    if hashlib.sha256(packed).hexdigest() != digest:
        raise SourceError(f"{_WORK} in {folder} is not what this run has written there.")
    return cloudpickle.loads(packed)


def _answer(future, distributed) -> list[Failure] | Lost:
    if future.status == "lost":
        # Its worker died with the answer, and the scheduler has the shard computed again.
        with suppress(TimeoutError, CancelledError):
            distributed.wait(future, timeout=_AGAIN)
    error = future.exception() if future.status == "error" else None
    if isinstance(error, distributed.KilledWorker):
        return Lost(None)
    if error is not None:
        raise error
    if future.status != "finished":
        raise HybridLesionError(
            f"the Dask cluster gave up a shard ({future.status}), most likely because its "
            "scheduler was stopped. What is done is kept: run the same command again."
        )
    return future.result()
