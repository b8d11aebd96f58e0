"""A time limit that also ends work which never returns to Python."""

from __future__ import annotations

import faulthandler
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["TIME_LIMIT_EXIT", "time_limit"]

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
