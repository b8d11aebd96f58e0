"""Rotation-invariant uniform local binary patterns."""

from __future__ import annotations

import numpy as np

from hybridlesion._opencv import cv2

__all__ = ["PATTERNS", "local_binary_pattern", "pattern_shares"]

PATTERNS = 10
"""0 to 8 set neighbours in one run; 9 stands for every pattern with more than one run."""

_RING = ((-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1))


def _uniform_table() -> np.ndarray:
    bits = (np.arange(256)[:, None] >> np.arange(8)) & 1
    changes = (bits != np.roll(bits, 1, axis=1)).sum(axis=1)
    return np.where(changes <= 2, bits.sum(axis=1), 9).astype(np.uint8)


_TABLE = _uniform_table()


def local_binary_pattern(grey: np.ndarray, radius: int = 1) -> np.ndarray:
    """Name the pattern of each pixel's eight neighbours.

    Parameters
    ----------
    grey : ndarray of shape (h, w), uint8 or float32
        Image.
    radius : int, default=1
        Pixels from the centre to the neighbours on a square ring.

    Returns
    -------
    ndarray of shape (h, w), uint8
        Number of neighbours not darker than the centre if they form one run, else 9.

    Notes
    -----
    The neighbours are the eight pixels of the square ring, without interpolation; the frame is
    continued by its edge.

    References
    ----------
    Ojala, Pietikainen and Maenpaa 2002, IEEE Trans. PAMI 24.

    Examples
    --------
    >>> import numpy as np
    >>> spot = np.zeros((3, 3), np.uint8)
    >>> spot[1, 1] = 9
    >>> int(local_binary_pattern(spot)[1, 1])  # every neighbour is darker
    0
    """
    return cv2.LUT(_codes(grey, radius), _TABLE)


def pattern_shares(grey: np.ndarray, mask: np.ndarray, radius: int = 1) -> np.ndarray:
    """Share of each pattern inside a mask.

    Parameters
    ----------
    grey : ndarray of shape (h, w), uint8 or float32
        Image.
    mask : ndarray of shape (h, w), bool
        Where patterns count; at least one pixel.
    radius : int, default=1
        As in `local_binary_pattern`.

    Returns
    -------
    ndarray of shape (10,), float
        Shares that add up to 1.
    """
    count = cv2.calcHist([_codes(grey, radius)], [0], mask.view(np.uint8), [256], [0, 256])
    # naming 256 codes is quicker than naming every pixel
    count = np.bincount(_TABLE, count.ravel(), PATTERNS)
    return count / count.sum()


def _codes(grey: np.ndarray, radius: int) -> np.ndarray:
    """One bit for each neighbour that is not darker than the centre."""
    height, width = grey.shape
    wide = cv2.copyMakeBorder(grey, radius, radius, radius, radius, cv2.BORDER_REPLICATE)
    code = np.zeros((height, width), np.uint8)
    for down, right in _RING:
        top, left = radius * (1 + down), radius * (1 + right)
        neighbour = wide[top : top + height, left : left + width]
        # each bit moves up by one when the next is added; where the run starts does not matter
        code += code
        code |= (neighbour >= grey).view(np.uint8)
    return code
