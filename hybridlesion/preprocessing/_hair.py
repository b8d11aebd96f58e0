"""Detection and removal of hair."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np

from hybridlesion._optional_imports import cv2
from hybridlesion._validation import check_image, check_mask
from hybridlesion.io import resize_long_side

__all__ = ["HAIR_WEIGHTS", "hair_mask", "hair_probability", "remove_hair"]

# Written by benchmarks/fit_hair.py; HAIR_CARD.md says from what.
HAIR_WEIGHTS = Path(__file__).with_name("hair.onnx")

# Grey levels that the network takes as 0 and as its unit.
MEAN, UNIT = 140.0, 60.0

# Its deepest layer sees one pixel for so many by so many of the image.
STRIDE = 4

# The image is continued by so many pixels, so that its frame, often a thin dark line, is none.
MARGIN = 8

# A network holds the picture it works on, so each thread has its own.
_own = threading.local()


def hair_probability(image: np.ndarray) -> np.ndarray:
    """Say of every two by two pixels how likely they show hair.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB image; the network was taught long sides of 300 to 400 pixels.

    Returns
    -------
    ndarray of shape (ceil(H / 2), ceil(W / 2)), float32
        0 to 1.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.full((100, 120, 3), 180, np.uint8); image[10:90, 50:52] = 60
    >>> found = hair_probability(image)
    >>> found.shape, bool(found[25, 25] > 0.5), bool(found[25, 5] < 0.1)
    ((50, 60), True, True)
    """
    height, width = image.shape[:2]
    bottom, right = (MARGIN + -side % STRIDE for side in (height, width))
    padded = cv2.copyMakeBorder(image, MARGIN, bottom, MARGIN, right, cv2.BORDER_REPLICATE)
    network = _network()
    network.setInput(cv2.dnn.blobFromImage(padded, 1 / UNIT, mean=(MEAN,) * 3))
    # Four numbers a place, for its four quarters.
    quarters = network.forward()[0]
    _, rows, columns = quarters.shape
    found = quarters.reshape(2, 2, rows, columns).transpose(2, 0, 3, 1)
    found = found.reshape(2 * rows, 2 * columns)
    first = MARGIN // 2
    return np.ascontiguousarray(
        found[first : first + (height + 1) // 2, first : first + (width + 1) // 2]
    )


def _network() -> cv2.dnn.Net:
    network = getattr(_own, "network", None)
    if network is None:
        # From memory, since OpenCV does not open every name of a path on every system.
        weights = np.frombuffer(HAIR_WEIGHTS.read_bytes(), np.uint8)
        network = _own.network = cv2.dnn.readNetFromONNX(weights)
    return network


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
    is not hair (pigment nets, furrows, rulers, ink) from photographs on which people saw none;
    ``HAIR_CARD.md`` next to the weights has details. The edge of a ruler or of a drop of gel may
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


def remove_hair(image: np.ndarray, hair: np.ndarray) -> np.ndarray:
    """Fill the hair pixels of an image with the mean colour of what lies around them.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB image.
    hair : ndarray of shape (H, W), bool
        True on hair, as from `hair_mask`.

    Returns
    -------
    ndarray of shape (H, W, 3), uint8
        A copy; pixels outside `hair` are untouched.

    Raises
    ------
    ImageError
        If image or mask are none, or differ in size.

    Notes
    -----
    A hair pixel becomes the mean of the hairless pixels in a window round it. The window starts at
    1 % of the long side and doubles for pixels that found none, so that narrow hairs take the
    colour of their very neighbourhood and no blur crosses the lesion's border. If everything is
    hair, nothing is changed.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.full((9, 9, 3), 200, np.uint8); image[:, 4] = 10
    >>> bool((remove_hair(image, image[..., 0] == 10) == 200).all())
    True
    """
    image = check_image(image)
    hair = check_mask(hair, image.shape[:2])
    if not hair.any() or hair.all():
        return image.copy()
    out = image.copy()
    weight = (~hair).astype(np.float32)
    known = image * weight[..., None]
    missing = hair
    radius = max(1, round(0.01 * max(hair.shape)))
    while missing.any():
        window = (2 * radius + 1, 2 * radius + 1)
        share = cv2.boxFilter(weight, -1, window, borderType=cv2.BORDER_CONSTANT)
        colour = cv2.boxFilter(known, -1, window, borderType=cv2.BORDER_CONSTANT)
        # Half a pixel's weight: running sums in single precision may leave crumbs where none is.
        found = missing & (share > 0.5 / (window[0] * window[1]))
        out[found] = np.rint(colour[found] / share[found][:, None]).clip(0, 255)
        missing = missing & ~found
        radius *= 2
    return out
