"""Run one function over many pieces of work, in this process or in several."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from hybridlesion._opencv import cv2
from hybridlesion.exceptions import HybridLesionError
from hybridlesion.extraction._workers import Lost, supervise

__all__ = ["count_jobs", "map_unordered", "one_thread"]

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
        with one_thread():
            yield from map(function, pieces)
        return
    for _, answer in supervise(function, pieces, n_jobs):
        if isinstance(answer, Lost):
            raise HybridLesionError(
                f"{answer.reason()}. What is done is kept: run the same command again, with fewer "
                "--jobs."
            )
        yield answer


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep OpenCV in this process to one thread while the block lasts.

    Yields
    ------
    None
        Nothing.
    """
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
