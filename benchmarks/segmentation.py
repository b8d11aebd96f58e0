"""Speed of the Chan-Vese snake relative to scikit-image, with equal masks.

    python benchmarks/segmentation.py ../shared/data/ph2/images --images 5

Prints for each case the median milliseconds of both, and the median and the minimum over images of
their ratio; exits with 1 if a single pixel differs.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
from skimage.segmentation import morphsnakes

from hybridlesion._optional_imports import cv2
from hybridlesion.io import read_image, resize_long_side
from hybridlesion.segmentation import morphological_chan_vese, segment

SIZE = (384, 288)
STEPS = 50

# Pixels of the longer side to which the pipeline shrinks a photograph.
ANALYSIS_LONG_SIDE = 512


def main() -> None:
    """Time every case on every image and print medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=Path)
    parser.add_argument("--images", dest="count", type=int, default=5, help="how many images")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    rows: dict[str, list[tuple[float, float]]] = defaultdict(list)
    whole = []
    for path in sorted(options.images.glob("*.jpg"))[: options.count]:
        photograph = read_image(path)
        image = cv2.resize(photograph, SIZE, interpolation=cv2.INTER_AREA)
        for case, ours, theirs, arguments in cases(image):
            rows[case].append(compare(case, ours, theirs, arguments))
        analysed = resize_long_side(photograph, ANALYSIS_LONG_SIDE)
        whole.append(min(timed(segment, (analysed,))[1] for _ in range(5)))
    report(rows)
    print(
        f"whole classical path, long side {ANALYSIS_LONG_SIDE}: median {np.median(whole):.1f} ms, "
        f"largest {max(whole):.1f} ms"
    )


def report(rows: dict[str, list[tuple[float, float]]]) -> None:
    """Print a line for each case and one for the least ratio of all."""
    print(f"{'case':34}{'scikit-image ms':>16}{'ours ms':>9}{'ratio: median':>15}{'minimum':>9}")
    worst = np.inf
    for case, times in rows.items():
        reference, own = np.median(times, axis=0)
        ratios = [theirs / ours for theirs, ours in times]
        worst = min(worst, min(ratios))
        print(f"{case:34}{reference:16.1f}{own:9.2f}{np.median(ratios):15.1f}{min(ratios):9.1f}")
    n_images = len(next(iter(rows.values())))
    print(f"all masks equal; least ratio of any case on any of {n_images} images: {worst:.1f}")


def cases(image: np.ndarray) -> list[tuple[str, Callable, Callable, tuple]]:
    """Name, our function, scikit-image's, and the arguments of every case."""
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) / 255.0
    chan_vese = (morphological_chan_vese, morphsnakes.morphological_chan_vese)
    return [
        (f"Chan-Vese {init}, smoothing {smoothing}", *chan_vese, (gray, STEPS, init, smoothing))
        for init in ("checkerboard", "disk")
        for smoothing in (1, 3)
    ]


def compare(case: str, ours: Callable, theirs: Callable, arguments: tuple) -> tuple[float, float]:
    """Milliseconds of scikit-image and of ours, after making sure that the masks are equal."""
    # scikit-image counts curvature steps over all calls; start it on an even count.
    morphsnakes._curvop.funcs = itertools.cycle(
        (
            lambda u: morphsnakes.sup_inf(morphsnakes.inf_sup(u)),
            lambda u: morphsnakes.inf_sup(morphsnakes.sup_inf(u)),
        )
    )
    expected, reference_time = timed(theirs, arguments)
    runs = [timed(ours, arguments) for _ in range(5)]
    if not all(np.array_equal(expected, found) for found, _ in runs):
        sys.exit(f"{case}: the masks differ.")
    return reference_time, float(np.median([milliseconds for _, milliseconds in runs]))


def timed(function: Callable, arguments: tuple) -> tuple[np.ndarray, float]:
    """Result and milliseconds of processor time of one call."""
    started = time.process_time()
    result = function(*arguments)
    return result, 1000 * (time.process_time() - started)


if __name__ == "__main__":
    main()
