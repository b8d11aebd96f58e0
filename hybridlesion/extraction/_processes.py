"""Run one function over many pieces of work, in this process or in several."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar

from hybridlesion._opencv import cv2
from hybridlesion.exceptions import HybridLesionError

__all__ = ["count_jobs", "map_unordered"]

Piece = TypeVar("Piece")
Answer = TypeVar("Answer")


def count_jobs(n_jobs: int) -> int:
    """Turn the `n_jobs` of scikit-learn into a number of processes.

    Parameters
    ----------
    n_jobs : int
        At least 1, or -1 for every core that this process may use.

    Returns
    -------
    int
        Number of processes.

    Raises
    ------
    ValueError
        If `n_jobs` is 0 or below -1.

    Examples
    --------
    >>> count_jobs(3)
    3
    """
    if n_jobs == -1:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    if not isinstance(n_jobs, int) or n_jobs < 1:
        raise ValueError(f"n_jobs must be at least 1, or -1 for every core, got {n_jobs!r}.")
    return n_jobs


def map_unordered(
    function: Callable[[Piece], Answer], pieces: Iterable[Piece], *, n_jobs: int
) -> Iterator[Answer]:
    """Yield ``function(piece)`` for every piece as it is done.

    Parameters
    ----------
    function : callable
        Picklable function of one piece.
    pieces : iterable
        Work; taken as it is needed, so that a long list of it never waits in memory.
    n_jobs : int
        Number of processes; 1 stays in this one.

    Yields
    ------
    object
        Answers, in order of completion.

    Raises
    ------
    HybridLesionError
        If a worker process died.
    """
    if n_jobs == 1:
        with _one_thread():
            yield from map(function, pieces)
        return
    # A forked child of a process that has started threads (torch, OpenCV) can hang; a spawned
    # one cannot.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(n_jobs, mp_context=context, initializer=_start_worker)
    try:
        yield from _keep_busy(pool, function, iter(pieces), 2 * n_jobs)
    except BrokenProcessPool as error:
        raise HybridLesionError(
            "a worker process died, most likely for want of memory. What is done is kept: run the "
            "same command again, with fewer --jobs. In a script of your own, a call with several "
            'processes must stand below `if __name__ == "__main__":`.'
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _keep_busy(pool, function, pieces, in_flight) -> Iterator:
    waiting = {pool.submit(function, piece) for piece in islice(pieces, in_flight)}
    while waiting:
        done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
        waiting |= {pool.submit(function, piece) for piece in islice(pieces, len(done))}
        for future in done:
            yield future.result()


def _start_worker() -> None:
    # One thread a process: the processes are the parallelism.
    os.environ["OMP_NUM_THREADS"] = "1"
    cv2.setNumThreads(1)


@contextmanager
def _one_thread() -> Iterator[None]:
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
