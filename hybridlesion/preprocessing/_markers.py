"""Ink and coloured stickers: colours that skin and lesions do not have."""

from __future__ import annotations

import numpy as np

from hybridlesion._opencv import cv2
from hybridlesion._validation import check_image

__all__ = ["marker_mask"]


def marker_mask(image: np.ndarray) -> np.ndarray:
    """Mark pixels in green, blue and violet: stickers, gauge discs and surgical ink.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB image.

    Returns
    -------
    ndarray of shape (H, W), bool
        True on markers.

    Raises
    ------
    ImageError
        If the image is not an RGB uint8 array.

    Notes
    -----
    HSV hue from 80 to 330 degrees with a saturation above 60/255 and a value above 100/255.
    If more than half of the frame has such a colour, the light is tinted and nothing is marked.
    Blue-grey veils of melanomas are less saturated than that; the black of lesions in bluish
    light can look saturated, but is darker.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.full((4, 6, 3), (220, 170, 150), np.uint8)
    >>> image[:, :2] = (20, 130, 220)
    >>> marker_mask(image)[0].tolist()
    [True, True, False, False, False, False]
    """
    hsv = cv2.cvtColor(check_image(image), cv2.COLOR_RGB2HSV)
    # OpenCV stores half of the hue in degrees.
    mask = cv2.inRange(hsv, (40, 61, 101), (165, 255, 255)) > 0
    return mask if mask.mean() <= 0.5 else np.zeros_like(mask)
