"""Dimension: size of the lesion relative to the frame, since photographs have no known scale."""

from __future__ import annotations

import math

import numpy as np

from hybridlesion._optional_imports import cv2

_PIXEL = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.int32)


def dimension(mask: np.ndarray) -> dict[str, float]:
    """Measure the size of a lesion as a share of its frame.

    Parameters
    ----------
    mask : ndarray of shape (H, W), bool
        Lesion mask of the whole frame, with at least one pixel.

    Returns
    -------
    dict of str to float
        One value per feature of the family, keyed without the prefix ``abcd__dimension_``.

    Notes
    -----
    The maximum Feret diameter is the largest distance between two corners of lesion pixels; the
    minimum is the smallest width between two parallel lines. Lengths are divided by the diagonal of
    the frame, so that a photograph yields the same values at 256 and at 6000 pixels.

    Examples
    --------
    >>> import numpy as np
    >>> mask = np.zeros((30, 40), bool)
    >>> mask[0:3, 0:4] = True
    >>> dimension(mask)["feret_max"], dimension(mask)["area"]  # 5 of 50 pixels, 12 of 1200
    (0.1, 0.01)
    """
    x, y, width, height = cv2.boundingRect(mask.view(np.uint8))
    hull = cv2.convexHull(_corners(mask[y : y + height, x : x + width]))[:, 0, :].astype(float)
    # |p - q|^2 = p^2 + q^2 - 2 pq for all pairs of corners
    squared = (hull * hull).sum(axis=1)
    apart = squared[:, None] + squared - 2.0 * hull @ hull.T
    edge_x, edge_y = (np.roll(hull, -1, axis=0) - hull).T
    across = hull @ np.stack([edge_y, -edge_x]) / np.hypot(edge_x, edge_y)
    feret_max = math.sqrt(apart.max())
    feret_min = float((across.max(axis=0) - across.min(axis=0)).min())
    area, diagonal = float(np.count_nonzero(mask)), math.hypot(*mask.shape)
    equivalent = 2.0 * math.sqrt(area / math.pi)
    rim = sum(int(side.sum()) for side in (mask[0], mask[-1], mask[:, 0], mask[:, -1]))
    return {
        "area": area / mask.size,
        "equivalent_diameter": equivalent / diagonal,
        "feret_max": feret_max / diagonal,
        "feret_min": feret_min / diagonal,
        "feret_ratio": feret_min / feret_max,
        "feret_elongation": feret_max / equivalent,
        "box": width * height / mask.size,
        "frame_contact": rim / (2.0 * sum(mask.shape)),
    }


def _corners(mask: np.ndarray) -> np.ndarray:
    """Return the corners of pixels on the hull of all centres, (n, 1, 2), which span the hull."""
    parts, _ = cv2.findContours(mask.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    centers = cv2.convexHull(np.vstack(parts))
    return (centers + _PIXEL).reshape(-1, 1, 2)
