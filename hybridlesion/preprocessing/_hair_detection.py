"""Hair: thin, long, darker or lighter than what lies on both of its sides."""

from __future__ import annotations

import numpy as np

from hybridlesion._opencv import cv2
from hybridlesion._validation import check_image, check_mask

__all__ = ["hair_mask"]

# Shares of the long side: the widest hair, the straight piece by which hair is told from the dots
# and meshes of a lesion, and how far a hair may stray from that piece.
WIDTH_SHARE = 0.01
LENGTH_SHARE = 0.12
SLACK_SHARE = 0.005
N_ANGLES = 12

# Grey levels by which the piece must stand out.
CONTRAST = 6


def hair_mask(image: np.ndarray, *, fov: np.ndarray | None = None) -> np.ndarray:
    """Mark hair, dark or light, at the image's own scale.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB image.
    fov : ndarray of shape (H, W), bool, default=None
        Usable field of view; nothing outside is marked. None takes the whole frame.

    Returns
    -------
    ndarray of shape (H, W), bool
        True on hair.

    Raises
    ------
    ImageError
        If the image is not an RGB uint8 array or the field of view has another size.

    Notes
    -----
    A black hat (dark hair) and a top hat (light hair) with a disc of 1 % of the long side keep
    what is thin. Opening with straight lines of 12 % of the long side in twelve directions, after
    widening by 0.5 %, keeps what is also long. A pixel is hair if it stands out by more than 6
    grey levels in both. Ruler lines pass too; short ticks do not.

    References
    ----------
    T. Lee et al., "DullRazor: a software approach to hair removal from images", Computers in
    Biology and Medicine 27(6), 1997.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.full((100, 100, 3), 180, np.uint8); image[10:90, 50] = 60
    >>> mask = hair_mask(image)
    >>> bool(mask[50, 50]), bool(mask[50, 40])
    (True, False)
    """
    image = check_image(image)
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    long_side = max(gray.shape)
    radius = max(1, round(WIDTH_SHARE * long_side / 2))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    found = np.zeros(gray.shape, bool)
    for hat in (cv2.MORPH_BLACKHAT, cv2.MORPH_TOPHAT):
        ridge = cv2.morphologyEx(gray, hat, disc)
        straight = _straight_response(ridge, long_side) > CONTRAST
        found |= straight & (ridge > CONTRAST)
    if fov is not None:
        found &= check_mask(fov, image.shape[:2])
    return found


def _straight_response(height: np.ndarray, long_side: int) -> np.ndarray:
    """What of a ridge map remains after opening with straight lines, best direction."""
    length = max(5, round(LENGTH_SHARE * long_side) | 1)
    # Hairs climb in stairs, bend, and run between two directions; widened, they hold a line.
    spread = max(1, round(SLACK_SHARE * long_side))
    size = (2 * spread + 1, 2 * spread + 1)
    height = cv2.dilate(height, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, size))
    best = np.zeros_like(height)
    for angle in range(N_ANGLES):
        line = _line(length, np.pi * angle / N_ANGLES)
        cv2.max(best, cv2.morphologyEx(height, cv2.MORPH_OPEN, line), dst=best)
    return best


def _line(length: int, angle: float) -> np.ndarray:
    kernel = np.zeros((length, length), np.uint8)
    middle = (length - 1) / 2
    x, y = np.cos(angle) * middle, np.sin(angle) * middle
    start = (round(middle - x), round(middle - y))
    end = (round(middle + x), round(middle + y))
    cv2.line(kernel, start, end, 1, 1)
    return kernel
