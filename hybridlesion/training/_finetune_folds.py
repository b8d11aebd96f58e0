"""The networks of a fine-tuning, one for each fold, one after the other or in several processes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from hybridlesion._atomic import atomic_path
from hybridlesion.batch import count_jobs, map_unordered
from hybridlesion.cnn import Examples, FinetuneRecipe
from hybridlesion.model_selection import grouped_folds

__all__ = ["WHOLE", "FoldWork", "StepNote", "run_folds", "watch_steps"]

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


# The number of a fold that no image is in: its network learns from all of them.
WHOLE = -1

# One in so many groups of a fold's training images chooses the best epoch, where one is chosen.
_VALIDATION_PARTS = 8


@dataclass(frozen=True)
class FoldWork:
    """The picklable function that trains the network of one fold and scores what it did not see.

    Parameters
    ----------
    folder : Path
        Workspace, which holds ``crops.npy``.
    rows : ndarray of shape (n,), int
        Rows of the crops that could be read.
    target, source, diagnosis, group, fold : ndarray of shape (n,), int
        What is known about them.
    recipe : FinetuneRecipe
        Settings.
    backbone : str
        A timm model name.
    weights : str or None
        Its pretrained weights.
    device : str
        Where it learns.
    """

    folder: Path
    rows: np.ndarray
    target: np.ndarray
    source: np.ndarray
    diagnosis: np.ndarray
    group: np.ndarray
    fold: np.ndarray
    recipe: FinetuneRecipe
    backbone: str
    weights: str | None
    device: str

    def __call__(self, fold: int, progress: Callable | None = None) -> tuple[int, np.ndarray]:
        """Train without a fold.

        Parameters
        ----------
        fold : int
            Which; `WHOLE` leaves out none.
        progress : callable, default=None
            Called as ``progress(steps_done, steps)``; None notes the steps in the workspace.

        Returns
        -------
        tuple of int and ndarray of shape (n_unseen,), float32
            The fold, and the log odds of its images, which the network did not see.
        """
        from hybridlesion.cnn import create_network, predict, save_network, train

        name = _name(fold)
        crops = np.load(self.folder / "crops.npy", mmap_mode="r")
        # Another seed for every fold, so that their errors are not those of one beginning.
        recipe = replace(self.recipe, seed=self.recipe.seed + 1 + fold)
        learned, chosen = self._parts(fold, recipe)
        network = create_network(
            self.backbone,
            self.weights,
            int(self.diagnosis.max()) + 1 if recipe.auxiliary else 0,
            dropout=recipe.dropout,
            seed=recipe.seed,
        )
        done = train(
            network,
            self._examples(crops, learned),
            recipe,
            validation=self._examples(crops, chosen) if len(chosen) else None,
            device=self.device,
            checkpoint=self.folder / f"{name}.pt",
            progress=progress or StepNote(self.folder, name),
        )
        with atomic_path(self.folder / f"{name}.curve.csv") as temporary:
            pd.DataFrame(done.curve).assign(fold=fold).to_csv(temporary, index=False)
        save_network(self.folder.parent / f"{name}.safetensors", done.average)
        unseen = crops[self.rows[self.fold == fold]]
        return fold, predict(done.average, unseen, recipe.image_size, device=self.device)

    def _parts(self, fold: int, recipe: FinetuneRecipe) -> tuple[np.ndarray, np.ndarray]:
        """Images to learn from, and those that choose the best epoch."""
        rest = np.flatnonzero(self.fold != fold)
        if not recipe.patience:
            return rest, rest[:0]
        part = grouped_folds(
            self.target[rest],
            self.group[rest],
            n_splits=_VALIDATION_PARTS,
            random_state=recipe.seed,
        )
        return rest[part > 0], rest[part == 0]

    def _examples(self, crops: np.ndarray, chosen: np.ndarray) -> Examples:
        return Examples(
            crops[self.rows[chosen]],
            self.target[chosen],
            self.source[chosen],
            self.diagnosis[chosen],
        )


def run_folds(
    work: FoldWork,
    folds: Sequence[int],
    *,
    n_jobs: int = 1,
    progress: Callable[[int, int, int], None] | None = None,
) -> np.ndarray:
    """Train every fold's network and score every image by the one that did not see it.

    Parameters
    ----------
    work : FoldWork
        What is trained.
    folds : sequence of int
        Which folds, each once; `WHOLE` scores nothing.
    n_jobs : int, default=1
        Processes, each with one thread; on a GPU always one.
    progress : callable, default=None
        Called as ``progress(done, failed, total)`` with the steps of all folds.

    Returns
    -------
    ndarray of shape (n,), float32
        Log odds; NaN where no fold was asked for.
    """
    jobs = 1 if work.device != "cpu" else min(count_jobs(n_jobs), len(folds))
    scores = np.full(len(work.rows), np.nan, np.float32)
    if jobs == 1:
        answers = _in_turn(work, folds, progress)
    else:
        answers = _side_by_side(work, folds, jobs, progress)
    for fold, odds in answers:
        scores[work.fold == fold] = odds
    return scores


def _in_turn(work: FoldWork, folds: Sequence[int], progress: Callable | None) -> Iterator:
    for position, fold in enumerate(folds):

        def report(done: int, steps: int, position: int = position) -> None:
            if progress is not None:
                progress(position * steps + done, 0, len(folds) * steps)

        yield work(fold, report)


def _side_by_side(
    work: FoldWork, folds: Sequence[int], jobs: int, progress: Callable | None
) -> Iterator:
    with watch_steps(work.folder, [_name(fold) for fold in folds], progress):
        yield from map_unordered(work, folds, n_jobs=jobs)


def _name(fold: int) -> str:
    return "whole" if fold == WHOLE else f"fold_{fold}"
