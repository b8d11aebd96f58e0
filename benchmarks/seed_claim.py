"""Does segmentation improve classification? ABCD features and embeddings with and without masks.

    python benchmarks/seed_claim.py DATA --weights WEIGHTS --masks OUT_OF_FOLD_FOLDER

On ISIC 2017: ABCD features and MobileNetV2 embeddings taken inside our mask (out-of-fold masks of
`hybridlesion train-refiner`, so that no network has seen the true mask of its image), inside that
true mask, and in the whole frame. Five folds; differences with a paired bootstrap over images.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from hybridlesion import HybridLesionClassifier, datasets
from hybridlesion._optional_imports import cv2
from hybridlesion.cnn import TimmEmbedder
from hybridlesion.features import abcd, feature_names
from hybridlesion.io import find_masks, read_mask
from hybridlesion.model_selection import grouped_folds
from hybridlesion.preprocessing import shades_of_gray
from hybridlesion.segmentation import segment_details
from hybridlesion.segmentation.refiner import read_unsquashed

KINDS = ("our mask", "true mask", "whole frame")


def main() -> None:
    """Print an AUC for each kind of mask and family, and the paired differences."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--weights", required=True, help="MobileNetV2 weight file")
    parser.add_argument("--masks", type=Path, required=True, help="folder of our masks")
    parser.add_argument("--every", type=int, default=1, help="take every n-th image")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    folder = options.data / "isic2017"
    records = datasets.load_isic2017(folder).iloc[:: options.every].reset_index(drop=True)
    y = records["target"].to_numpy(dtype=int)
    ours, true = find_masks(options.masks), find_masks(folder / "masks")
    aspect = records["orig_width"] / records["orig_height"]
    blocks = np.array_split(np.arange(len(records)), max(1, len(records) // 100))
    parts = Parallel(n_jobs=options.jobs)(
        delayed(measure)(
            [
                (path, ratio, ours[name], true[name])
                for name, path, ratio in zip(
                    records["image_id"].iloc[rows],
                    records["path"].iloc[rows],
                    aspect.iloc[rows],
                    strict=True,
                )
            ],
            options.weights,
        )
        for rows in blocks
    )
    for family in ("ABCD", "embedding"):
        scores = {}
        for kind in KINDS:
            values = np.vstack([part[kind, family] for part in parts])
            scores[kind] = np.mean(
                [cross_validate(family, values, y, s) for s in range(options.seeds)], 0
            )
        report(family, scores, y)


def measure(rows: list[tuple], weights: str) -> dict[tuple[str, str], np.ndarray]:
    """Features and embeddings of some images, by kind of mask."""
    cv2.setNumThreads(1)
    names = feature_names()
    network = TimmEmbedder("mobilenetv2_100", weights=weights, device="cpu").fit()
    found = {(kind, "ABCD"): [] for kind in KINDS}
    images, crops = [], {kind: [] for kind in KINDS}
    for path, ratio, ours, true in rows:
        image = read_unsquashed(path, ratio)
        details = segment_details(image)
        size = image.shape[1::-1]
        masks = {
            kind: cv2.resize(read_mask(file).astype(np.float32), size) > 0.5
            for kind, file in zip(KINDS, (ours, true), strict=False)
        }
        masks["whole frame"] = np.ones(image.shape[:2], bool)
        corrected = shades_of_gray(image, mask=details.field_of_view)
        images.append(image)
        for kind, mask in masks.items():
            values = abcd(
                corrected,
                mask,
                field_of_view=details.field_of_view,
                hair=details.hair,
                raw=image,
            )
            found[kind, "ABCD"].append([values[name] for name in names])
            crops[kind].append(mask)
    result = {key: np.array(values, dtype=np.float32) for key, values in found.items()}
    for kind in KINDS:
        result[kind, "embedding"] = network.transform(images, crops[kind])
    return result


def cross_validate(family: str, values: np.ndarray, y: np.ndarray, seed: int) -> np.ndarray:
    """Out-of-fold scores; images of ISIC 2017 are their own groups."""
    groups = np.arange(len(y))
    folds = grouped_folds(y, groups, n_splits=5, random_state=seed)
    score = np.zeros(len(y))
    for fold in range(5):
        held, rest = folds == fold, folds != fold
        if family == "ABCD":
            model = HybridLesionClassifier(random_state=seed, n_jobs=1)
            model.fit(as_table(values[rest]), y[rest], groups=groups[rest])
            score[held] = model.predict_proba(as_table(values[held]))[:, 1]
        else:
            model = make_pipeline(StandardScaler(), LogisticRegression(C=1e-3, max_iter=2000))
            score[held] = model.fit(values[rest], y[rest]).predict_proba(values[held])[:, 1]
    return score


def as_table(values: np.ndarray):
    """Name the columns of an ABCD matrix."""
    import pandas as pd

    return pd.DataFrame(values, columns=feature_names())


def report(family: str, scores: dict[str, np.ndarray], y: np.ndarray) -> None:
    """Print the AUCs and what separates them, with 95 % intervals."""
    rng = np.random.default_rng(0)
    draws = [rng.integers(0, len(y), len(y)) for _ in range(1000)]
    aucs = {
        kind: np.array([roc_auc_score(y[draw], score[draw]) for draw in draws])
        for kind, score in scores.items()
    }
    for kind, score in scores.items():
        low, high = np.percentile(aucs[kind], [2.5, 97.5])
        print(f"{family}, {kind}: {roc_auc_score(y, score):.3f} ({low:.3f} to {high:.3f})")
    for one, other in (("our mask", "whole frame"), ("our mask", "true mask")):
        value = roc_auc_score(y, scores[one]) - roc_auc_score(y, scores[other])
        low, high = np.percentile(aucs[one] - aucs[other], [2.5, 97.5])
        print(
            f"{family}, {one} minus {other}: {value:+.3f} ({low:+.3f} to {high:+.3f})", flush=True
        )


if __name__ == "__main__":
    main()
