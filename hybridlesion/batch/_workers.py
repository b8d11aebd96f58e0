"""Supervised worker processes, which are reported and replaced if they die."""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

from hybridlesion._optional_imports import cv2
from hybridlesion.exceptions import HybridLesionError
from hybridlesion.featurizer import Failure

# In seconds. Hundreds of times longer than an image takes, so that a process on a busy machine is
# not mistaken for a hung process.
TIME_LIMIT = 120.0

# Exit status of a process that exceeded its time limit; fixed by faulthandler.
TIME_LIMIT_EXIT = 1

# There is one watchdog per process, shared by concurrent threads.
_active = 0
_active_lock = threading.Lock()


@contextmanager
def time_limit(seconds: float | None) -> Iterator[Callable[[], None]]:
    """Terminate this process if the block sends no heartbeat for too long.

    Parameters
    ----------
    seconds : float or None
        Time without a heartbeat after which the process exits immediately with status
        `TIME_LIMIT_EXIT`, or None for no limit.

    Yields
    ------
    callable
        Heartbeat function without arguments, which restarts the clock.

    Notes
    -----
    Exceptions, signals and Python threads need the interpreter lock, which a hung codec never
    releases. The watchdog thread of `faulthandler` does not need the lock. It terminates the whole
    process, so it should only be used in supervised workers.
    """
    global _active
    if seconds is None:
        yield lambda: None
        return
    # Must stay open: the watchdog writes tracebacks to this file, which users need not see.
    with open(os.devnull, "w") as null:

        def heartbeat() -> None:
            with _active_lock:
                faulthandler.dump_traceback_later(seconds, exit=True, file=null)

        with _active_lock:
            _active += 1
        heartbeat()
        try:
            yield heartbeat
        finally:
            with _active_lock:
                _active -= 1
                if _active == 0:
                    faulthandler.cancel_dump_traceback_later()


Piece = TypeVar("Piece")
Answer = TypeVar("Answer")

# A forked child of a process with threads (torch, OpenCV) can hang; a spawned child cannot.
_CONTEXT = multiprocessing.get_context("spawn")
_NOTHING = object()
# Seconds that a terminated worker may take to clean up.
_GRACE = 5.0
# This many deaths before the first result indicate a broken machine, not a broken image.
_MAX_EARLY_DEATHS = 10


@dataclass(frozen=True)
class WorkerDied:
    """Placeholder for a result whose worker died.

    Parameters
    ----------
    exit_code : int or None
        Exit status of the process (negative for a signal), or None if unknown.
    """

    exit_code: int | None

    @property
    def timed_out(self) -> bool:
        """Whether the worker exceeded its time limit."""
        return self.exit_code == TIME_LIMIT_EXIT

    def reason(self, limit: float | None = None) -> str:
        """Describe the death of the worker.

        Parameters
        ----------
        limit : float or None, default=None
            Time limit in seconds, or None if there was no limit.

        Returns
        -------
        str
            Clause without a full stop.

        Examples
        --------
        >>> WorkerDied(-11).reason()
        'the worker process died of SIGSEGV'
        """
        if self.timed_out and limit is not None:
            return f"it took longer than the limit of {limit:g} s"
        if self.exit_code is None:
            return "the worker process died"
        if self.exit_code >= 0:
            return f"the worker process exited with status {self.exit_code}"
        with suppress(ValueError):
            name = signal.Signals(-self.exit_code).name
            memory = ", most likely out of memory" if name == "SIGKILL" else ""
            return f"the worker process died of {name}{memory}"
        return f"the worker process died of signal {-self.exit_code}"


