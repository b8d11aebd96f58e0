"""Training of the networks of a fine-tuning, one per fold."""

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

# Seconds between two notes of one training.
_SECONDS = 2.0

Progress = Callable[[int, int, int], None]


class StepNote:
    """Progress callback that writes the steps of one training into a file, at most every 2 s.

    Parameters
    ----------
    folder : Path
        Run directory.
    name : str
        Name of the training.
    """

    def __init__(self, folder: Path, name: str):
        self.path = _path(folder, name)
        self.written = -_SECONDS

    def __call__(self, done: int, total: int) -> None:
        """Write the steps, unless they were written a moment ago.

        Parameters
        ----------
        done, total : int
            Steps done, and their total.
        """
        now = time.monotonic()
        if now - self.written < _SECONDS and done < total:
            return
        self.written = now
        with atomic_path(self.path) as temporary:
            temporary.write_text(f"{done} {total}", encoding="utf-8")


@contextmanager
def watch_steps(folder: Path, names: Sequence[str], progress: Progress | None) -> Iterator[None]:
    """Report the sum of the steps of all trainings while the block runs.

    Parameters
    ----------
    folder : Path
        Run directory.
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
            # A training that has not begun counts as long as the longest.
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


# Fold number without images: its network is trained on all of them.
WHOLE = -1

# One in this many groups of the training images validates, if the recipe has a patience.
_VALIDATION_PARTS = 8


@dataclass(frozen=True)
class FoldWork:
    """Picklable function that trains the network of one fold and scores the images of that fold.

    Parameters
    ----------
    folder : Path
        Run directory with ``crops.npy``.
    rows : ndarray of shape (n,), int
        Rows of ``crops.npy`` that could be read.
    target, source, diagnosis, group, fold : ndarray of shape (n,), int
        Target, source, diagnosis (-1 if unknown), group and fold of each row.
    recipe : FinetuneRecipe
        Training settings.
    backbone : str
        A timm model name.
    weights : str or None
        Its pretrained weights; None uses timm's.
    device : str
        Device of the training.
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

    def __call__(
        self, fold: int, progress: Callable[[int, int], None] | None = None
    ) -> tuple[int, np.ndarray]:
        """Train without a fold.

        Parameters
        ----------
        fold : int
            Fold to leave out; `WHOLE` leaves out none.
        progress : callable, default=None
            Called as ``progress(steps_done, steps)``; None writes them into the run
            directory.

        Returns
        -------
        tuple of int and ndarray of shape (n_unseen,), float32
            The fold, and the log odds of its images.
        """
        from hybridlesion.cnn import create_network, predict, save_network, train

        name = _name(fold)
        crops = np.load(self.folder / "crops.npy", mmap_mode="r")
        # Different seeds make the errors of the folds independent of one initialisation.
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
        """Split the other folds into training images and those that choose the best epoch."""
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
    progress: Progress | None = None,
) -> np.ndarray:
    """Train one network per fold and score the images of the fold with it.

    Parameters
    ----------
    work : FoldWork
        Data and settings.
    folds : sequence of int
        Folds to train; `WHOLE` scores nothing.
    n_jobs : int, default=1
        Processes, each with one thread; a GPU always uses one.
    progress : callable, default=None
        Called as ``progress(done, failed, total)`` with the steps of all folds.

    Returns
    -------
    ndarray of shape (n,), float32
        Log odds; NaN for images of other folds.
    """
    jobs = 1 if work.device != "cpu" else min(count_jobs(n_jobs), len(folds))
    scores = np.full(len(work.rows), np.nan, np.float32)
    answers = (
        _train_in_turn(work, folds, progress)
        if jobs == 1
        else _train_in_parallel(work, folds, jobs, progress)
    )
    for fold, odds in answers:
        scores[work.fold == fold] = odds
    return scores


def _train_in_turn(
    work: FoldWork, folds: Sequence[int], progress: Progress | None
) -> Iterator[tuple[int, np.ndarray]]:
    for position, fold in enumerate(folds):

        def report(done: int, steps: int, position: int = position) -> None:
            if progress is not None:
                progress(position * steps + done, 0, len(folds) * steps)

        yield work(fold, report)


def _train_in_parallel(
    work: FoldWork, folds: Sequence[int], jobs: int, progress: Progress | None
) -> Iterator[tuple[int, np.ndarray]]:
    with watch_steps(work.folder, [_name(fold) for fold in folds], progress):
        yield from map_unordered(work, folds, n_jobs=jobs)


def _name(fold: int) -> str:
    return "whole" if fold == WHOLE else f"fold_{fold}"
