"""Milliseconds per image of each family of ABCD features, and the ratio to other libraries.

    python benchmarks/features.py [--repeat 30] [--image FILE --mask FILE]

One core, processor time. Without a file, a lesion is drawn at 384 x 288 and at a long side of 512.
The same measures are taken by scikit-image and, where it is installed (``pip install mahotas``), by
mahotas. Neither counts inside a mask: all get the box of the lesion.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from time import process_time

import numpy as np
from skimage.feature import graycomatrix, graycoprops
from skimage.feature import local_binary_pattern as skimage_lbp
from skimage.measure import regionprops

from hybridlesion._optional_imports import cv2
from hybridlesion.features import FEATURES, abcd, cut_out
from hybridlesion.features._abcd import dimension
from hybridlesion.features.asymmetry import asymmetry
from hybridlesion.features.border import border, cutoff, pigment_edge
from hybridlesion.features.color import color, skin_tone
from hybridlesion.features.structure import structure
from hybridlesion.features.texture import (
    DIRECTIONS,
    LEVELS,
    cooccurrence,
    haralick,
    local_binary_pattern,
    quantise,
    texture,
)


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


def _times(work: Callable[[], object], repeat: int) -> list[float]:
    """Seconds of processor time of each of `repeat` calls, after one that does not count."""
    work()
    times = []
    for _ in range(repeat):
        start = process_time()
        work()
        times.append(process_time() - start)
    return times


def milliseconds(work: Callable[[], object], repeat: int) -> float:
    """Best processor time of `repeat` calls, so that a busy machine does not count."""
    return 1e3 * min(_times(work, repeat))


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
    times = _times(lambda: abcd(image, mask), repeat)
    print(
        f"  all {len(FEATURES)} features {1e3 * median(times):6.2f} ms (median of {repeat} calls), "
        f"{1e3 * min(times):.2f} ms (best)"
    )


def against_others(image: np.ndarray, mask: np.ndarray, repeat: int) -> None:
    """Print the same measures here, in scikit-image and in mahotas, on the same box of pixels."""
    lesion = cut_out(image, mask)
    inside = np.ascontiguousarray(lesion.inside[lesion.box])
    grey = quantise(lesion.lightness[lesion.box], inside)
    ours = {
        "GLCM, 4 directions": partial(_our_glcm, grey, inside),
        "LBP, 8 neighbours": partial(local_binary_pattern, grey),
        "shape of the mask": partial(_our_shape, image, mask),
    }
    libraries = {"scikit-image": _skimage(grey, mask)}
    if find_spec("mahotas"):
        libraries["mahotas"] = _mahotas(grey, mask)
    else:
        print("  mahotas is not installed: its rows are left out (pip install mahotas)")
    for name, measure in ours.items():
        here = milliseconds(measure, repeat)
        for library, theirs in libraries.items():
            there = milliseconds(theirs[name], repeat)
            print(
                f"  {name:<20}{here:7.2f} ms, {library:<12}{there:8.2f} ms: {there / here:6.1f} x"
            )


def _our_glcm(grey: np.ndarray, inside: np.ndarray) -> None:
    haralick(sum(cooccurrence(grey, inside, step) for step in DIRECTIONS))


def _our_shape(image: np.ndarray, mask: np.ndarray) -> None:
    border(cut_out(image, mask))
    dimension(mask)


def _skimage(grey: np.ndarray, mask: np.ndarray) -> dict[str, Callable[[], object]]:
    angles = [0, np.pi / 4, np.pi / 2, 3 * np.pi / 4]

    def glcm() -> None:
        counts = graycomatrix(grey, [1], angles, levels=LEVELS, symmetric=True, normed=True)
        for name in ("contrast", "homogeneity", "energy", "correlation"):
            graycoprops(counts, name)

    def shape() -> None:
        props = regionprops(mask.astype(np.uint8))[0]
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

    return {
        "GLCM, 4 directions": glcm,
        "LBP, 8 neighbours": partial(skimage_lbp, grey, 8, 1, method="uniform"),
        "shape of the mask": shape,
    }


def _mahotas(grey: np.ndarray, mask: np.ndarray) -> dict[str, Callable[[], object]]:
    import mahotas
    from mahotas.features import ellipse_axes, roundness, zernike_moments

    def shape() -> None:
        ellipse_axes(mask)
        roundness(mask)
        mahotas.polygon.fill_convexhull(mask)
        zernike_moments(mask, min(mask.shape) / 2.0, degree=8)

    return {
        "GLCM, 4 directions": partial(mahotas.features.haralick, grey),
        "LBP, 8 neighbours": partial(mahotas.features.lbp, grey, 1, 8),
        "shape of the mask": shape,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=30)
    parser.add_argument("--image", type=Path)
    parser.add_argument("--mask", type=Path)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    if options.image and options.mask:
        from hybridlesion.io import read_image, read_mask

        scenes = {str(options.image): (read_image(options.image), read_mask(options.mask))}
    else:
        scenes = {"384 x 288": draw(384, 288), "512 x 384": draw(512, 384)}
    for name, (image, mask) in scenes.items():
        print(name)
        families(image, mask, options.repeat)
        against_others(image, mask, options.repeat)


if __name__ == "__main__":
    main()
