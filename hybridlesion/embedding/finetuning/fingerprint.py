"""The look of a photograph in 256 bits, by which a copy under another name is known again."""

from __future__ import annotations

import numpy as np

from hybridlesion._opencv import cv2

__all__ = ["FINGERPRINT_BYTES", "fingerprint", "small_grey"]

FINGERPRINT_BYTES = 32


def small_grey(image: np.ndarray) -> np.ndarray:
    """Shrink an image to 16 rows of 17 grey values, whatever its aspect.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB image.

    Returns
    -------
    ndarray of shape (16, 17), uint8
        Grey values.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return cv2.resize(grey, (17, 16), interpolation=cv2.INTER_AREA)


def fingerprint(image: np.ndarray) -> np.ndarray:
    """Signs of the horizontal grey gradients of an image at 16 pixels.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB image.

    Returns
    -------
    ndarray of shape (32,), uint8
        256 bits, the same for a copy that was scaled, squashed or lit otherwise, up to a few.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    >>> bool((fingerprint(image) == fingerprint(image // 2)).mean() > 0.9)
    True
    """
    grey = small_grey(image)
    return np.packbits(grey[:, 1:] > grey[:, :-1])
