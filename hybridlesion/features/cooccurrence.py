"""Grey-level co-occurrence of pixel pairs that lie inside a mask."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from hybridlesion._optional_imports import cv2
from hybridlesion.features._statistics import percentiles

__all__ = ["DIRECTIONS", "LEVELS", "cooccurrence", "haralick", "pair_counts", "quantise"]

LEVELS = 16
DIRECTIONS = ((0, 1), (1, 1), (1, 0), (1, -1))
"""Row and column step of 0, 45, 90 and 135 degrees."""


def quantise(
    values: np.ndarray,
    mask: np.ndarray,
    levels: int = LEVELS,
    limits: tuple[float, float] | None = None,
) -> np.ndarray:
    """Cut values into equal steps between the mask's 1st and 99th percentile.

    Parameters
    ----------
    values : ndarray of shape (h, w), float
        For example lightness.
    mask : ndarray of shape (h, w), bool
        At least one pixel.
    levels : int, default=16
        Number of steps.
    limits : tuple of float, default=None
        The two percentiles, where they are known already.

    Returns
    -------
    ndarray of shape (h, w), uint8
        0 to ``levels - 1``; all 0 when the values are constant.
    """
    low, high = percentiles(values[mask], 1, 99) if limits is None else limits
    step = (high - low) / levels
    if step <= 1e-6:
        return np.zeros(values.shape, np.uint8)
    scaled = (values - np.float32(low)) * np.float32(1.0 / step)
    return np.clip(scaled, 0, levels - 1, out=scaled).astype(np.uint8)


def cooccurrence(
    grey: np.ndarray, mask: np.ndarray, step: tuple[int, int], levels: int = LEVELS
) -> np.ndarray:
    """Count pairs of grey levels one step apart, both pixels inside the mask.

    Parameters
    ----------
    grey : ndarray of shape (h, w), int
        Levels 0 to ``levels - 1``.
    mask : ndarray of shape (h, w), bool
        Where pixels count.
    step : tuple of int
        (rows, columns) from the first to the second pixel; rows not negative.
    levels : int, default=16
        Number of levels, 16 at most: a pair then fits into a byte.

    Returns
    -------
    ndarray of shape (levels, levels), int
        Symmetric counts: each pair is counted both ways.

    Examples
    --------
    >>> import numpy as np
    >>> grey = np.array([[0, 1, 1], [0, 0, 1]])
    >>> inside = np.array([[True, True, True], [False, True, True]])
    >>> cooccurrence(grey, inside, (0, 1), levels=2)  # pairs 0-1, 1-1 and 0-1
    array([[0, 2],
           [2, 2]])
    """
    counts = pair_counts(grey.astype(np.uint8, copy=False), mask, step, levels)
    counts = counts.reshape(levels, levels).astype(np.int64)
    return counts + counts.T


def pair_counts(
    grey: np.ndarray, mask: np.ndarray, step: tuple[int, int], levels: int = LEVELS
) -> np.ndarray:
    """Count pairs of grey levels one way only, as a flat array.

    Parameters
    ----------
    grey : ndarray of shape (h, w), uint8
        Levels 0 to ``levels - 1``.
    mask : ndarray of shape (h, w), bool
        Where pixels count.
    step : tuple of int
        (rows, columns) from the first to the second pixel; rows not negative.
    levels : int, default=16
        Number of levels, 16 at most.

    Returns
    -------
    ndarray of shape (levels * levels,), float32
        Count of the pair (i, j) at ``levels * i + j``.
    """
    down, right = step
    height, width = grey.shape
    if down >= height or abs(right) >= width:
        return np.zeros(levels**2, np.float32)
    first = np.s_[: height - down, max(-right, 0) : width - max(right, 0)]
    second = np.s_[down:, max(right, 0) : width + min(right, 0)]
    pair = grey[first] * np.uint8(levels)
    pair += grey[second]
    both = (mask[first] & mask[second]).view(np.uint8)
    return cv2.calcHist([pair], [0], both, [levels**2], [0, levels**2]).ravel()


def haralick(counts: np.ndarray) -> dict[str, float]:
    """Summarise co-occurrence counts.

    Parameters
    ----------
    counts : ndarray of shape (levels, levels), int
        Symmetric counts of `cooccurrence`; may be all 0.

    Returns
    -------
    dict of str to float
        ``contrast`` sum p (i-j)^2, ``homogeneity`` sum p / (1 + (i-j)^2), ``energy``
        sqrt(sum p^2), ``entropy`` -sum p log2 p, ``correlation``. Without any pair they are those
        of a constant region: 0, 1, 1, 0 and 1.

    References
    ----------
    Haralick, Shanmugam and Dinstein 1973, IEEE Trans. SMC 3.
    """
    total = counts.sum()
    if total == 0:
        return {
            "contrast": 0.0,
            "homogeneity": 1.0,
            "energy": 1.0,
            "entropy": 0.0,
            "correlation": 1.0,
        }
    p = counts.ravel() / total
    moments = _moment_weights(len(counts)) @ p
    contrast, homogeneity, mean, square, product = moments.tolist()
    variance, covariance = square - mean**2, product - mean**2
    filled = p[p > 0]
    return {
        "contrast": contrast,
        "homogeneity": homogeneity,
        "energy": float(np.sqrt(p @ p)),
        "entropy": -float(filled @ np.log2(filled)) + 0.0,
        "correlation": covariance / variance if variance > 1e-9 else 1.0,
    }


@lru_cache(maxsize=4)
def _moment_weights(levels: int) -> np.ndarray:
    """Weights of all pairs (i, j) that sum p to its contrast, homogeneity, E i, E i^2 and E ij."""
    i, j = np.indices((levels, levels)).reshape(2, -1)
    squared = (i - j) ** 2
    return np.stack([squared, 1.0 / (1.0 + squared), i, i * i, i * j])
