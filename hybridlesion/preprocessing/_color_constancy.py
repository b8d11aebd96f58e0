"""Colour constancy: correction for the colour of the light."""

from __future__ import annotations

import numpy as np

from hybridlesion._optional_imports import cv2
from hybridlesion._validation import check_image, check_mask, check_number

_MOST_PIXELS = 2**23


def shades_of_gray(
    image: np.ndarray, *, power: float = 6.0, mask: np.ndarray | None = None
) -> np.ndarray:
    """Correct the colour of the light, estimated by a Minkowski mean of each channel.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB image.
    power : float, default=6.0
        Exponent of the mean, at least 1; 1 is the grey world, large values approach `max_rgb`.
    mask : ndarray of shape (H, W), bool, default=None
        Pixels used in the estimate, such as the field of view. If None, all are used.

    Returns
    -------
    ndarray of shape (H, W, 3), uint8
        Image in neutral light, with the same mean estimate over channels.

    Raises
    ------
    ImageError
        If the image or the mask is invalid.
    ValueError
        If `power` is below 1.

    Notes
    -----
    The light of channel c is ``e_c = mean(I_c ** power) ** (1 / power)``; every channel is scaled
    by ``mean(e) / e_c`` and clipped at 255. A channel that is black everywhere stays black.

    References
    ----------
    G. Finlayson, E. Trezzi, "Shades of gray and colour constancy", Color Imaging Conference, 2004.
    C. Barata, M. E. Celebi, J. S. Marques, "Improving dermoscopy image classification using color
    constancy", IEEE JBHI 19(3), 2015.

    Examples
    --------
    >>> import numpy as np
    >>> reddish = np.full((2, 2, 3), (200, 100, 150), np.uint8)
    >>> shades_of_gray(reddish)[0, 0].tolist()
    [150, 150, 150]
    """
    check_number("power", power, low=1)
    counts = _histograms(image, mask)
    weights = np.arange(256.0) / 255
    light = (counts @ weights**power / counts.sum(axis=1)) ** (1 / power)
    return _neutralise(image, light)


def max_rgb(
    image: np.ndarray, *, percentile: float = 99.0, mask: np.ndarray | None = None
) -> np.ndarray:
    """Correct the colour of the light, taken from the brightest pixels.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB image.
    percentile : float, default=99.0
        Percentile of each channel that counts as its maximum, 0 to 100. Values below 100 are
        robust to a few reflections.
    mask : ndarray of shape (H, W), bool, default=None
        Pixels used in the estimate, such as the field of view. If None, all are used.

    Returns
    -------
    ndarray of shape (H, W, 3), uint8
        Image in neutral light.

    Raises
    ------
    ImageError
        If the image or the mask is invalid.
    ValueError
        If `percentile` is outside 0 to 100.

    Notes
    -----
    Every channel is scaled by ``mean(e) / e_c``, where e_c is its percentile, and clipped at 255.

    References
    ----------
    E. H. Land, J. J. McCann, "Lightness and retinex theory", JOSA 61(1), 1971.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.zeros((2, 2, 3), np.uint8); image[0] = (120, 60, 90)
    >>> max_rgb(image)[0, 0].tolist()
    [90, 90, 90]
    """
    check_number("percentile", percentile, low=0, high=100)
    counts = _histograms(image, mask)
    cumulated = counts.cumsum(axis=1)
    wanted = np.maximum(np.ceil(percentile / 100 * cumulated[:, -1:]), 1)
    light = (cumulated < wanted).sum(axis=1) / 255
    return _neutralise(image, light)


def _histograms(image: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """Count the 256 values of each channel inside the mask, or everywhere if it is empty."""
    image = check_image(image)
    chosen = None
    if mask is not None:
        mask = check_mask(mask, image.shape[:2])
        chosen = mask.view(np.uint8) if mask.any() else None
    counts = np.zeros((3, 256))
    # OpenCV counts in single precision, which is exact for fewer than 2**24 pixels.
    step = max(1, _MOST_PIXELS // image.shape[1])
    for start in range(0, image.shape[0], step):
        rows = slice(start, start + step)
        part = None if chosen is None else chosen[rows]
        for channel in range(3):
            counts[channel] += cv2.calcHist([image[rows]], [channel], part, [256], [0, 256]).ravel()
    return counts


def _neutralise(image: np.ndarray, light: np.ndarray) -> np.ndarray:
    gain = np.divide(light.mean(), light, out=np.ones(3), where=light > 0)
    table = np.clip(np.rint(np.arange(256)[:, None] * gain), 0, 255).astype(np.uint8)
    return cv2.LUT(check_image(image), table[None])
