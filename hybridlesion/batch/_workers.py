"""Worker processes that may die: the piece of work is told, and another process takes over."""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import TypeVar

from hybridlesion._optional_imports import cv2
from hybridlesion.exceptions import HybridLesionError

__all__ = [
    "TIME_LIMIT_EXIT",
    "Lost",
    "count_jobs",
    "map_unordered",
    "one_thread",
    "supervise",
    "time_limit",
]

# Exit status of a process that ran out of its time; faulthandler gives no other.
TIME_LIMIT_EXIT = 1

# The alarm belongs to the whole process: threads side by side share it.
_active = 0
_active_lock = threading.Lock()


@contextmanager
def time_limit(seconds: float | None) -> Iterator[Callable[[], None]]:
    """End this process if its work shows no sign of life for too long.

    Parameters
    ----------
    seconds : float or None
        Time without a sign of life after which the process exits at once with status
        `TIME_LIMIT_EXIT`; None sets no limit.

    Yields
    ------
    callable
        The sign of life: called without arguments, it gives the full time anew.

    Notes
    -----
    An exception, a signal or a thread of Python's own would wait until the interpreter gets its
    turn, and a codec that hangs never gives it back. The alarm of `faulthandler` is a thread that
    needs no interpreter. It takes the process with it, so it is for processes that someone
    watches and replaces, never for the user's own.
    """
    global _active
    if seconds is None:
        yield _nothing
        return
    # Kept open for the alarm: it writes where every thread stood, which users need not see.
    with open(os.devnull, "w") as nowhere:

        def sign_of_life() -> None:
            with _active_lock:
                faulthandler.dump_traceback_later(seconds, exit=True, file=nowhere)

        with _active_lock:
            _active += 1
        sign_of_life()
        try:
            yield sign_of_life
        finally:
            with _active_lock:
                _active -= 1
                if _active == 0:
                    faulthandler.cancel_dump_traceback_later()


def _nothing() -> None:
    """Take a sign of life where nobody waits for one."""


Piece = TypeVar("Piece")
Answer = TypeVar("Answer")

# A forked child of a process that has started threads (torch, OpenCV) can hang; a spawned one
# cannot.
_CONTEXT = multiprocessing.get_context("spawn")
_NO_MORE = object()
# Seconds in which a worker that is told to stop may tidy up.
_GRACE = 5.0
# So many deaths before the first answer are a broken machine, not a broken image.
_DEATHS_AT_THE_START = 10


@dataclass(frozen=True)
class Lost:
    """The place of an answer that never came, because the worker died over it.

    Parameters
    ----------
    exit_code : int or None
        Exit status of the process, negative for a signal; None if nobody knows.
    """

    exit_code: int | None

    def reason(self, limit: float | None = None) -> str:
        """Say what became of the worker.

        Parameters
        ----------
        limit : float or None, default=None
            Seconds that it had without a sign of life, if there was a limit.

        Returns
        -------
        str
            Half a sentence.

        Examples
        --------
        >>> Lost(-11).reason()
        'the worker process died of SIGSEGV'
        """
        if self.exit_code == TIME_LIMIT_EXIT and limit is not None:
            return f"it took longer than the limit of {limit:g} s"
        if self.exit_code is None:
            return "the worker process died"
        if self.exit_code >= 0:
            return f"the worker process exited with status {self.exit_code}"
        with suppress(ValueError):
            name = signal.Signals(-self.exit_code).name
            memory = ", most likely for want of memory" if name == "SIGKILL" else ""
            return f"the worker process died of {name}{memory}"
        return f"the worker process died of signal {-self.exit_code}"


