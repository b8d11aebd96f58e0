"""Training of the fine-tuned networks, one per fold."""

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
from hybridlesion.training._image_training import EpochLog, ImageStore, Progress, write_file

# Minimum number of seconds between two updates from the same training.
_SECONDS = 2.0


class StepNote:
    """Progress callback that writes the step count of a training to a file, at most every 2 s.

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
        """Write the step count, unless the last update was less than 2 s ago.

        Parameters
        ----------
        done, total : int
            Number of steps done, and total number of steps.
        """
        now = time.monotonic()
        if now - self.written < _SECONDS and done < total:
            return
        self.written = now
        write_file(self.path, f"{done} {total}")


@contextmanager
def watch_steps(
    folder: Path, names: Sequence[str], progress: Progress | None, log: EpochLog | None = None
) -> Iterator[None]:
    """Report the steps and epochs of trainings in other processes while the block runs.

    Parameters
    ----------
    folder : Path
        Run directory.
    names : sequence of str
        Names of the trainings.
    progress : callable or None
        Called as ``progress(done, 0, total)`` from another thread, with the steps of all trainings.
    log : callable, default=None
        Called as ``log(name, row)`` from another thread, for epochs finished since the block began.

    Yields
    ------
    None
        Nothing.
    """
    if progress is None and log is None:
        yield
        return
    over = threading.Event()
    seen: list[list[tuple[int, int]]] = [[]]
    logged = {name: len(_read_curve(folder, name)) for name in names}

    def report() -> None:
        for name in names if log is not None else ():
            for row in _read_curve(folder, name)[logged[name] :]:
                logged[name] += 1
                log(name, row)
        steps = [_read(_path(folder, name)) for name in names]
        longest = max(total for _, total in steps)
        if longest and progress is not None and steps != seen[-1]:
            seen.append(steps)
            # Assume that a training that has not begun is as long as the longest.
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


def _curve_path(folder: Path, name: str) -> Path:
    return folder / f"{name}.curve.csv"


def _read_curve(folder: Path, name: str) -> list[dict[str, float]]:
    path = _curve_path(folder, name)
    return pd.read_csv(path).to_dict("records") if path.is_file() else []


def _read(path: Path) -> tuple[int, int]:
    try:
        done, total = path.read_text(encoding="utf-8").split()
    except FileNotFoundError:
        return 0, 0
    return int(done), int(total)


# Fold number that no image has, so that its network is trained on all images.
WHOLE = -1

# Maximum number of held-out images used for the learning curve; more would take too long.
_MOST_HELD_OUT = 1500


@dataclass(frozen=True)
class FoldWork:
    """Picklable function that trains the network of one fold and scores the images of that fold.

    Parameters
    ----------
    folder : Path
        Run directory with the images.
    rows : ndarray of shape (n,), int
        Indices of the images that could be read.
    allowed : ndarray of shape (n, 8), bool
        Classes that are compatible with each label.
    source, lesion, group, fold : ndarray of shape (n,), int
        Source, lesion, group and fold of each row.
    recipe : FinetuneRecipe
        Training settings.
    backbone : str
        Name of a timm model.
    weights : str or None
        Pretrained weights of the backbone. If None, the weights from timm are used.
    device : str
        Device used for training.
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
        self,
        fold: int,
        progress: Callable[[int, int], None] | None = None,
        log: EpochLog | None = None,
    ) -> tuple[int, np.ndarray]:
        """Train on the images outside a fold.

        Parameters
        ----------
        fold : int
            Fold to leave out. With `WHOLE`, all images are used.
        progress : callable, default=None
            Called as ``progress(steps_done, steps)``. If None, the step count is written to the
            run directory.
        log : callable, default=None
            Called as ``log(name, row)`` after each epoch, with the row of the learning curve, which
            is also written to ``NAME.curve.csv`` in the run directory.

        Returns
        -------
        tuple of int and ndarray of shape (n_unseen, 8), float32
            The fold, and the logits for its images.
        """
        from hybridlesion.cnn import create_network, predict, save_network, train

        name = _name(fold)
        finished = self.folder / f"{name}.logits.npy"
        if finished.is_file():
            return fold, np.load(finished)
        # Use different seeds, so that the errors of the folds do not share an initialisation.
        recipe = replace(self.recipe, seed=self.recipe.seed + 1 + fold)
        store = ImageStore.open(self.folder)
        places, boxes = store.places[self.rows], store.boxes[self.rows]
        labels = self.allowed, self.source, self.lesion
        examples = Examples(store.pixels, places, boxes, *labels)
        unseen = examples.subset(np.flatnonzero(self.fold == fold))
        few = np.random.default_rng(recipe.seed).permutation(len(unseen))[:_MOST_HELD_OUT]

        def keep(curve: list[dict[str, float]]) -> None:
            table = pd.DataFrame(curve).assign(fold=fold)
            write_file(_curve_path(self.folder, name), table.to_csv(index=False))
            if log is not None:
                log(name, curve[-1])

        done = train(
            create_network(self.backbone, self.weights, dropout=recipe.dropout),
            examples.subset(np.flatnonzero(self.fold != fold)),
            recipe,
            held_out=unseen.subset(np.sort(few)),
            device=self.device,
            checkpoint=self.folder / f"{name}.pt",
            progress=progress or StepNote(self.folder, name),
            log=keep,
        )
        save_network(self.folder.parent / f"{name}.safetensors", done.average)
        logits = predict(done.average, unseen, recipe.scored_size, device=self.device)
        with atomic_path(finished) as temporary:
            np.save(temporary, logits)
        return fold, logits


def run_folds(
    work: FoldWork,
    folds: Sequence[int],
    *,
    n_jobs: int = 1,
    progress: Progress | None = None,
    log: EpochLog | None = None,
) -> np.ndarray:
    """Train a network for each fold and score the images in the fold with it.

    Parameters
    ----------
    work : FoldWork
        Data and settings.
    folds : sequence of int
        Folds to train. No image is scored for `WHOLE`.
    n_jobs : int, default=1
        Number of processes, each with a single thread. On a GPU, only one process is used.
    progress : callable, default=None
        Called as ``progress(done, failed, total)`` with the steps over all folds.
    log : callable, default=None
        Called as ``log(name, row)`` after each epoch of each training.

    Returns
    -------
    ndarray of shape (n, 8), float32
        Logits, with NaN for images that are not in any of `folds`.
    """
    jobs = 1 if work.device != "cpu" else min(count_jobs(n_jobs), len(folds))
    scores = np.full(work.allowed.shape, np.nan, np.float32)
    for fold, logits in _train_folds(work, folds, jobs, progress, log):
        scores[work.fold == fold] = logits
    return scores


def _train_folds(
    work: FoldWork,
    folds: Sequence[int],
    jobs: int,
    progress: Progress | None,
    log: EpochLog | None,
) -> Iterator[tuple[int, np.ndarray]]:
    if jobs > 1:
        with watch_steps(work.folder, [_name(fold) for fold in folds], progress, log):
            yield from map_unordered(work, folds, n_jobs=jobs)
        return
    for position, fold in enumerate(folds):

        def report(done: int, steps: int, position: int = position) -> None:
            if progress is not None:
                progress(position * steps + done, 0, len(folds) * steps)

        yield work(fold, report, log)


def _name(fold: int) -> str:
    return "whole" if fold == WHOLE else f"fold_{fold}"
