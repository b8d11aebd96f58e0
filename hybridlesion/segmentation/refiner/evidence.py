"""What the network sees: the squashed image, and the evidence behind its classical mask."""

from __future__ import annotations

import numpy as np

from hybridlesion._opencv import cv2

__all__ = ["encode_evidence", "encode_image", "squash"]

# ImageNet's colours, which the encoder was trained with.
_MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32) * 255
_STD = np.array([0.229, 0.224, 0.225], dtype=np.float32) * 255

# The signed distance reaches its bounds this share of the side away from the edge.
_REACH = 0.25


def squash(array: np.ndarray, side: int) -> np.ndarray:
    """Resize to a square, whatever the aspect.

    Parameters
    ----------
    array : ndarray of shape (H, W) or (H, W, 3), bool, uint8 or float32
        Image, mask or map; a mask becomes grey.
    side : int
        Side of the square, in pixels.

    Returns
    -------
    ndarray of shape (side, side) or (side, side, 3), uint8 or float32
        Mean over the area of each new pixel; 0 to 255 for a mask.

    Examples
    --------
    >>> import numpy as np
    >>> squash(np.array([[True, False, False, False], [False] * 4]), 1)
    array([[32]], dtype=uint8)
    """
    if array.dtype == bool:
        array = array.astype(np.uint8) * 255
    shrinks = min(array.shape[:2]) >= side
    way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(array, (side, side), interpolation=way)


def encode_image(image: np.ndarray) -> np.ndarray:
    """Normalise an image as the ImageNet encoder expects it.

    Parameters
    ----------
    image : ndarray of shape (S, S, 3), uint8 or float32 in 0 to 255
        RGB image.

    Returns
    -------
    ndarray of shape (S, S, 3), float32
        Zero mean and unit deviation over ImageNet.
    """
    return (image.astype(np.float32, copy=False) - _MEAN) / _STD


def encode_evidence(classical: np.ndarray, likelihood: np.ndarray) -> np.ndarray:
    """Stack mask, signed distance and likelihood as the network reads them.

    Parameters
    ----------
    classical : ndarray of shape (S, S), uint8
        Classical mask, 0 to 255.
    likelihood : ndarray of shape (S, S), uint8
        Lesion likelihood, 0 to 255.

    Returns
    -------
    ndarray of shape (S, S, 3), float32
        Each in -1 to 1; the distance reaches its bounds a quarter of the side from the edge.
    """
    inside = (classical > 127).astype(np.uint8)
    reach = _REACH * len(classical)
    distance = cv2.distanceTransform(inside, cv2.DIST_L2, 3)
    distance -= cv2.distanceTransform(1 - inside, cv2.DIST_L2, 3)
    return np.dstack(
        [
            2.0 * inside - 1.0,
            np.clip(distance / reach, -1, 1),
            likelihood.astype(np.float32) / 127.5 - 1,
        ]
    ).astype(np.float32)