def supervise(
    function: Callable[[Piece], Answer],
    pieces: Iterable[Piece],
    n_workers: int,
    *,
    expect_deaths: bool = False,
) -> Iterator[tuple[Piece, Answer | WorkerDied]]:
    """Yield every piece of work with its result, in order of completion.

    Parameters
    ----------
    function : callable
        Picklable function of one piece. Its exceptions are re-raised here.
    pieces : iterable
        Picklable pieces, consumed one at a time whenever a worker is free.
    n_workers : int
        Number of processes.
    expect_deaths : bool, default=False
        Whether to continue even if every worker dies before the first result.

    Yields
    ------
    tuple
        A piece, and its result or `WorkerDied`.

    Raises
    ------
    HybridLesionError
        If workers cannot be started, or if the first workers all die.
    """
    workers: dict[object, _Worker] = {}
    pieces = iter(pieces)
    piece = next(pieces, _NOTHING)
    packed = pickle.dumps(function) if piece is not _NOTHING else b""
    deaths = answers = 0
    try:
        while workers or piece is not _NOTHING:
            while piece is not _NOTHING and len(workers) < n_workers:
                worker = _Worker(packed, piece)
                workers[worker.connection] = worker
                piece = next(pieces, _NOTHING)
            for connection in wait(list(workers)):
                worker = workers[connection]
                finished, answer = worker.receive()
                if finished is _NOTHING:
                    continue
                if isinstance(answer, WorkerDied):
                    del workers[connection]
                    deaths += 1
                    if deaths >= _MAX_EARLY_DEATHS and not answers and not expect_deaths:
                        raise HybridLesionError(
                            f"the first {deaths} worker processes all died; the last: "
                            f"{answer.reason()}. Check the memory, or pass fewer `n_jobs`."
                        )
                elif piece is _NOTHING:
                    del workers[connection]
                    worker.stop()
                else:
                    worker.give(piece)
                    piece = next(pieces, _NOTHING)
                answers += not isinstance(answer, WorkerDied)
                yield finished, answer
    finally:
        _stop(workers.values())


class _Worker:
    """Worker process, with its pipe and its current piece of work."""

    def __init__(self, packed: bytes, piece: object):
        self.connection, theirs = _CONTEXT.Pipe()
        self.process = _CONTEXT.Process(target=_serve, args=(packed, theirs))
        with _sigint_blocked():
            self.process.start()
        # Now only the worker holds the other end, so that its death closes the pipe.
        theirs.close()
        self.ready = False
        self.piece = piece

    def give(self, piece: object) -> None:
        self.piece = piece
        # If the worker is dead, `receive` detects this from the closed pipe.
        with suppress(OSError):
            self.connection.send(piece)

    def receive(self) -> tuple[Any, Any]:
        """Return the finished piece, if any, and its result or `WorkerDied`."""
        try:
            raised, answer = self.connection.recv()
        except (EOFError, OSError):
            self.stop()
            died = WorkerDied(self.process.exitcode)
            if self.ready:
                return self.piece, died
            raise HybridLesionError(
                f"a worker process could not start: {died.reason()}. In a script, calls with "
                'several processes must be guarded by `if __name__ == "__main__":`.'
            ) from None
        if raised:
            raise answer
        if self.ready:
            return self.piece, answer
        self.ready = True
        self.give(self.piece)
        return _NOTHING, None

    def stop(self) -> None:
        self.connection.close()
        self.process.join()


@contextmanager
def _sigint_blocked() -> Iterator[None]:
    """Block Ctrl-C, which reaches all processes in a terminal, while a process starts."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _stop(workers: Iterable[_Worker]) -> None:
    workers = list(workers)
    for worker in workers:
        worker.process.terminate()
    for worker in workers:
        worker.process.join(_GRACE)
        if worker.process.exitcode is None:
            worker.process.kill()
        worker.stop()


def _serve(packed: bytes, connection: Connection) -> None:
    """Process pieces until the pipe is closed, which also happens if the parent dies."""
    # One thread per process: the processes provide the parallelism.
    os.environ["OMP_NUM_THREADS"] = "1"
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The parent terminates workers with SIGTERM; `sys.exit` lets them remove temporary files.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        function = _attempt(pickle.loads, packed, connection)
        connection.send((False, None))
        while True:
            piece = connection.recv()
            answer = _attempt(function, piece, connection)
            connection.send((False, answer))


def _attempt(function: Callable, argument: object, connection: Connection) -> object:
    """Call the function; on an exception, send it to the parent with its traceback and exit."""
    try:
        return function(argument)
    except Exception as error:
        error.add_note(f"in a worker process:\n{traceback.format_exc()}")
        try:
            connection.send((True, error))
        except (pickle.PicklingError, TypeError, AttributeError):
            connection.send((True, RuntimeError(f"{type(error).__name__}: {error}")))
        sys.exit(0)


def count_jobs(n_jobs: int) -> int:
    """Convert `n_jobs` into a number of processes.

    Parameters
    ----------
    n_jobs : int
        At least 1, or -1 for all cores available to this process.

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


