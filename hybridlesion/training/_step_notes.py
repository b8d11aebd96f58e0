"""How far trainings in other processes have come, told by small files."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hybridlesion._files import atomic_path

__all__ = ["StepNote", "watch_steps"]

_SECONDS = 2.0


class StepNote:
    """Progress callback that notes the steps of one training in a file, every two seconds at most.

    Parameters
    ----------
    folder : Path
        Workspace.
    name : str
        Of the training.
    """

    def __init__(self, folder: Path, name: str):
        self.path = _path(folder, name)
        self.written = -_SECONDS

    def __call__(self, done: int, total: int) -> None:
        """Note the steps.

        Parameters
        ----------
        done, total : int
            Steps.
        """
        now = time.monotonic()
        if now - self.written < _SECONDS and done < total:
            return
        self.written = now
        with atomic_path(self.path) as temporary:
            temporary.write_text(f"{done} {total}", encoding="utf-8")


@contextmanager
def watch_steps(
    folder: Path, names: Sequence[str], progress: Callable[[int, int, int], None] | None
) -> Iterator[None]:
    """Report the sum of all noted steps while the block runs.

    Parameters
    ----------
    folder : Path
        Workspace.
    names : sequence of str
        The trainings.
    progress : callable or None
        Called as ``progress(done, 0, total)`` from another thread; None reports nothing.

    Yields
    ------
    None
        Nothing.
    """
    if progress is None:
        yield
        return
    over = threading.Event()

    def report() -> None:
        steps = [_read(_path(folder, name)) for name in names]
        if longest := max(total for _, total in steps):
            # a training that has not begun counts as long as the longest
            total = sum(total or longest for _, total in steps)
            progress(sum(done for done, _ in steps), 0, total)

    def watch() -> None:
        while not over.wait(_SECONDS):
            report()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
        report()
    finally:
        over.set()
        watcher.join()


def _path(folder: Path, name: str) -> Path:
    return folder / f"{name}.steps"


def _read(path: Path) -> tuple[int, int]:
    try:
        done, total = path.read_text(encoding="utf-8").split()
    except FileNotFoundError:
        return 0, 0
    return int(done), int(total)
