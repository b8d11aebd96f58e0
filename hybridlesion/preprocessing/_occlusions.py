"""Detection of dark corners, ink, stickers and hair, and removal of hair."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from hybridlesion._onnx import Graph
from hybridlesion._optional_imports import cv2
from hybridlesion._validation import check_image, check_mask
from hybridlesion.io import resize_long_side

# The vignette is large and smooth, so it is detected at this long side in images of any size.
WORKING_LONG_SIDE = 160

# Pixels darker than this share of the bright skin in the frame are black rather than skin.
DARK_SHARE = 0.38

# If a vignette would leave a smaller share of the frame, the whole image is considered dark.
SMALLEST_SHARE = 0.25


def field_of_view(image: np.ndarray) -> np.ndarray:
    """Find the usable part of a dermoscopic image.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB image.

    Returns
    -------
    ndarray of shape (H, W), bool
        False in dark corners, black borders and the dim rim next to them, True elsewhere.

    Raises
    ------
    ImageError
        If the image is not an RGB uint8 array.

    Notes
    -----
    A pixel is dark if its largest channel, slightly blurred, is below 0.38 of the 75th percentile
    of the image. Dark regions count only if they fill half of a corner of the frame (3 % of the
    long side), so that black lesions inside the frame are kept; they are dilated by 3 % of the long
    side. An image that would lose more than three quarters is considered dark and is kept whole.

    Examples
    --------
    >>> import numpy as np
    >>> rows, columns = np.mgrid[:60, :80]
    >>> disc = np.hypot(rows - 30, columns - 40) < 38
    >>> image = np.where(disc[..., None], 200, 5).astype(np.uint8).repeat(3, axis=2)
    >>> usable = field_of_view(image)
    >>> bool(usable[30, 40]), bool(usable[0, 0])
    (True, False)
    """
    image = check_image(image)
    small = resize_long_side(image, WORKING_LONG_SIDE)
    usable = ~_dark_corners(small)
    if small.shape == image.shape:
        return usable
    size = (image.shape[1], image.shape[0])
    soft = cv2.resize(usable.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    return soft > 0.5


def _dark_corners(image: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    brightest = cv2.max(cv2.max(*cv2.split(image)[:2]), image[..., 2])
    brightness = cv2.GaussianBlur(brightest, (0, 0), 1.5)
    dark = brightness < DARK_SHARE * _upper_quartile(brightness)
    count, labels = cv2.connectedComponents(dark.astype(np.uint8), connectivity=4)
    reach = max(1, round(0.03 * max(height, width)))
    in_corner = np.zeros(count, bool)
    in_corner[list(_corner_labels(labels, reach))] = True
    region = in_corner[labels]
    if not region.any():
        return region
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    region = cv2.dilate(region.astype(np.uint8), disc) > 0
    return region if region.mean() <= 1 - SMALLEST_SHARE else np.zeros_like(region)


def _upper_quartile(values: np.ndarray) -> float:
    """Compute np.percentile(values, 75) of uint8 values, in a fifth of the time."""
    place = 0.75 * (values.size - 1)
    lower = int(place)
    ordered = np.partition(values.ravel(), (lower, min(lower + 1, values.size - 1)))
    low, high = float(ordered[lower]), float(ordered[min(lower + 1, values.size - 1)])
    return low + (high - low) * (place - lower)


def _corner_labels(labels: np.ndarray, reach: int) -> set[int]:
    """Return the labels of the dark regions that fill at least half of a corner."""
    found = set()
    for rows in (slice(None, reach), slice(-reach, None)):
        for columns in (slice(None, reach), slice(-reach, None)):
            corner = labels[rows, columns]
            counts = np.bincount(corner.ravel())
            found.update(np.flatnonzero(counts >= 0.5 * corner.size).tolist())
    return found - {0}


def marker_mask(image: np.ndarray) -> np.ndarray:
    """Mark green, blue and violet pixels: stickers, gauge discs and surgical ink.

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
    Markers have an HSV hue from 80 to 330 degrees, a saturation above 60/255 and a value above
    100/255. If more than half of the frame has such a colour, the light is considered tinted and
    nothing is marked. Blue-grey veils of melanomas are less saturated; black lesions in bluish
    light may be saturated, but are darker.

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


# Written by benchmarks/fit_hair.py; HAIR_CARD.md describes the training data.
HAIR_WEIGHTS = Path(__file__).with_name("hair.onnx")

# Grey levels that are normalised to 0 and to a difference of 1 for the network.
MEAN, UNIT = 140.0, 60.0

