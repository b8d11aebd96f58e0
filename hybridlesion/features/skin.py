"""Skin tone around the lesion: the individual typology angle."""

from __future__ import annotations

import numpy as np

from hybridlesion._optional_imports import cv2
from hybridlesion.features._numerics import deviation, median, percentiles, rgb_to_lab

BANDS = (55.0, 41.0, 28.0, 10.0, -30.0)
"""Lower limits in degrees: very light, light, intermediate, tan, brown; below them dark."""

_LONG_SIDE = 160  # pixels, approximately; enough for a median
_LEAST, _MOST = 32, 4096  # pixels


def skin_tone(image: np.ndarray, lesion: np.ndarray, usable: np.ndarray) -> dict[str, float]:
    """Estimate the tone of the skin outside the lesion.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB image before colour constancy, which would remove the skin tone.
    lesion : ndarray of shape (H, W), bool
        True inside the lesion.
    usable : ndarray of shape (H, W), bool
        True on hairless pixels in the field of view.

    Returns
    -------
    dict of str to float
        One value per feature of the family, keyed without the prefix ``abcd__skin_``; all NaN
        if fewer than 32 pixels of skin are visible.

    Notes
    -----
    ``ITA = atan2(L* - 50, b*) * 180 / pi``, equal to the usual arctan((L* - 50) / b*) for b* > 0.
    Pixels closer to the lesion than 5 % of the frame are excluded, as are the darkest and lightest
    tenths of the rest; the value is the median. It is an estimate, since it depends on light and
    camera.

    References
    ----------
    Chardon, Cretois and Hourseau 1991, Int. J. Cosmetic Science 13.
    """
    # whole blocks of pixels, since averaging them is many times faster than any other reduction
    block = max(1, round(max(lesion.shape) / _LONG_SIDE))
    size = tuple(max(1, n // block) for n in lesion.shape[::-1])
    height, width = (min(n * block, full) for n, full in zip(size[::-1], lesion.shape, strict=True))
    rgb = cv2.resize(image[:height, :width], size, interpolation=cv2.INTER_AREA)
    taken = lesion[:height:block, :width:block].view(np.uint8)
    wide = 2 * round(0.05 * max(size)) + 1
    taken = cv2.dilate(taken, np.ones((wide, wide), np.uint8)) > 0
    clear = np.flatnonzero(usable[:height:block, :width:block] & ~taken)
    if len(clear) < _LEAST:
        names = ("ita", "band", "lightness", "a", "b", "lightness_sd", "ita_iqr")
        return dict.fromkeys(names, float("nan"))
    # every n-th pixel, since the median of a few thousand is as good
    pixels = rgb.reshape(-1, 3).take(clear[:: 1 + len(clear) // _MOST], axis=0)
    lightness, a, b = np.ascontiguousarray(rgb_to_lab(pixels[None])[0].T)
    low, half, high = percentiles(lightness, 10, 50, 90)
    kept = np.flatnonzero((lightness >= low) & (lightness <= high))
    lightness, a, b = lightness[kept], a[kept], b[kept]
    first, ita, third = _typology_quartiles(lightness, b)
    return {
        "ita": ita,
        "band": float(sum(ita <= limit for limit in BANDS)),
        "lightness": half,  # as many pixels are excluded below as above
        "a": median(a),
        "b": median(b),
        "lightness_sd": deviation(lightness),
        "ita_iqr": third - first,
    }


def _typology_quartiles(lightness: np.ndarray, b: np.ndarray) -> list[float]:
    """Quartiles of the individual typology angle in degrees."""
    if b.min() > 0.0:  # the angle grows with the ratio, so three arctangents are enough
        ratios = percentiles((lightness - 50.0) / b, 25, 50, 75)
        return np.degrees(np.arctan(ratios)).tolist()
    return percentiles(np.degrees(np.arctan2(lightness - 50.0, b)), 25, 50, 75)
