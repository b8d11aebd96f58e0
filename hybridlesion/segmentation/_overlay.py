"""The outline of a mask, drawn onto its image."""

from __future__ import annotations

import numpy as np

from hybridlesion._opencv import cv2
from hybridlesion._validation import check_image, check_mask

__all__ = ["draw_overlay"]


def draw_overlay(
    image: np.ndarray,
    mask: np.ndarray,
    *,
    color: tuple[int, int, int] = (0, 255, 200),
    width: int | None = None,
) -> np.ndarray:
    """Draw the contour of a mask onto a copy of the image.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB image.
    mask : ndarray of shape (H, W), bool
        Lesion mask.
    color : tuple of int, default=(0, 255, 200)
        RGB colour of the line. A dark rim on both sides keeps it visible on any skin.
    width : int, default=None
        Line width in pixels, at least 1; None takes 1/180 of the long side.

    Returns
    -------
    ndarray of shape (H, W, 3), uint8
        The drawing. An empty mask leaves the image as it is.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.full((40, 40, 3), 200, dtype=np.uint8)
    >>> mask = np.zeros((40, 40), dtype=bool)
    >>> mask[10:30, 10:30] = True
    >>> drawn = draw_overlay(image, mask)
    >>> bool((drawn[10, 20] != 200).any()), bool((drawn[20, 20] == 200).all())
    (True, True)
    """
    drawn = check_image(image).copy()
    mask = check_mask(mask, image.shape[:2])
    line = max(1, round(max(mask.shape) / 180)) if width is None else width
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    rim = max(2, line)
    cv2.drawContours(drawn, outlines, -1, (20, 20, 20), line + rim, cv2.LINE_AA)
    cv2.drawContours(drawn, outlines, -1, color, line, cv2.LINE_AA)
    return drawn
