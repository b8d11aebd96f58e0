"""Jaccard index of the masks against experts', with plain peers and ablations on request.

    python benchmarks/segmentation_accuracy.py ../shared/data --sets isic2017 ph2 --every 10
    python benchmarks/segmentation_accuracy.py ../shared/data --sets ph2 --peers --refined

The quality score was set on the images of isic2017 with even positions in the sorted list of ids;
`--half odd` takes the others.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from hybridlesion._optional_imports import cv2
from hybridlesion.io import read_image, read_mask, resize_long_side
from hybridlesion.metrics.masks import jaccard
from hybridlesion.segmentation import segment_classical, segment_details

Segmenter = Callable[[np.ndarray], tuple[np.ndarray, float]]


def main() -> None:
    """Print one row for each set and method."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--sets", nargs="+", default=["isic2017", "ph2"])
    parser.add_argument("--every", type=int, default=1, help="take every n-th image")
    parser.add_argument("--half", choices=["all", "odd", "even"], default="all")
    parser.add_argument(
        "--refined",
        action="store_true",
        help="the shipped refiner too, on ph2 only: it was trained on the other sets",
    )
    parser.add_argument("--peers", action="store_true", help="Otsu and GrabCut in the same run")
    parser.add_argument("--ablations", action="store_true")
    options = parser.parse_args()
    if options.refined and set(options.sets) != {"ph2"}:
        parser.error(
            "--refined can be measured on ph2 only; `hybridlesion train-refiner --folds 5` gives "
            "the out-of-fold figures of the sets that it is trained on."
        )
    cv2.setNumThreads(1)
    print("set,method,n,jaccard,low,high,thresholded,low,high,failure_auc,ms_per_image")
    for name in options.sets:
        for method, segmenter in methods(options).items():
            start = {"odd": 1, "even": 0, "all": 0}[options.half]
            step = options.every * (1 if options.half == "all" else 2)
            images = pairs(options.data / name, slice(start, None, step))
            report(name, method, segmenter, images)


def methods(options: argparse.Namespace) -> dict[str, Segmenter]:
    """Segmenters by name: image -> mask, confidence."""
    chosen: dict[str, Segmenter] = {"classical": lambda image: confident(segment_classical(image))}
    if options.refined:
        chosen["refined"] = lambda image: confident(segment_details(image, segmenter="refined"))
    if options.ablations:
        chosen["without active contour"] = lambda image: confident(
            segment_classical(image, active_contour=False)
        )
        chosen["without hair removal"] = lambda image: confident(
            segment_classical(image, hair_removal=False)
        )
    if options.peers:
        chosen["Otsu (scikit-image)"] = lambda image: (otsu_component(image), np.nan)
        chosen["GrabCut (OpenCV)"] = lambda image: (grab_cut(image), np.nan)
    return chosen


def confident(details) -> tuple[np.ndarray, float]:
    """Mask and confidence of a Segmentation."""
    return details.mask, details.confidence


def pairs(folder: Path, chosen: slice) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Images in their true aspect, with the experts' masks as they are."""
    index = folder / "index.csv"
    sizes = pd.read_csv(index).set_index("image_id") if index.is_file() else None
    for path in sorted((folder / "images").glob("*.jpg"))[chosen]:
        image = read_image(path)
        if folder.name == "isic2017":
            width, height = sizes.loc[path.stem, ["orig_width", "orig_height"]]
            image = unsquash(image, width / height)
        (mask,) = (folder / "masks").glob(f"{path.stem}_*.png")
        yield image, read_mask(mask)


def unsquash(image: np.ndarray, aspect: float) -> np.ndarray:
    """Stretch the shorter side of a squashed image back to its true aspect."""
    side = image.shape[0]
    size = (round(side * aspect), side) if aspect >= 1 else (side, round(side / aspect))
    return cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)


def otsu_component(image: np.ndarray) -> np.ndarray:
    """Largest region darker than Otsu's threshold, holes filled."""
    from scipy.ndimage import binary_fill_holes
    from skimage.color import rgb2gray
    from skimage.filters import gaussian, threshold_otsu
    from skimage.measure import label

    gray = gaussian(rgb2gray(image), 1)
    labels = label(gray < threshold_otsu(gray))
    counts = np.bincount(labels.ravel())
    counts[0] = 0
    return binary_fill_holes(labels == counts.argmax())


def grab_cut(image: np.ndarray) -> np.ndarray:
    """GrabCut from a rectangle 8 % inside the frame, five iterations, at 256 px."""
    shape = image.shape[:2]
    image = resize_long_side(image, 256)  # at 768 px it takes ten seconds an image
    height, width = image.shape[:2]
    x, y = round(0.08 * width), round(0.08 * height)
    mask = np.zeros((height, width), np.uint8)
    cv2.setRNGSeed(0)
    cv2.grabCut(
        image,
        mask,
        (x, y, width - 2 * x, height - 2 * y),
        np.zeros((1, 65)),
        np.zeros((1, 65)),
        5,
        cv2.GC_INIT_WITH_RECT,
    )
    inside = (mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD)
    return cv2.resize(inside.astype(np.uint8), shape[::-1], interpolation=cv2.INTER_NEAREST) > 0


def report(name: str, method: str, segmenter: Segmenter, images: Iterator) -> None:
    """Score one method on one set and print its row."""
    scores, confidences, seconds = [], [], 0.0
    for image, truth in images:
        started = time.process_time()
        mask, confidence = segmenter(image)
        seconds += time.process_time() - started
        soft = cv2.resize(mask.astype(np.float32), truth.shape[::-1])
        scores.append(jaccard(soft > 0.5, truth))
        confidences.append(confidence)
    scores = np.array(scores)
    thresholded = np.where(scores >= 0.65, scores, 0)
    cells = [f"{value:.3f}" for values in (scores, thresholded) for value in interval(values)]
    cells.append(f"{failure_auc(scores, np.array(confidences)):.3f}")
    cells.append(f"{1000 * seconds / len(scores):.1f}")
    print(",".join([name, method, str(len(scores)), *cells]), flush=True)


def interval(values: np.ndarray) -> tuple[float, float, float]:
    """Mean with its 95 % bootstrap interval over images."""
    rng = np.random.default_rng(0)
    means = values[rng.integers(0, len(values), (1000, len(values)))].mean(axis=1)
    return values.mean(), *np.percentile(means, [2.5, 97.5])


def failure_auc(scores: np.ndarray, confidences: np.ndarray) -> float:
    """AUC of low confidence for a Jaccard index below 0.65, NaN where undefined."""
    from sklearn.metrics import roc_auc_score

    failed = scores < 0.65
    if failed.all() or not failed.any() or np.isnan(confidences).any():
        return float("nan")
    return roc_auc_score(failed, -confidences)


if __name__ == "__main__":
    main()
