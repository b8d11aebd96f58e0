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
from hybridlesion.training._image_store import ImageStore

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

# Held-out images of which the learning curve gives AUCs; more would take too long.
_MOST_HELD_OUT = 1500


@dataclass(frozen=True)
class FoldWork:
    """Picklable function that trains the network of one fold and scores the images of that fold.

    Parameters
    ----------
    folder : Path
        Run directory with the images.
    rows : ndarray of shape (n,), int
        Images that could be read.
    allowed : ndarray of shape (n, 8), bool
        Classes that each label admits.
    source, lesion, group, fold : ndarray of shape (n,), int
        Source, lesion, group and fold of each row.
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
    allowed: np.ndarray
    source: np.ndarray
    lesion: np.ndarray
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
        tuple of int and ndarray of shape (n_unseen, 8), float32
            The fold, and the logits of its images.
        """
        from hybridlesion.cnn import create_network, predict, save_network, train

        name = _name(fold)
        finished = self.folder / f"{name}.logits.npy"
        if finished.is_file():
            return fold, np.load(finished)
        # Different seeds make the errors of the folds independent of one initialisation.
        recipe = replace(self.recipe, seed=self.recipe.seed + 1 + fold)
        examples = self._examples()
        unseen = examples.subset(np.flatnonzero(self.fold == fold))
        few = np.random.default_rng(recipe.seed).permutation(len(unseen))[:_MOST_HELD_OUT]
        done = train(
            create_network(self.backbone, self.weights, dropout=recipe.dropout),
            examples.subset(np.flatnonzero(self.fold != fold)),
            recipe,
            held_out=unseen.subset(np.sort(few)),
            device=self.device,
            checkpoint=self.folder / f"{name}.pt",
            progress=progress or StepNote(self.folder, name),
        )
        with atomic_path(self.folder / f"{name}.curve.csv") as temporary:
            pd.DataFrame(done.curve).assign(fold=fold).to_csv(temporary, index=False)
        save_network(self.folder.parent / f"{name}.safetensors", done.average)
        logits = predict(done.average, unseen, recipe.image_size, device=self.device)
        with atomic_path(finished) as temporary:
            np.save(temporary, logits)
        return fold, logits

    def _examples(self) -> Examples:
        store = ImageStore.open(self.folder)
        places, boxes = store.places[self.rows], store.boxes[self.rows]
        return Examples(store.pixels, places, boxes, self.allowed, self.source, self.lesion)


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
    ndarray of shape (n, 8), float32
        Logits; NaN for images of other folds.
    """
    jobs = 1 if work.device != "cpu" else min(count_jobs(n_jobs), len(folds))
    scores = np.full(work.allowed.shape, np.nan, np.float32)
    answers = (
        _train_in_turn(work, folds, progress)
        if jobs == 1
        else _train_in_parallel(work, folds, jobs, progress)
    )
    for fold, logits in answers:
        scores[work.fold == fold] = logits
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
