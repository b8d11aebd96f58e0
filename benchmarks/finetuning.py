"""What each part of the fine-tuning recipe brings: AUC of each source with one thing changed.

    python benchmarks/finetuning.py WORK --weights FILE [--folds 1] [--epochs 4]

WORK is the ``training`` folder of a finished ``hybridlesion finetune``, whose images, sources and
folds are used again, and its ``out_of_fold.csv`` lies beside it. The first ``--folds`` folds are
trained. Every variant sees the same images in the same folds from the same seed. Its scores of the
lesions of these folds are compared with those of the plain recipe by a paired bootstrap over
patients or lesions. Finished variants are kept in ``WORK/variants``. One thread.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from hybridlesion.cnn import (
    CLASS_SHARES,
    SCORE_COLUMNS,
    FinetuneRecipe,
    allowed_classes,
    class_scores,
    truths,
)
from hybridlesion.metrics import roc_auc
from hybridlesion.model_selection import GROUP_COLUMNS, connected_groups
from hybridlesion.training._finetune_folds import FoldWork
from hybridlesion.training._image_training import ImageStore

VARIANTS = {
    "the recipe": {},
    "constant light": {"light": 0.0},
    "light at full strength": {"light": 1.0},
    "no smoothing of labels": {"label_smoothing": 0.0},
    "classes at their frequency": {"class_power": 1.0},
    "classes drawn equally": {"class_power": 0.0},
    "least share 0.01": {"least_share": 0.01},
    "128 pixels": {"image_size": 128},
    "first 40 % frozen": {"frozen": 0.4},
    "twice the rate": {"learning_rate": 1.2e-3},
}


def main() -> None:
    """Train the variants and print their table."""
    options = _options()
    table = pd.read_csv(options.work.parent / "out_of_fold.csv", low_memory=False)
    work = _work(table, options)
    chosen = {name: VARIANTS[name] for name in ("the recipe", *options.variants)}
    found = {name: _scores(work, name, changes, options) for name, changes in chosen.items()}
    rows = work.fold < options.folds
    print(f"{rows.sum():,} images of {options.folds} of {work.fold.max() + 1} folds, AUC by source")
    print("| variant | melanoma | any malignancy | mean of melanoma, minus the recipe |")
    print("|---|---|---|---|")
    for name, scores in found.items():
        cells = [
            " ".join(_aucs(work, scores, rows, truth)) for truth in ("melanoma", "any malignancy")
        ]
        difference = "" if name == "the recipe" else _difference(work, found["the recipe"], scores)
        print(f"| {name} | {' | '.join(cells)} | {difference} |", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--backbone", default="tf_efficientnet_lite0")
    parser.add_argument("--folds", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=4)
    others = [name for name in VARIANTS if name != "the recipe"]
    parser.add_argument("--variants", nargs="*", choices=others, default=others)
    return parser.parse_args()


def _work(table: pd.DataFrame, options: argparse.Namespace) -> FoldWork:
    own = pd.Series(np.arange(len(table)))
    known = [table[name] for name in GROUP_COLUMNS if name in table]
    lesion = table.get("lesion_id", own)
    return FoldWork(
        folder=options.work,
        rows=np.flatnonzero(ImageStore.open(options.work).places[:, 1] > 0),
        allowed=allowed_classes(table["diagnosis"], table["target"].fillna(0).to_numpy(int)),
        source=table["source"].to_numpy(),
        lesion=pd.factorize(lesion.astype("string").fillna("image " + own.astype("string")))[0],
        group=connected_groups(own, *known),
        fold=table["fold"].to_numpy(),
        recipe=FinetuneRecipe(epochs=options.epochs),
        backbone=options.backbone,
        weights=str(options.weights),
        device="cpu",
    )


def _scores(work: FoldWork, name: str, changes: dict, options: argparse.Namespace) -> pd.DataFrame:
    """Scores of the folds that were trained; NaN for the others."""
    import torch

    torch.set_num_threads(1)
    words = f"{name} {options.folds} {options.epochs}".replace(" ", "-")
    folder = options.work / "variants" / words / "training"
    folder.mkdir(parents=True, exist_ok=True)
    for path in options.work.glob("images.*"):
        (folder / path.name).unlink(missing_ok=True)
        (folder / path.name).symlink_to(path.resolve())
    changed = replace(work, folder=folder, recipe=replace(work.recipe, **changes))
    logits = np.full(work.allowed.shape, np.nan)
    for fold in range(options.folds):
        logits[work.fold == fold] = changed(fold)[1]
        print(f"{name}: fold {fold + 1} of {options.folds}", file=sys.stderr, flush=True)
    names = {"cnn__score": "any malignancy", "cnn__melanoma": "melanoma"}
    scores = pd.DataFrame(class_scores(logits, CLASS_SHARES), columns=SCORE_COLUMNS)
    return scores.rename(columns=names)


def _aucs(work: FoldWork, scores: pd.DataFrame, rows: np.ndarray, name: str) -> list[str]:
    truth, score = truths(work.allowed)[name], scores[name].to_numpy()
    cells = []
    for source in np.unique(work.source):
        own = rows & (work.source == source) & np.isfinite(truth)
        both = len(np.unique(truth[own])) == 2
        cells.append(f"{roc_auc(truth[own] == 1, score[own]):.3f}" if both else "-")
    return cells


def _difference(work: FoldWork, base: pd.DataFrame, other: pd.DataFrame) -> str:
    """Mean difference of the AUC of melanoma, with a paired 95 % interval over groups."""
    rng = np.random.default_rng(0)
    truth = truths(work.allowed)["melanoma"]
    one, two = (scores["melanoma"].to_numpy() for scores in (base, other))
    known = np.isfinite(one) & np.isfinite(truth)
    parts = []
    for source in np.unique(work.source):
        rows = np.flatnonzero(known & (work.source == source))
        if truth[rows].sum() < 5:
            continue
        groups = pd.factorize(work.group[rows])[0]
        members = [rows[groups == number] for number in range(groups.max() + 1)]
        draws = [np.arange(len(members))]
        draws += [rng.integers(0, len(members), len(members)) for _ in range(300)]
        drawn = [np.concatenate([members[i] for i in draw]) for draw in draws]
        parts.append([_gain(truth[i] == 1, one[i], two[i]) for i in drawn])
    means = np.nanmean(parts, axis=0)
    low, high = np.nanpercentile(means[1:], [2.5, 97.5])
    return f"{means[0]:+.3f} ({low:+.3f} to {high:+.3f})"


def _gain(truth: np.ndarray, base: np.ndarray, other: np.ndarray) -> float:
    if truth.all() or not truth.any():
        return np.nan
    return roc_auc(truth, other) - roc_auc(truth, base)


if __name__ == "__main__":
    main()
