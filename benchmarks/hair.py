"""How well hair is found: against people's notes on images, and against drawn hair.

    python benchmarks/hair.py DATA

Annotated images of ISIC 2017 with odd positions in the sorted list of ids and no larger copy: the
others are those that `fit_hair.py` learns from. Hair is drawn on those without any.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
from hair_views import draw_hairs, random_view
from sklearn.metrics import roc_auc_score

from hybridlesion._optional_imports import cv2
from hybridlesion.preprocessing import field_of_view, hair_mask
from hybridlesion.segmentation import segment_details
from hybridlesion.segmentation.refiner import read_unsquashed

# Pixels by which a mask may miss the drawn line.
SLACK = 2


def main() -> None:
    """Print AUC, recall and precision with their intervals, and milliseconds an image."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    images, truth = read_measured(options.data)
    shares, columns, seconds = [], [], []
    for image in images:
        view = field_of_view(image)
        started = time.process_time()
        shares.append(hair_mask(image, fov=view).mean())
        seconds.append(time.process_time() - started)
        columns.append(segment_details(image).hair.mean())
    print(f"{len(truth)} images, {truth.sum()} with hair, {1000 * np.median(seconds):.1f} ms each")
    for name, values in (("hair_mask", shares), ("qa__hair_share", columns)):
        values = np.array(values)
        low, high = interval(len(truth), lambda draw, v=values: roc_auc_score(truth[draw], v[draw]))
        print(f"AUC of {name} {roc_auc_score(truth, values):.3f} ({low:.3f} to {high:.3f})")
        for label in (0, 1):
            print(f"  median share {np.median(values[truth == label]):.4f} where hair is {label}")
    report_drawn([image for image, hair in zip(images, truth, strict=True) if not hair])


def read_measured(data: Path) -> tuple[list[np.ndarray], np.ndarray]:
    """Read the images that nothing was fitted on, and whether people saw hair on each."""
    notes = pd.read_csv(data / "tables/artifact_annotations.csv", sep=";")
    hair = notes.set_index(notes["image"].str.removesuffix(".png"))["hair"]
    sizes = pd.read_csv(data / "isic2017/index.csv").set_index("image_id")
    larger = {path.stem for path in (data / "isic2017-hires/images").glob("*.jpg")}
    paths = sorted((data / "isic2017/images").glob("*.jpg"))
    paths = [path for path in paths if path.stem in hair.index][1::2]
    paths = [path for path in paths if path.stem not in larger]
    aspects = sizes["orig_width"] / sizes["orig_height"]
    images = [read_unsquashed(path, aspects[path.stem]) for path in paths]
    return images, hair.loc[[path.stem for path in paths]].to_numpy()


def report_drawn(images: list[np.ndarray]) -> None:
    """Print which share of drawn hair is found, and which share of what is marked is hair."""
    rng = np.random.default_rng(1)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * SLACK + 1, 2 * SLACK + 1))
    counts = []
    for image in images:
        picture, cover = draw_hairs(random_view(image, rng), rng)
        hair, found = cover > 0.5, hair_mask(picture)
        near = cv2.dilate((cover > 0.2).astype(np.uint8), disc) > 0
        counts.append([(hair & found).sum(), hair.sum(), (near & found).sum(), found.sum()])
    counts = np.array(counts)
    for name, part, whole in (("recall", 0, 1), ("precision", 2, 3)):
        low, high = interval(
            len(counts), lambda draw, p=part, w=whole: counts[draw, p].sum() / counts[draw, w].sum()
        )
        value = counts[:, part].sum() / counts[:, whole].sum()
        print(f"drawn hair on {len(counts)} images: {name} {value:.3f} ({low:.3f} to {high:.3f})")


def interval(number: int, statistic) -> np.ndarray:
    """95 % of 1,000 draws of as many images, with replacement."""
    draws = np.random.default_rng(0).integers(0, number, (1000, number))
    return np.percentile([statistic(draw) for draw in draws], [2.5, 97.5])


if __name__ == "__main__":
    main()
