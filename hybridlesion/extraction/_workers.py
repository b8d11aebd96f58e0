"""Worker processes that may die: the piece of work is told, and another process takes over."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import TypeVar

from hybridlesion._opencv import cv2
from hybridlesion.exceptions import HybridLesionError
from hybridlesion.extraction._watchdog import TIME_LIMIT_EXIT

__all__ = ["Lost", "supervise"]

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
