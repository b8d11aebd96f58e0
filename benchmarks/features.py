"""Milliseconds per image of each family of ABCD features, and the ratio to scikit-image.

    python benchmarks/features.py [--repeat 30] [--image FILE --mask FILE]

One core, processor time. Without a file, a lesion is drawn at 384 x 288 and at a long side of 512.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import process_time

import numpy as np
from skimage.feature import graycomatrix, graycoprops
from skimage.feature import local_binary_pattern as skimage_lbp
from skimage.measure import regionprops

from hybridlesion._opencv import cv2
from hybridlesion.features import FEATURES, abcd
from hybridlesion.features._lesion import cut_out
from hybridlesion.features.asymmetry import asymmetry
from hybridlesion.features.binary_pattern import local_binary_pattern
from hybridlesion.features.border import border
from hybridlesion.features.color import color
from hybridlesion.features.cooccurrence import DIRECTIONS, cooccurrence, haralick, quantise
from hybridlesion.features.cutoff import cutoff
from hybridlesion.features.dimension import dimension
from hybridlesion.features.pigment_edge import pigment_edge
from hybridlesion.features.skin import skin_tone
from hybridlesion.features.structure import structure
from hybridlesion.features.texture import texture


def draw(width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw a lobed, noisy lesion that covers a quarter of the frame."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:height, 0:width]
    y, x = (y - height / 2) / height, (x - width / 2) / height
    edge = 0.32 + 0.05 * np.cos(3 * np.arctan2(y, x)) + 0.02 * np.sin(9 * np.arctan2(y, x))
    mask = np.hypot(x, y) < edge
    image = np.where(mask[..., None], (130.0, 85.0, 60.0), (222.0, 184.0, 160.0))
    image += cv2.GaussianBlur(rng.normal(0, 60, image.shape), (0, 0), 2.0)
    return np.clip(image, 0, 255).astype(np.uint8), mask


def milliseconds(work: Callable[[], object], repeat: int) -> float:
    """Best processor time of `repeat` calls, so that a busy machine does not count."""
    work()
    times = []
    for _ in range(repeat):
        start = process_time()
        work()
        times.append(process_time() - start)
    return 1e3 * min(times)


def families(image: np.ndarray, mask: np.ndarray, repeat: int) -> None:
    """Print each family with fresh intermediates, and all together with shared ones."""
    clear = np.ones(mask.shape, bool)

    def fresh(measure: Callable) -> object:
        return measure(cut_out(image, mask))

    measures = {
        "cut-out alone": lambda lesion: lesion,
        "asymmetry": asymmetry,
        "border": lambda lesion: (border(lesion), cutoff(lesion), pigment_edge(lesion)),
        "color": color,
        "structure": structure,
        "texture": texture,
    }
    for name, measure in measures.items():
        print(f"  {name:<14}{milliseconds(partial(fresh, measure), repeat):8.2f} ms")
    print(f"  {'dimension':<14}{milliseconds(lambda: dimension(mask), repeat):8.2f} ms")
    print(f"  {'skin':<14}{milliseconds(lambda: skin_tone(image, mask, clear), repeat):8.2f} ms")
    total = milliseconds(lambda: abcd(image, mask), repeat)
    print(f"  all {len(FEATURES)} features {total:6.2f} ms")


def against_skimage(image: np.ndarray, mask: np.ndarray, repeat: int) -> None:
    """Print the same measures here and in scikit-image, on the same cut-out."""
    lesion = cut_out(image, mask)
    grey = quantise(lesion.lightness, lesion.inside).astype(np.uint8)
    angles = [0, np.pi / 4, np.pi / 2, 3 * np.pi / 4]
    label = mask.astype(np.uint8)

    def our_glcm() -> None:
        haralick(sum(cooccurrence(grey, lesion.inside, step) for step in DIRECTIONS))

    def their_glcm() -> None:
        counts = graycomatrix(grey, [1], angles, levels=16, symmetric=True, normed=True)
        for name in ("contrast", "homogeneity", "energy", "correlation"):
            graycoprops(counts, name)

    def their_shape() -> None:
        props = regionprops(label)[0]
        for name in (
            "area",
            "perimeter_crofton",
            "solidity",
            "eccentricity",
            "feret_diameter_max",
            "axis_major_length",
            "axis_minor_length",
        ):
            getattr(props, name)

    def our_shape() -> None:
        border(cut_out(image, mask))
        dimension(mask)

    pairs = {
        "GLCM, 4 directions": (our_glcm, their_glcm),
        "LBP, 8 neighbours": (
            lambda: local_binary_pattern(grey),
            lambda: skimage_lbp(grey, 8, 1, method="uniform"),
        ),
        "shape (regionprops)": (our_shape, their_shape),
    }
    for name, (ours, theirs) in pairs.items():
        here, there = milliseconds(ours, repeat), milliseconds(theirs, repeat)
        print(f"  {name:<22}{here:8.2f} ms, scikit-image {there:8.2f} ms: {there / here:5.1f} x")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=30)
    parser.add_argument("--image", type=Path)
    parser.add_argument("--mask", type=Path)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    if options.image and options.mask:
        from hybridlesion.images import read_image, read_mask

        scenes = {str(options.image): (read_image(options.image), read_mask(options.mask))}
    else:
        scenes = {"384 x 288": draw(384, 288), "512 x 384": draw(512, 384)}
    for name, (image, mask) in scenes.items():
        print(name)
        families(image, mask, options.repeat)
        against_skimage(image, mask, options.repeat)


if __name__ == "__main__":
    main()
