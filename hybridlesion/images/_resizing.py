"""Fewer pixels, the same picture."""

from __future__ import annotations

import numpy as np

from hybridlesion._opencv import cv2
from hybridlesion._validation import check_image, check_number

__all__ = ["resize_long_side"]


def resize_long_side(image: np.ndarray, long_side: int) -> np.ndarray:
    """Shrink an image until its longer side has `long_side` pixels.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB image.
    long_side : int
        Wanted pixels of the longer side, at least 1.

    Returns
    -------
    ndarray of shape (h, w, 3), uint8
        Each pixel is the mean of the area that it replaces. An image that is small enough
        already is returned as it is, never enlarged.

    Notes
    -----
    The shorter side is rounded to the nearest pixel and never below 1, so that a strip of
    1 x 100000 becomes one of 1 x `long_side`.

    Examples
    --------
    >>> resize_long_side(np.zeros((300, 400, 3), np.uint8), 200).shape
    (150, 200, 3)
    """
    image = check_image(image)
    check_number("long_side", long_side, low=1, integer=True)
    height, width = image.shape[:2]
    scale = long_side / max(height, width)
    if scale >= 1:
        return image
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)