def supervise(
    function: Callable[[Piece], Answer],
    pieces: Iterable[Piece],
    n_workers: int,
    *,
    expect_deaths: bool = False,
) -> Iterator[tuple[Piece, Answer | Lost]]:
    """Yield every piece with its answer, in order of completion.

    Parameters
    ----------
    function : callable
        Picklable function of one piece. What it raises is raised here, and ends the work.
    pieces : iterable
        Picklable work; taken one by one as a worker is free.
    n_workers : int
        Processes at once.
    expect_deaths : bool, default=False
        Whether to go on even where no worker lives to give a first answer.

    Yields
    ------
    tuple
        The piece, and its answer or `Lost`.

    Raises
    ------
    HybridLesionError
        If workers cannot be started, or the first ones all die over whatever they are given.
    """
    crew: dict[Connection, _Worker] = {}
    pieces = iter(pieces)
    piece = next(pieces, _NO_MORE)
    packed = pickle.dumps(function) if piece is not _NO_MORE else b""
    deaths = answers = 0
    try:
        while crew or piece is not _NO_MORE:
            while piece is not _NO_MORE and len(crew) < n_workers:
                worker = _Worker(packed, piece)
                crew[worker.connection] = worker
                piece = next(pieces, _NO_MORE)
            for connection in wait(list(crew)):
                worker = crew[connection]
                finished, answer = worker.receive()
                if finished is _NO_MORE:
                    continue
                if isinstance(answer, Lost):
                    del crew[connection]
                    deaths += 1
                    if not answers and not expect_deaths:
                        _check_deaths(deaths, answer)
                elif piece is _NO_MORE:
                    del crew[connection]
                    worker.dismiss()
                else:
                    worker.give(piece)
                    piece = next(pieces, _NO_MORE)
                answers += not isinstance(answer, Lost)
                yield finished, answer
    finally:
        _stop(crew.values())


class _Worker:
    """A process, the pipe to it and the piece that it is at."""

    def __init__(self, packed: bytes, piece: object):
        self.connection, theirs = _CONTEXT.Pipe()
        self.process = _CONTEXT.Process(target=_serve, args=(packed, theirs))
        with _interrupts_held():
            self.process.start()
        # The only other end is then the worker's, so that its death closes the pipe.
        theirs.close()
        self.ready = False
        self.piece = piece

    def give(self, piece: object) -> None:
        self.piece = piece
        # A worker that is dead by now is found out by the end of the pipe.
        with suppress(OSError):
            self.connection.send(piece)

    def receive(self) -> tuple[object, object]:
        """Return the piece that is done, if any, and the answer or `Lost`."""
        try:
            raised, answer = self.connection.recv()
        except (EOFError, OSError):
            self.dismiss()
            return self.piece, self._lost()
        if raised:
            raise answer
        if self.ready:
            return self.piece, answer
        self.ready = True
        self.give(self.piece)
        return _NO_MORE, None

    def dismiss(self) -> None:
        self.connection.close()
        self.process.join()

    def _lost(self) -> Lost:
        lost = Lost(self.process.exitcode)
        if self.ready:
            return lost
        raise HybridLesionError(
            f"a worker process could not start: {lost.reason()}. In a script of your own, a call "
            'with several processes must stand below `if __name__ == "__main__":`.'
        )


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Start a process that never sees Ctrl-C, which reaches all processes of a terminal."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _check_deaths(deaths: int, last: Lost) -> None:
    if deaths >= _DEATHS_AT_THE_START:
        raise HybridLesionError(
            f"the first {deaths} worker processes all died; the last: {last.reason()}. See to the "
            "machine's memory, or run the same command with fewer --jobs."
        )


def _stop(workers: Iterable[_Worker]) -> None:
    workers = list(workers)
    for worker in workers:
        worker.process.terminate()
    for worker in workers:
        worker.process.join(_GRACE)
        if worker.process.exitcode is None:
            worker.process.kill()
        worker.dismiss()


def _serve(packed: bytes, connection: Connection) -> None:
    """Answer pieces until the pipe ends, which it also does when the parent is gone."""
    # One thread a process: the processes are the parallelism.
    os.environ["OMP_NUM_THREADS"] = "1"
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The parent decides when to stop; this lets a worker remove the file that it is writing.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        function = _attempt(pickle.loads, packed, connection)
        connection.send((False, None))
        while True:
            piece = connection.recv()
            answer = _attempt(function, piece, connection)
            connection.send((False, answer))


def _attempt(function: Callable, argument: object, connection: Connection) -> object:
    """Call the function; send what it raises, with where it came from, and end this process."""
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
