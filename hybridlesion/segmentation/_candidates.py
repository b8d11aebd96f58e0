"""Candidate masks: connected regions of the contrast maps at several thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from hybridlesion._optional_imports import cv2
from hybridlesion.segmentation._contrast_maps import ContrastMaps

# Area of a candidate as a share of the frame; smaller regions are freckles.
SMALLEST_SHARE = 0.002
LARGEST_SHARE = 0.95

# Minimum area, as a share of the largest region, for a region to join the union of regions.
COMPANION_SHARE = 0.15

LEVELS = np.arange(256)


@dataclass(frozen=True)
class Candidate:
    """Region that may be the lesion.

    Parameters
    ----------
    mask : ndarray of shape (h, w), uint8
        Zeros and ones; holes are filled.
    contours : sequence of ndarray of shape (n, 1, 2), int32
        Outlines of the region, as (column, row).
    """

    mask: np.ndarray
    contours: Sequence[np.ndarray]


def find_candidates(contrast: ContrastMaps) -> list[Candidate]:
    """Collect candidate lesion masks from all maps and thresholds.

    Parameters
    ----------
    contrast : ContrastMaps
        Contrast maps of one image.

    Returns
    -------
    list of Candidate
        Candidates without duplicates; empty if no region contrasts with the skin.

    Notes
    -----
    Each map is thresholded at Otsu's threshold, at Otsu's thresholds of the pixels above and below
    it, and halfway between these. The result is opened and closed with a disc of 0.8 % of the long
    side; the three largest regions and their union are the candidates.
    """
    usable = contrast.usable.view(np.uint8)
    found: dict[bytes, Candidate] = {}
    for values in contrast.maps.values():
        counts = cv2.calcHist([values], [0], usable, [256], [0, 256])
        for threshold in _thresholds(counts.ravel().astype(float)):
            above = cv2.compare(values, float(threshold), cv2.CMP_GT) & usable
            for candidate in _regions(_clean(above)):
                found[candidate.mask.tobytes()] = candidate
    largest = LARGEST_SHARE * usable.size
    return [one for one in found.values() if cv2.countNonZero(one.mask) <= largest]


def _thresholds(counts: np.ndarray) -> list[int]:
    """Return Otsu's threshold, those of the values above and below it, and the means in between."""
    middle = _otsu(counts)
    if middle is None:
        return []
    upper = _otsu(np.where(middle < LEVELS, counts, 0)) or middle
    lower = _otsu(np.where(middle >= LEVELS, counts, 0)) or middle
    return sorted({middle, upper, lower, (middle + lower) // 2, (middle + upper) // 2})


def _otsu(counts: np.ndarray) -> int | None:
    """Return the threshold of maximum between-class variance; None if all values are equal."""
    below = counts.cumsum()
    total = below[-1]
    mass = (counts * LEVELS).cumsum()
    product = below * (total - below)
    spread = np.divide(
        (mass * total - mass[-1] * below) ** 2, product, out=np.zeros(256), where=product > 0
    )
    if spread.max() <= 0:
        return None
    # The threshold is the middle of an empty gap between two classes.
    return int(np.flatnonzero(spread >= spread.max() * (1 - 1e-12)).mean())


def _clean(mask: np.ndarray) -> np.ndarray:
    around = disc(max(1, round(0.008 * max(mask.shape))))
    return cv2.morphologyEx(cv2.morphologyEx(mask, cv2.MORPH_OPEN, around), cv2.MORPH_CLOSE, around)


@cache
def disc(radius: int) -> np.ndarray:
    """Make a disc-shaped structuring element.

    Parameters
    ----------
    radius : int
        Radius in pixels, at least 0.

    Returns
    -------
    ndarray of shape (2 * radius + 1, 2 * radius + 1), uint8
        Ones on the disc. The array is cached and must not be modified.
    """
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))


def _regions(mask: np.ndarray) -> list[Candidate]:
    n_labels, labels = cv2.connectedComponents(mask, connectivity=4, ltype=cv2.CV_16U)
    areas = np.bincount(labels.ravel(), minlength=n_labels)[1:]
    order = np.argsort(-areas, kind="stable")[:3]
    order = order[areas[order] >= SMALLEST_SHARE * mask.size]
    regions = [(labels == label + 1).view(np.uint8) for label in order.tolist()]
    if len(order) > 1:
        n_companions = np.count_nonzero(areas[order] > COMPANION_SHARE * areas[order[0]])
        if n_companions > 1:
            regions.append(np.bitwise_or.reduce(regions[:n_companions]))
    return [_fill_holes(region) for region in regions]


def _fill_holes(mask: np.ndarray) -> Candidate:
    contours, tree = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    if (tree.reshape(-1, 4)[:, 3] < 0).all():
        # No contour has a parent, so the mask has no holes.
        return Candidate(mask, contours)
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = cv2.drawContours(np.zeros_like(mask), contours, -1, 1, cv2.FILLED)
    return Candidate(filled, contours)
