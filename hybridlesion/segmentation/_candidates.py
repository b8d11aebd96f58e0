"""Candidate masks: every map, cut at several thresholds, cleaned and taken apart."""

from __future__ import annotations

import numpy as np

from hybridlesion._opencv import cv2
from hybridlesion.segmentation._evidence import Evidence

__all__ = ["find_candidates"]

# A region must have this share of the frame to be a lesion and not a freckle.
SMALLEST_SHARE = 0.002
LARGEST_SHARE = 0.95

# Regions below this share of the largest do not join the candidate of all regions together.
COMPANION_SHARE = 0.15


def find_candidates(evidence: Evidence) -> list[np.ndarray]:
    """Collect candidate lesion masks from all maps and thresholds.

    Parameters
    ----------
    evidence : Evidence
        The maps of one image.

    Returns
    -------
    list of ndarray of shape (h, w), uint8
        Masks of zeros and ones without holes, each once; empty if nothing stands out.

    Notes
    -----
    A map is cut at Otsu's threshold, at Otsu's thresholds of the two sides of that, and half-way
    between. Opening and closing by 0.8 % of the long side clean the result; the three largest
    regions, and they together, are the candidates.
    """
    usable = evidence.usable.astype(np.uint8)
    found: dict[bytes, np.ndarray] = {}
    for values in evidence.maps.values():
        for threshold in _thresholds(values[evidence.usable]):
            above = cv2.compare(values, float(threshold), cv2.CMP_GT) & usable
            for mask in _regions(_clean(above)):
                found[mask.tobytes()] = mask
    largest = LARGEST_SHARE * usable.size
    return [mask for mask in found.values() if cv2.countNonZero(mask) <= largest]


def _thresholds(values: np.ndarray) -> list[int]:
    """Otsu's threshold, those of its two sides, and the means between."""
    counts = np.bincount(values, minlength=256).astype(float)
    middle = _otsu(counts)
    if middle is None:
        return []
    levels = np.arange(256)
    upper = _otsu(np.where(levels > middle, counts, 0)) or middle
    lower = _otsu(np.where(levels <= middle, counts, 0)) or middle
    return sorted({middle, upper, lower, (middle + lower) // 2, (middle + upper) // 2})


def _otsu(counts: np.ndarray) -> int | None:
    """Threshold of largest between-class variance, or None for a single value."""
    below = counts.cumsum()
    total = below[-1]
    mass = (counts * np.arange(256)).cumsum()
    product = below * (total - below)
    spread = np.divide(
        (mass * total - mass[-1] * below) ** 2, product, out=np.zeros(256), where=product > 0
    )
    if spread.max() <= 0:
        return None
    # An empty stretch between two classes is cut in its middle.
    return int(np.flatnonzero(spread >= spread.max() * (1 - 1e-12)).mean())


def _clean(mask: np.ndarray) -> np.ndarray:
    radius = max(1, round(0.008 * max(mask.shape)))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return cv2.morphologyEx(cv2.morphologyEx(mask, cv2.MORPH_OPEN, disc), cv2.MORPH_CLOSE, disc)


def _regions(mask: np.ndarray) -> list[np.ndarray]:
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
    areas = stats[1:, cv2.CC_STAT_AREA]
    order = np.argsort(-areas, kind="stable")[:3]
    order = order[areas[order] >= SMALLEST_SHARE * mask.size]
    regions = [(labels == label + 1).astype(np.uint8) for label in order]
    if len(order) > 1:
        companions = order[areas[order] > COMPANION_SHARE * areas[order[0]]]
        if len(companions) > 1:
            chosen = np.zeros(len(stats), np.uint8)
            chosen[companions + 1] = 1
            regions.append(chosen[labels])
    return [_fill_holes(region) for region in regions]


def _fill_holes(mask: np.ndarray) -> np.ndarray:
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(np.zeros_like(mask), contours, -1, 1, cv2.FILLED)