# Pixels of the image per pixel of the deepest layer, in each direction.
STRIDE = 4

# Padding in pixels, so that the border of the image, often a thin dark line, is not marked.
MARGIN = 8


def hair_probability(image: np.ndarray) -> np.ndarray:
    """Estimate the probability of hair for each block of two by two pixels.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB image; the network was trained on long sides of 300 to 400 pixels.

    Returns
    -------
    ndarray of shape (ceil(H / 2), ceil(W / 2)), float32
        Probabilities, 0 to 1.

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
    pixels = cv2.dnn.blobFromImage(padded, 1 / UNIT, mean=(MEAN,) * 3)
    # Four values for the four quarters of each position.
    quarters = _network().run(image=pixels)[0]
    _, rows, columns = quarters.shape
    found = quarters.reshape(2, 2, rows, columns).transpose(2, 0, 3, 1)
    found = found.reshape(2 * rows, 2 * columns)
    first = MARGIN // 2
    return np.ascontiguousarray(
        found[first : first + (height + 1) // 2, first : first + (width + 1) // 2]
    )


@cache
def _network() -> Graph:
    return Graph(HAIR_WEIGHTS, {})


# Long side at which every image is analysed; hairs are then one to five pixels wide.
HAIR_LONG_SIDE = 352

# Probability above which a pixel is hair. For drawn hair on training images, four fifths are found
# at a precision of 0.90; with a threshold of one half, seven tenths at 0.94.
THRESHOLD = 0.3


def hair_mask(image: np.ndarray, *, fov: np.ndarray | None = None) -> np.ndarray:
    """Mark dark and light hair.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB image.
    fov : ndarray of shape (H, W), bool, default=None
        Usable field of view, outside which nothing is marked. If None, the whole frame is used.

    Returns
    -------
    ndarray of shape (H, W), bool
        True on hair.

    Raises
    ------
    ImageError
        If the image is not an RGB uint8 array or the field of view differs in size.

    Notes
    -----
    A convolutional network of 24,000 weights, run by ONNX Runtime at a long side of 352 pixels,
    estimates the probability of hair for each block of two by two pixels. It was trained on drawn
    hair, and on photographs in which annotators saw no hair (but pigment networks, furrows, rulers
    or ink); see ``HAIR_CARD.md`` next to the weights. Edges of rulers or gel drops may be marked.
    Perfectly sharp lines on a perfectly uniform background, which do not occur in photographs, may
    be missed.

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
    # Resize to the scale of the training images.
    scale = HAIR_LONG_SIDE / max(size)
    resized = resize_long_side(image, HAIR_LONG_SIDE)
    if scale > 1:
        enlarged = tuple(round(scale * side) for side in size[::-1])
        resized = cv2.resize(image, enlarged, interpolation=cv2.INTER_CUBIC)
    probability = hair_probability(resized)
    found = cv2.resize(probability, size[::-1], interpolation=cv2.INTER_LINEAR) > THRESHOLD
    return found if fov is None else found & check_mask(fov, size)


def remove_hair(image: np.ndarray, hair: np.ndarray) -> np.ndarray:
    """Fill the hair pixels of an image with the mean colour of their surroundings.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB image.
    hair : ndarray of shape (H, W), bool
        True on hair, as returned by `hair_mask`.

    Returns
    -------
    ndarray of shape (H, W, 3), uint8
        Copy of the image; pixels outside `hair` are unchanged.

    Raises
    ------
    ImageError
        If the image or the mask is invalid, or they differ in size.

    Notes
    -----
    A hair pixel is set to the mean of the hairless pixels in a window around it. The window starts
    at 1 % of the long side and is doubled while it contains none, so that narrow hairs take the
    colour of their immediate neighbourhood and the border of the lesion is not blurred. If the
    whole image is hair, nothing is changed.

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
    known = cv2.copyTo(image.astype(np.float32), (~hair).view(np.uint8))
    missing = hair
    radius = max(1, round(0.01 * max(hair.shape)))
    while missing.any():
        window = (2 * radius + 1, 2 * radius + 1)
        share = cv2.boxFilter(weight, -1, window, borderType=cv2.BORDER_CONSTANT)
        colour = cv2.boxFilter(known, -1, window, borderType=cv2.BORDER_CONSTANT)
        # Half the weight of a pixel, since running sums in single precision may not return to zero.
        found = missing & (share > 0.5 / (window[0] * window[1]))
        out[found] = np.rint(colour[found] / share[found][:, None]).clip(0, 255)
        missing = missing & ~found
        radius *= 2
    return out
