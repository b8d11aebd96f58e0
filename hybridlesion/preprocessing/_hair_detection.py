"""Hair: thin, long, darker or lighter than what lies on both of its sides."""

from __future__ import annotations

import numpy as np

from hybridlesion._opencv import cv2
from hybridlesion._validation import check_image, check_mask
from hybridlesion.images import resize_long_side
from hybridlesion.preprocessing._hair_network import hair_probability

__all__ = ["hair_mask"]

# A hair takes one to five pixels at this long side, at which every image is looked at.
WORKING_LONG_SIDE = 352

# Probability above which a pixel is hair: on drawn hair over images that the network learned from,
# four fifths are found at a precision of 0.90; at one half, seven tenths at 0.94.
THRESHOLD = 0.3


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
    A convolutional network of 24,000 weights, run by OpenCV at a long side of 352 pixels, says of
    every two by two pixels how likely they show hair. It learned lines from drawn hair, and what
    is no hair (pigment nets, furrows, rulers, ink) from photographs on which people saw none;
    ``HAIR_CARD.md`` beside the weights tells more. The edge of a ruler or of a drop of gel may
    pass, and perfectly sharp lines on perfectly flat ground, which no photograph has, may not.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.full((100, 100, 3), 180, np.uint8); image[10:90, 50] = 60
    >>> mask = hair_mask(image)
    >>> bool(mask[50, 50]), bool(mask[50, 40])
    (True, False)
    """
    image = check_image(image)
    size = image.shape[:2]
    probability = hair_probability(_at_working_size(image))
    found = cv2.resize(probability, size[::-1], interpolation=cv2.INTER_LINEAR) > THRESHOLD
    return found if fov is None else found & check_mask(fov, size)


def _at_working_size(image: np.ndarray) -> np.ndarray:
    """Shrink or enlarge to the size of the images that the network learned from."""
    scale = WORKING_LONG_SIDE / max(image.shape[:2])
    if scale <= 1:
        return resize_long_side(image, WORKING_LONG_SIDE)
    size = tuple(round(scale * side) for side in image.shape[1::-1])
    return cv2.resize(image, size, interpolation=cv2.INTER_CUBIC)
