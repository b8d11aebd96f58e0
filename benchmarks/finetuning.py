"""What each part of the fine-tuning recipe brings: AUC of each source with one thing changed.

    python benchmarks/finetuning.py DATA --weights FILE [--folds 1] [--epochs 6] [--work DIR]

ISIC 2017, HAM10000 and ISIC 2020 together, five grouped folds, of which the first ``--folds`` are
trained. Every variant sees the same images in the same folds from the same seed. The score of the
lesions of these folds is compared with that of the plain recipe by a paired bootstrap over groups.
Crops are read once and kept in ``--work``, as are finished variants. One thread.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from hybridlesion._optional_imports import cv2
from hybridlesion.cnn import FinetuneRecipe
from hybridlesion.metrics import roc_auc
from hybridlesion.preprocessing import hair_mask, remove_hair
from hybridlesion.training._crops import CropSettings, read_crops
from hybridlesion.training._finetune import _assign_folds, _gather, _number_diagnoses
from hybridlesion.training._finetune_folds import FoldWork
from hybridlesion.training._image_training import group_images

SETS = ("isic2017", "ham10000", "isic2020")
TABLES = (
    "isic2017/ISIC-2017_Training_Part3_GroundTruth.csv",
    "isic2017/ISIC-2017_Training_Data_metadata.csv",
    "isic2017/index.csv",
    "ham10000/HAM10000_metadata.csv",
    "isic2020/train.csv",
    "isic2020/ISIC_2020_Training_Duplicates.csv",
)
N_FOLDS = 5
SIDE = 184


@dataclass(frozen=True)
class Variant:
    """The recipe with something changed."""

    crop: str = "both"
    hairless: bool = False
    changes: dict = field(default_factory=dict)


VARIANTS = {
    "the recipe": Variant(),
    "lesion crop alone": Variant(crop="lesion"),
    "whole frame alone": Variant(crop="frame"),
    "without the diagnosis head": Variant(changes={"auxiliary": 0.0}),
    "turned and scaled only": Variant(changes={"disturbed": False}),
    "hair removed": Variant(hairless=True),
    "96 pixels": Variant(changes={"image_size": 96, "first_size": 96}),
    "160 pixels": Variant(changes={"image_size": 160}),
    "no layer frozen": Variant(changes={"frozen": 0.0}),
}


def main() -> None:
    """Train the variants and print their table."""
    options = _options()
    records, *_ = _gather(
        [str(options.data / name / "images") for name in SETS],
        [str(options.data / table) for table in TABLES],
        {"roots": ()},
    )
    # One size for all epochs keeps the variants apart from the schedule of sizes.
    recipe = FinetuneRecipe(epochs=options.epochs, image_size=128, first_size=128)
    pictures = _read(records, options.work, options.jobs)
    group = group_images(records, pictures[:, 0])
    target = records["target"].to_numpy(int)
    work = FoldWork(
        folder=options.work,
        rows=np.arange(len(records)),
        target=target,
        source=records["source"].to_numpy(int),
        diagnosis=_number_diagnoses(records),
        group=group,
        fold=_assign_folds(target, group, N_FOLDS, 0),
        recipe=recipe,
        backbone="mobilenetv2_100",
        weights=str(options.weights),
        device="cpu",
    )
    chosen = {name: VARIANTS[name] for name in ("the recipe", *options.variants)}
    found = {name: _scores(work, name, variant, options) for name, variant in chosen.items()}
    _print(work, found, options.folds)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--folds", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--work", type=Path, default=Path("finetuning-work"))
    others = [name for name in VARIANTS if name != "the recipe"]
    parser.add_argument("--variants", nargs="*", choices=others, default=others)
    return parser.parse_args()


def _read(records: pd.DataFrame, folder: Path, jobs: int) -> np.ndarray:
    folder.mkdir(parents=True, exist_ok=True)
    return read_crops(records, CropSettings(SIDE, "both", 0.25), folder, n_jobs=jobs).crops


def _scores(work: FoldWork, name: str, variant: Variant, options: argparse.Namespace) -> np.ndarray:
    """Log odds of the folds that were trained; NaN for the others."""
    folder = options.work / name.replace(" ", "-") / "training"
    done = folder / f"odds-{options.folds}-{options.epochs}.npy"
    if done.is_file():
        return np.load(done)
    import torch

    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    _write_crops(options.work / "crops.npy", folder / "crops.npy", variant)
    changed = replace(work, folder=folder, recipe=replace(work.recipe, **variant.changes))
    odds = np.full(len(work.rows), np.nan)
    for fold in range(options.folds):
        odds[work.fold == fold] = changed(fold)[1]
        print(f"{name}: fold {fold + 1} of {options.folds}", file=sys.stderr, flush=True)
    np.save(done, odds)
    (folder / "crops.npy").unlink()
    return odds


def _write_crops(source: Path, out: Path, variant: Variant) -> None:
    crops = np.load(source, mmap_mode="r")
    part = {"lesion": slice(0, 1), "frame": slice(1, 2), "both": slice(0, 2)}[variant.crop]
    wanted = np.lib.format.open_memmap(out, "w+", np.uint8, crops[:, part].shape)
    for row, pictures in enumerate(crops[:, part]):
        if variant.hairless:
            pictures = [_without_hair(np.ascontiguousarray(picture)) for picture in pictures]
        wanted[row] = pictures
    wanted.flush()


def _without_hair(picture: np.ndarray) -> np.ndarray:
    # The hair network was taught long sides of 300 to 400 pixels.
    large = cv2.resize(picture, (2 * SIDE, 2 * SIDE), interpolation=cv2.INTER_CUBIC)
    clean = remove_hair(large, hair_mask(large))
    return cv2.resize(clean, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def _print(work: FoldWork, found: dict[str, np.ndarray], n_folds: int) -> None:
    rows = work.fold < n_folds
    print(f"{rows.sum():,} images of {n_folds} of {N_FOLDS} folds")
    print(f"| variant | {' | '.join(SETS)} | ISIC 2017 and HAM10000, minus the recipe |")
    print("|---|---|---|---|---|")
    for name, odds in found.items():
        aucs = [
            f"{roc_auc(work.target[own] == 1, odds[own]):.3f}"
            for own in (rows & (work.source == source) for source in range(len(SETS)))
        ]
        difference = "" if name == "the recipe" else _difference(work, found["the recipe"], odds)
        print(f"| {name} | {' | '.join(aucs)} | {difference} |", flush=True)


def _difference(work: FoldWork, base: np.ndarray, odds: np.ndarray) -> str:
    """Mean difference of AUC of the first two sets, with a paired 95 % interval over groups."""
    rng = np.random.default_rng(0)
    parts = []
    for source in (0, 1):
        rows = np.flatnonzero(np.isfinite(odds) & (work.source == source))
        groups = pd.factorize(work.group[rows])[0]
        members = [rows[groups == number] for number in range(groups.max() + 1)]
        draws = [np.arange(len(members))]
        draws += [rng.integers(0, len(members), len(members)) for _ in range(1000)]
        parts.append(
            [_gain(work.target, base, odds, np.concatenate([members[i] for i in d])) for d in draws]
        )
    means = np.mean(parts, axis=0)
    low, high = np.percentile(means[1:], [2.5, 97.5])
    return f"{means[0]:+.3f} ({low:+.3f} to {high:+.3f})"


def _gain(target: np.ndarray, base: np.ndarray, odds: np.ndarray, rows: np.ndarray) -> float:
    truth = target[rows] == 1
    return roc_auc(truth, odds[rows]) - roc_auc(truth, base[rows])


if __name__ == "__main__":
    main()
