"""Progress on standard error: a bar on a terminal, otherwise a line every ten seconds."""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

_SECONDS_BETWEEN_LINES = 10.0

Progress = Callable[[int, int, int], None]

# Consoles of the progress bars that are shown.
_consoles: list[Any] = []


def show_waiting(what: str) -> AbstractContextManager:
    """Show a spinner on a terminal while work of unknown length is in progress.

    Parameters
    ----------
    what : str
        Description, such as ``"fitting"``.

    Returns
    -------
    context manager
        Spinner for a ``with`` statement.
    """
    if not _is_terminal():
        return nullcontext()
    from rich.console import Console

    return Console(stderr=True).status(what)


def say(text: str) -> None:
    """Print a line on standard error, above the progress bar if there is one.

    Parameters
    ----------
    text : str
        Line to print.
    """
    if _consoles:
        _consoles[-1].print(text, markup=False, highlight=False, soft_wrap=True)
    else:
        print(text, file=sys.stderr, flush=True)


def show_progress(*stages: str) -> AbstractContextManager[Progress]:
    """Show the progress of work.

    Parameters
    ----------
    *stages : str
        Description of each stage of the work, such as ``"measuring"``.

    Returns
    -------
    context manager
        Context in which a function can be called as ``progress(done, failed, total)``. If `done`
        decreases or `total` changes, the next stage begins, or the last one again.
    """
    return _bar(stages) if _is_terminal() else nullcontext(_lines(stages))


def _is_terminal() -> bool:
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def plain_line(what: str, done: int, failed: int, total: int, seconds: float, fresh: int) -> str:
    """Format progress as a line.

    Parameters
    ----------
    what : str
        Description, such as ``"measuring"``.
    done, failed, total : int
        Numbers of processed images, failed images, and all images.
    seconds : float
        Time over which the rate is computed.
    fresh : int
        Number of images processed in that time; `done` may include images from an interrupted run.

    Returns
    -------
    str
        Formatted line.

    Examples
    --------
    >>> plain_line("measuring", 640, 3, 6400, 32.0, 640)
    'measuring: 640 of 6,400 (10 %), 3 failed, 20.0/s, 4 min 48 s left'
    """
    rate = fresh / seconds if seconds > 0 else 0.0
    parts = [f"{what}: {done:,} of {total:,} ({100 * done / max(total, 1):.0f} %)"]
    parts += [f"{failed:,} failed"] if failed else []
    if rate > 0:
        parts.append(f"{rate:.1f}/s")
        parts += [f"{duration((total - done) / rate)} left"] if done < total else []
    return ", ".join(parts)


def _lines(stages: Sequence[str]) -> Progress:
    # Time and count at the first report, which may include images from an interrupted run.
    start, before, last, begun = 0.0, 0, (math.inf, -1), 0
    due = time.monotonic() + _SECONDS_BETWEEN_LINES

    def progress(done: int, failed: int, total: int) -> None:
        nonlocal start, before, last, begun, due
        now = time.monotonic()
        if done < last[0] or total != last[1]:
            # The first report, or the first of the next stage.
            start, before, begun = now, done, begun + 1
        last = done, total
        if now < due and done < total:
            return
        due = now + _SECONDS_BETWEEN_LINES
        what = stages[min(begun, len(stages)) - 1]
        line = plain_line(what, done, failed, total, now - start, done - before)
        print(line, file=sys.stderr, flush=True)

    return progress


@contextmanager
def _bar(stages: Sequence[str]) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    counts = (BarColumn(), MofNCompleteColumn(), "{task.fields[rate]}", TimeRemainingColumn())
    console = Console(stderr=True)
    with RichProgress("{task.description}", *counts, console=console, transient=True) as bar:
        task = bar.add_task(stages[0], total=None, rate="")
        begun = 0

        def progress(done: int, failed: int, total: int) -> None:
            nonlocal begun
            if done < bar.tasks[task].completed or total != bar.tasks[task].total:
                bar.reset(task, description=stages[min(begun, len(stages) - 1)])
                begun += 1
            speed = bar.tasks[task].speed
            rate = f"{speed:.1f}/s" if speed else ""
            rate += f", {failed:,} failed" if failed else ""
            bar.update(task, completed=done, total=total, rate=rate)

        _consoles.append(console)
        try:
            yield progress
        finally:
            _consoles.pop()


def duration(seconds: float) -> str:
    """Format a time in words.

    Parameters
    ----------
    seconds : float
        Time in seconds.

    Returns
    -------
    str
        Two units at most.

    Examples
    --------
    >>> duration(90), duration(7400)
    ('1 min 30 s', '2 h 3 min')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
