"""Candidate masks: every map, cut at several thresholds, cleaned and taken apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hybridlesion._optional_imports import cv2
from hybridlesion.segmentation._contrast_maps import Evidence

__all__ = ["Candidate", "find_candidates"]

# A region must have this share of the frame to be a lesion and not a freckle.
SMALLEST_SHARE = 0.002
LARGEST_SHARE = 0.95

# Regions below this share of the largest do not join the candidate of all regions together.
COMPANION_SHARE = 0.15

LEVELS = np.arange(256)


@dataclass(frozen=True)
class Candidate:
    """A region that may be the lesion.

    Parameters
    ----------
    mask : ndarray of shape (h, w), uint8
        Zeros and ones, without holes.
    contours : sequence of ndarray of shape (n, 1, 2), int32
        Its outlines, columns before rows.
    """

    mask: np.ndarray
    contours: Sequence[np.ndarray]


def find_candidates(evidence: Evidence) -> list[Candidate]:
    """Collect candidate lesion masks from all maps and thresholds.

    Parameters
    ----------
    evidence : Evidence
        The maps of one image.

    Returns
    -------
    list of Candidate
        Each mask once; empty if nothing stands out.

    Notes
    -----
    A map is cut at Otsu's threshold, at Otsu's thresholds of the two sides of that, and half-way
    between. Opening and closing by 0.8 % of the long side clean the result; the three largest
    regions, and they together, are the candidates.
    """
    usable = evidence.usable.view(np.uint8)
    found: dict[bytes, Candidate] = {}
    for values in evidence.maps.values():
        counts = cv2.calcHist([values], [0], usable, [256], [0, 256])
        for threshold in _thresholds(counts.ravel().astype(float)):
            above = cv2.compare(values, float(threshold), cv2.CMP_GT) & usable
            for candidate in _regions(_clean(above)):
                found[candidate.mask.tobytes()] = candidate
    largest = LARGEST_SHARE * usable.size
    return [one for one in found.values() if cv2.countNonZero(one.mask) <= largest]


def _thresholds(counts: np.ndarray) -> list[int]:
    """Otsu's threshold, those of its two sides, and the means between."""
    middle = _otsu(counts)
    if middle is None:
        return []
    upper = _otsu(np.where(middle < LEVELS, counts, 0)) or middle
    lower = _otsu(np.where(middle >= LEVELS, counts, 0)) or middle
    return sorted({middle, upper, lower, (middle + lower) // 2, (middle + upper) // 2})


def _otsu(counts: np.ndarray) -> int | None:
    """Threshold of largest between-class variance, or None for a single value."""
    below = counts.cumsum()
    total = below[-1]
    mass = (counts * LEVELS).cumsum()
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
        # No contour has a parent: there are no holes.
        return Candidate(mask, contours)
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = cv2.drawContours(np.zeros_like(mask), contours, -1, 1, cv2.FILLED)
    return Candidate(filled, contours)
