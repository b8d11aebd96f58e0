"""Hair: thin, long, darker or lighter than what lies on both of its sides."""

from __future__ import annotations

import numpy as np

from hybridlesion._opencv import cv2
from hybridlesion._validation import check_image, check_mask
from hybridlesion.images import resize_long_side
from hybridlesion.preprocessing._hair_lines import Lines, Scene, trace_lines
from hybridlesion.preprocessing._hair_score import score_lines
from hybridlesion.preprocessing._ridges import RidgeMap, find_ridges

__all__ = ["hair_mask"]

# A hair takes one to five pixels at this long side; larger images are looked at in this size.
WORKING_LONG_SIDE = 384

# Widest hair, in pixels there, and the share of its contrast by which a pixel belongs to it.
WIDTH = 5
OWN_SHARE = 0.4


def hair_mask(image: np.ndarray, *, fov: np.ndarray | None = None) -> np.ndarray:
    """Mark hair, dark or light.

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
    In the red channel, in which vessels and most pigment fade, straight pieces of 16 pixels in 16
    directions that stand out from both flanks are linked to lines, at a long side of 384 pixels at
    most. Lines that extend over 6 % of the long side are measured (length, contrast against their
    surroundings, colour, straightness, place), and a small fitted score tells hairs from pigment
    nets, skin furrows and vessels. Ruler edges pass too; short ticks do not.

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
    work = resize_long_side(image, WORKING_LONG_SIDE)
    size = work.shape[:2]
    usable = np.ones(size, bool)
    if fov is not None:
        fov = check_mask(fov, image.shape[:2])
        usable = cv2.resize(fov.astype(np.uint8), size[::-1], interpolation=cv2.INTER_AREA) > 0
    red = np.ascontiguousarray(work[..., 0])
    found = np.zeros(size, bool)
    scene = Scene(work, usable)
    hats = (cv2.MORPH_BLACKHAT, cv2.MORPH_TOPHAT)
    for light, (ridges, hat) in enumerate(zip(find_ridges(red), hats, strict=True)):
        lines = trace_lines(scene, ridges, light=bool(light))
        found |= _widen(lines, score_lines(lines.measures) > 0, ridges, red, hat)
    found &= usable
    if size != image.shape[:2]:
        soft = found.astype(np.float32)
        found = cv2.resize(soft, image.shape[1::-1], interpolation=cv2.INTER_LINEAR) > 0.5
    return found if fov is None else found & fov


def _widen(
    lines: Lines, chosen: np.ndarray, ridges: RidgeMap, gray: np.ndarray, hat: int
) -> np.ndarray:
    """Grow the middle of each hair to its width: pixels with a fair share of its contrast."""
    kept = chosen[lines.line]
    if not kept.any():
        return np.zeros(gray.shape, bool)
    middle = np.zeros(gray.shape, np.float32)
    pixels = lines.rows[kept], lines.columns[kept]
    middle[pixels] = ridges.contrast[pixels]
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (WIDTH, WIDTH))
    reach = cv2.dilate(middle, disc)
    own = cv2.morphologyEx(gray, hat, disc) > OWN_SHARE * reach
    return ((reach > 0) & own) | (middle > 0)