def run_jobs(
    function: Callable[[Piece], Answer], pieces: Iterable[Piece], n_jobs: int
) -> Iterator[tuple[Piece, Answer | WorkerDied]]:
    """Yield every piece of work with its result, in order of completion.

    Parameters
    ----------
    function : callable
        Picklable function of one piece.
    pieces : iterable
        Pieces of work, consumed as needed.
    n_jobs : int
        Number of supervised processes, or -1 for all cores. With 1, the work is done in the
        calling process, without supervision.

    Yields
    ------
    tuple
        A piece, and its result or `WorkerDied`.
    """
    if n_jobs == 1:
        with one_thread():
            for piece in pieces:
                yield piece, function(piece)
    else:
        yield from supervise(function, pieces, count_jobs(n_jobs))


def map_unordered(
    function: Callable[[Piece], Answer], pieces: Iterable[Piece], *, n_jobs: int
) -> Iterator[Answer]:
    """Yield ``function(piece)`` for every piece, in order of completion.

    Parameters
    ----------
    function : callable
        Picklable function of one piece.
    pieces : iterable
        Pieces of work, consumed as needed.
    n_jobs : int
        Number of processes. With 1, the work is done in the calling process.

    Yields
    ------
    object
        Result for one piece.

    Raises
    ------
    HybridLesionError
        If a worker process dies.
    """
    for _, answer in run_jobs(function, pieces, n_jobs):
        if isinstance(answer, WorkerDied):
            raise HybridLesionError(
                f"{answer.reason()}. Finished work is kept: run the command with fewer `n_jobs`."
            )
        yield answer


def run_blocks(
    function: Callable[..., dict[int, Any]], blocks: Iterable[Sequence[tuple]], n_jobs: int
) -> Iterator[dict[int, Any]]:
    """Yield the results of blocks of images, in order of completion.

    Parameters
    ----------
    function : callable
        Picklable function, called as ``function(block, limit=seconds)``, with None for no limit. It
        returns a result for each position in the block.
    blocks : iterable of sequence of tuple
        Blocks of ``(position, image_id, path, ...)``, consumed as needed.
    n_jobs : int
        Number of processes, as in `run_jobs`.

    Yields
    ------
    dict of int to object
        Results by position. If a block killed its worker, each of its images is retried alone, and
        the result of one that kills its worker again is a `Failure`.
    """
    limit = None if n_jobs == 1 else TIME_LIMIT
    work = partial(function, limit=limit)
    suspects: list[Sequence[tuple]] = []
    for block, answer in run_jobs(work, blocks, n_jobs):
        if isinstance(answer, WorkerDied):
            suspects += [[image] for image in block]
        else:
            yield answer
    for block, answer in supervise(work, suspects, 1, expect_deaths=True):
        if isinstance(answer, WorkerDied):
            position, image_id, path, *_ = block[0]
            failure = Failure(str(image_id), str(path), "worker", answer.reason(limit))
            answer = {position: failure}
        yield answer


def map_images(
    function: Callable[[Any], Answer], images: Iterable[tuple[str, str, Any]], n_jobs: int
) -> Iterator[tuple[int, Answer | Failure]]:
    """Yield the position and the result of each image, in order of completion.

    Parameters
    ----------
    function : callable
        Picklable function of one argument.
    images : iterable of tuple
        Image id, path and argument of each image, consumed as needed.
    n_jobs : int
        Number of processes, as in `run_jobs`.

    Yields
    ------
    tuple of int and object
        Position, and the result, or a `Failure` if the image killed its worker twice.
    """
    blocks = ([(position, *image)] for position, image in enumerate(images))
    for answer in run_blocks(partial(_call_alone, function), blocks, n_jobs):
        yield from answer.items()


def _call_alone(
    function: Callable[[Any], Answer], block: Sequence[tuple], limit: float | None
) -> dict[int, Answer]:
    ((position, _, _, argument),) = block
    with time_limit(limit):
        return {position: function(argument)}


@contextmanager
def one_thread() -> Iterator[None]:
    """Limit OpenCV to one thread while the block runs.

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
