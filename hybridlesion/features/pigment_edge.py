"""Ragged edge of the pigment itself, inside an outline that a person may have drawn smoothly."""

from __future__ import annotations

import numpy as np

from hybridlesion._optional_imports import cv2
from hybridlesion.features._context import Lesion
from hybridlesion.features._feature import family_rows

__all__ = ["CATALOGUE", "crofton_perimeter", "pigment_edge"]

_AROUND = 0.12  # diameters outside the mask in which pigment is still looked for
_LEVELS = (25, 50, 75)  # percent of the way from skin to the darkest pigment
_BLUR = 1.5  # pixels


def pigment_edge(lesion: Lesion) -> dict[str, float]:
    """Measure the border of the dark pigment, found by thresholds instead of the mask.

    Parameters
    ----------
    lesion : Lesion
        The lesion at measuring scale.

    Returns
    -------
    dict of str to float
        One value for each row of `CATALOGUE`, keys without ``abcd__border_``.

    Notes
    -----
    The region is the mask grown by 0.12 diameters. *otsu* is the part of it darker than Otsu's
    threshold of its lightness; the levels 25, 50 and 75 lie at that percentage of the way from
    the skin's lightness to the 5th percentile of the lesion's. Perimeters are Crofton's, of all
    parts and holes together, so that islands and bays count.

    References
    ----------
    Lee, McLean and Atkins 2003, Medical Image Analysis 7; Crofton's formula in Serra 1982.
    """
    lesion = lesion.near
    smooth = lesion.hessian(_BLUR).smooth
    region = (lesion.reach < _AROUND) & (lesion.usable | lesion.mask)
    ground, dark = lesion.ground[0], lesion.lightness_levels[5]
    values = {}
    for level in _LEVELS:
        mask = region & (smooth < np.float32(ground + (dark - ground) * level / 100.0))
        values[f"length_{level}"] = crofton_perimeter(mask) / lesion.diameter
        values[f"share_{level}"] = np.count_nonzero(mask) / np.count_nonzero(lesion.mask)
    grey = (cv2.min(smooth, 100.0) * np.float32(2.55)).astype(np.uint8)
    limit, _ = cv2.threshold(grey[region], 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    dark_part = region & (grey <= limit)
    # where nothing is darker than anything else, the pigment is the lesion
    dark_part = dark_part if dark_part.any() else lesion.mask
    values |= _shape(dark_part, lesion.diameter, lesion.diagonal)
    return {f"pigment_{name}": float(value) for name, value in values.items()}


def _shape(mask: np.ndarray, diameter: float, diagonal: float) -> dict[str, float]:
    """Compactness, hull and parts of the pigment."""
    area = float(np.count_nonzero(mask))
    perimeter = crofton_perimeter(mask)
    parts, _ = cv2.findContours(mask.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    hull = cv2.convexHull(np.vstack(parts))
    hull_area = cv2.contourArea(hull) + cv2.arcLength(hull, True) / 2.0 + 1.0
    return {
        "compactness": perimeter**2 / (4.0 * np.pi * area),
        "solidity": area / hull_area,
        "hull_ratio": (cv2.arcLength(hull, True) + np.pi) / perimeter,
        "visible_length": perimeter / diagonal,
        "visible_gaps": max(hull_area - area, 0.0) / diagonal**2,
        "parts": float(sum(cv2.contourArea(p) > 0.0005 * diameter**2 for p in parts)),
    }


def crofton_perimeter(mask: np.ndarray) -> float:
    """Estimate the length of all borders of a mask by Crofton's formula in four directions.

    Parameters
    ----------
    mask : ndarray of shape (h, w), bool
        May be empty; the frame counts as outside.

    Returns
    -------
    float
        Length in pixels, ``pi/8 (n_0 + n_90 + (n_45 + n_135) / sqrt(2))``, n being how often
        neighbours in that direction differ.

    Examples
    --------
    >>> import numpy as np
    >>> y, x = np.mgrid[-60:61, -60:61]
    >>> round(crofton_perimeter(x**2 + y**2 <= 50**2) / (2 * np.pi * 50), 2)
    1.0
    """
    wide = cv2.copyMakeBorder(mask.view(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    straight = cv2.countNonZero(wide[1:] ^ wide[:-1]) + cv2.countNonZero(wide[:, 1:] ^ wide[:, :-1])
    diagonal = cv2.countNonZero(wide[1:, 1:] ^ wide[:-1, :-1])
    diagonal += cv2.countNonZero(wide[1:, :-1] ^ wide[:-1, 1:])
    return float(np.pi / 8.0 * (straight + diagonal / np.sqrt(2.0)))


CATALOGUE = (
    *family_rows(
        "border",
        "Lee 2003",
        (
            *(
                (
                    f"pigment_length_{p}",
                    "diameters",
                    0.0,
                    np.inf,
                    f"length of the {p} % contour lines",
                )
                for p in _LEVELS
            ),
            *(
                (
                    f"pigment_share_{p}",
                    "1",
                    0.0,
                    np.inf,
                    f"area darker than the {p} % level over |M|",
                )
                for p in _LEVELS
            ),
            (
                "pigment_compactness",
                "1",
                0.0,
                np.inf,
                "P^2 / (4 pi A) of the dark part, all its parts",
            ),
            ("pigment_solidity", "share", 0.0, 1.05, "its area over that of its convex hull"),
            ("pigment_hull_ratio", "1", 0.0, 1.2, "its hull's perimeter over its own"),
            ("pigment_parts", "count", 0.0, np.inf, "its parts above 0.0005 d^2, holes filled"),
        ),
    ),
    *family_rows(
        "border",
        "Lee 2003",
        (
            ("pigment_visible_length", "diagonals", 0.0, np.inf, "its P over the frame's diagonal"),
            ("pigment_visible_gaps", "1", 0.0, 1.0, "hull area minus area, over the diagonal^2"),
        ),
        invariance=("rotation", "mirror", "shift", "gain"),
    ),
)
