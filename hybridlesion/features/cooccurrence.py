"""Grey-level co-occurrence of pixel pairs that lie inside a mask."""

from __future__ import annotations

import numpy as np

from hybridlesion._opencv import cv2

__all__ = ["DIRECTIONS", "LEVELS", "cooccurrence", "haralick", "quantise"]

LEVELS = 16
DIRECTIONS = ((0, 1), (1, 1), (1, 0), (1, -1))
"""Row and column step of 0, 45, 90 and 135 degrees."""


def quantise(values: np.ndarray, mask: np.ndarray, levels: int = LEVELS) -> np.ndarray:
    """Cut values into equal steps between the mask's 1st and 99th percentile.

    Parameters
    ----------
    values : ndarray of shape (h, w), float
        For example lightness.
    mask : ndarray of shape (h, w), bool
        At least one pixel.
    levels : int, default=16
        Number of steps.

    Returns
    -------
    ndarray of shape (h, w), uint8
        0 to ``levels - 1``; all 0 when the values are constant.
    """
    low, high = np.percentile(values[mask], (1, 99))
    step = (high - low) / levels
    if step <= 1e-6:
        return np.zeros(values.shape, np.uint8)
    return np.clip((values - low) / step, 0, levels - 1).astype(np.uint8)


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
        Number of levels, 255 at most.

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
    # what lies outside becomes a level of its own and is cut off after counting
    marked = np.where(mask, grey, levels).astype(np.uint8)
    down, right = step
    height, width = marked.shape
    if down >= height or abs(right) >= width:
        return np.zeros((levels, levels), np.int64)
    first = marked[: height - down, max(-right, 0) : width - max(right, 0)]
    second = marked[down:, max(right, 0) : width + min(right, 0)]
    side = [levels + 1] * 2
    pairs = cv2.calcHist([first, second], [0, 1], None, side, [0, side[0], 0, side[1]])
    counts = pairs[:levels, :levels].astype(np.int64)
    return counts + counts.T


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
    p = counts / total
    i, j = np.indices(p.shape)
    squared = (i - j) ** 2
    mean = (i * p).sum()
    variance = ((i - mean) ** 2 * p).sum()
    covariance = ((i - mean) * (j - mean) * p).sum()
    filled = p[p > 0]
    return {
        "contrast": float((squared * p).sum()),
        "homogeneity": float((p / (1.0 + squared)).sum()),
        "energy": float(np.sqrt((p**2).sum())),
        "entropy": float(-(filled * np.log2(filled)).sum() + 0.0),
        "correlation": float(covariance / variance) if variance > 1e-12 else 1.0,
    }
