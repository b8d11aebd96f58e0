"""Border irregularity: how the outline departs from a smooth convex curve."""

from __future__ import annotations

import math

import numpy as np

from hybridlesion._optional_imports import cv2
from hybridlesion.features._context import N_POINTS, Lesion, Outline, signed_area, smooth_curve
from hybridlesion.features._feature import family_rows
from hybridlesion.features._statistics import deviation

__all__ = ["CATALOGUE", "border", "box_counting_dimension"]

_BOXES = (2, 4, 8, 16, 32)  # pixels; each twice the one before
_LOG = np.log(_BOXES) - np.mean(np.log(_BOXES))
_SLOPE = _LOG / (_LOG @ _LOG)  # of a line fitted over log s by least squares


def border(lesion: Lesion) -> dict[str, float]:
    """Measure the shape of the outline.

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
    All from the outer contour of the mask's largest part, smoothed by 1/80 diameter, so holes and
    satellites do not count. P and A are its perimeter and area.

    References
    ----------
    Claridge et al. 1992, Skin Research and Technology; Lee et al. 2003, Medical Image Analysis.
    """
    outline = lesion.outline
    _, major, minor = lesion.axes
    values = {
        "compactness": outline.perimeter**2 / (4.0 * np.pi * outline.area),
        "circularity": 4.0 * np.pi * outline.area / outline.perimeter**2,
        "solidity": outline.area / outline.hull_area,
        "hull_ratio": outline.hull_perimeter / outline.perimeter,
        "eccentricity": np.sqrt(max(1.0 - (minor / major) ** 2, 0.0)),
        "axis_ratio": minor / major,
        "box_dimension": box_counting_dimension(lesion.mask),
        "ellipse_misfit": _ellipse_misfit(lesion, major, minor),
        "parts": float(outline.parts),
    }
    values |= _radius(outline) | _hull_gaps(outline, lesion.diameter)
    values |= _curvature(outline, lesion.diameter)
    return {name: float(value) for name, value in values.items()}


def box_counting_dimension(mask: np.ndarray) -> float:
    """Estimate the fractal dimension of a mask's border by counting boxes.

    Parameters
    ----------
    mask : ndarray of shape (h, w), bool
        At least one pixel.

    Returns
    -------
    float
        Slope of log N(s) over log 1/s for boxes of side s = 2 to 32 pixels: 1 for a smooth line,
        towards 2 for one that fills the plane; 0 for a border that fits into one box.

    Examples
    --------
    >>> import numpy as np
    >>> square = np.zeros((160, 160), bool)
    >>> square[16:144, 16:144] = True
    >>> round(box_counting_dimension(square), 1)
    1.0
    """
    eroded = cv2.erode(
        mask.view(np.uint8),
        np.ones((3, 3), np.uint8),
        borderType=cv2.BORDER_CONSTANT,
        borderValue=0,
    )
    rim = mask.view(np.uint8) ^ eroded
    # boxes of twice the side hold four of the boxes before
    height, width = (-(-n // _BOXES[-1]) * _BOXES[-1] for n in mask.shape)
    rim = cv2.copyMakeBorder(
        rim, 0, height - mask.shape[0], 0, width - mask.shape[1], cv2.BORDER_CONSTANT
    )
    counts = []
    for _ in _BOXES:
        rim = rim[::2] | rim[1::2]
        rim = rim[:, ::2] | rim[:, 1::2]
        counts.append(np.count_nonzero(rim))
    return -float(_SLOPE @ np.log(counts)) + 0.0


def _radius(outline: Outline) -> dict[str, float]:
    """Spread of the centre-to-border distance, and its Fourier energy by frequency."""
    points = outline.points
    radius = np.hypot(*(points - points.mean(axis=0)).T)
    mean = max(float(radius.mean()), 1e-9)
    amplitude = np.fft.rfft(radius)[3:33] * (2.0 / N_POINTS / mean)
    energy = (amplitude * amplitude.conj()).real
    return {
        "radius_cv": deviation(radius) / mean,
        "radius_range": float(radius.max() - radius.min()) / mean,
        "radius_lobes": math.sqrt(energy[:6].sum()),
        "radius_jaggedness": math.sqrt(energy[6:].sum()),
    }


def _hull_gaps(outline: Outline, diameter: float) -> dict[str, float]:
    """Depth of the bays between the outline and its convex hull."""
    # a point inside a convex polygon is as deep as it is below the nearest side's line
    corner = outline.hull
    side = np.concatenate([corner[1:] - corner[:-1], corner[:1] - corner[-1:]])
    length = np.hypot(*side.T)
    if not length.all():
        corner, side, length = (part[length > 0.0] for part in (corner, side, length))
    depth = np.zeros(N_POINTS)
    if len(side):
        inward = side[:, ::-1] * (np.array([-1.0, 1.0]) * np.sign(signed_area(outline.hull)))
        inward /= length[:, None]
        level = np.einsum("ij,ij->i", inward, corner)
        depth = (inward @ outline.points.T - level[:, None]).min(axis=0)
    depth = np.maximum(depth, 0.0) / diameter
    deep = depth > 0.02
    starts = np.count_nonzero(deep[1:] & ~deep[:-1]) + bool(deep[0] and not deep[-1])
    return {
        "bay_depth_max": float(depth.max()),
        "bay_depth_mean": float(depth.mean()),
        "bays": float(starts),
    }


def _curvature(outline: Outline, diameter: float) -> dict[str, float]:
    """Turning of the outline per diameter of its length."""
    # second derivatives need twice the smoothing of the outline, or they see the pixel grid
    points = smooth_curve(outline.points, diameter / 40.0)
    step = (outline.perimeter - np.pi) / N_POINTS
    if step <= 0.0:
        return {"bending": 0.0, "concave_share": 0.0, "turning": 1.0}
    curve = np.ascontiguousarray(points).view(complex)[:, 0]
    closed = np.concatenate([curve, curve[:2]])
    along = closed[1:] - closed[:-1]
    turn = np.angle(along[1:] * along[:-1].conj())
    curvature = turn * (diameter / 2.0 / step)  # 1 everywhere for a circle
    if turn.sum() < 0.0:
        curvature = -curvature
    return {
        "bending": math.log1p(curvature @ curvature / N_POINTS),
        "concave_share": np.count_nonzero(curvature < -0.2) / N_POINTS,
        "turning": float(np.abs(turn).sum()) / (2.0 * np.pi),
    }


def _ellipse_misfit(lesion: Lesion, major: float, minor: float) -> float:
    """|M xor E| / (2|M|) for the ellipse E of equal second moments."""
    ellipse = np.zeros(lesion.mask.shape, np.uint8)
    (x, y), angle = lesion.center, np.degrees(lesion.axes[0])
    cv2.ellipse(ellipse, ((x, y), (max(major, 1.0), max(minor, 1.0)), angle), 1, -1)
    return np.count_nonzero(ellipse != lesion.mask) / (2.0 * np.count_nonzero(lesion.mask))


CATALOGUE = (
    *family_rows(
        "border",
        "Claridge 1992",
        (
            ("compactness", "1", 0.5, np.inf, "P^2 / (4 pi A), 1 for a circle"),
            ("circularity", "1", 0.0, 2.0, "4 pi A / P^2"),
            ("solidity", "share", 0.0, 1.05, "A over the area of the convex hull"),
            ("hull_ratio", "1", 0.0, 1.05, "perimeter of the convex hull over P"),
            ("eccentricity", "1", 0.0, 1.0, "of the ellipse of equal second moments"),
            ("axis_ratio", "1", 0.0, 1.0, "minor over major axis of that ellipse"),
            (
                "box_dimension",
                "1",
                0.0,
                2.0,
                "box-counting dimension, boxes of 1/80 to 1/5 diameter",
            ),
            ("ellipse_misfit", "share", 0.0, np.inf, "|M xor E| / (2|M|), E that ellipse"),
            ("parts", "count", 1.0, np.inf, "connected parts of the mask"),
        ),
    ),
    *family_rows(
        "border",
        "Lee 2003",
        (
            ("radius_cv", "1", 0.0, np.inf, "sd over mean of the radius from the contour's centre"),
            ("radius_range", "1", 0.0, np.inf, "(max - min) / mean of the radius"),
            ("radius_lobes", "1", 0.0, np.inf, "amplitude of the radius at 3 to 8 cycles a turn"),
            ("radius_jaggedness", "1", 0.0, np.inf, "amplitude of the radius at 9 to 32 cycles"),
            ("bay_depth_max", "diameters", 0.0, np.inf, "deepest bay below the convex hull"),
            ("bay_depth_mean", "diameters", 0.0, np.inf, "mean distance from the convex hull"),
            ("bays", "count", 0.0, 128.0, "bays deeper than 0.02 diameters"),
            ("bending", "1", 0.0, np.inf, "log(1 + mean squared curvature), in radii"),
            ("concave_share", "share", 0.0, 1.0, "part of the outline that bends inwards"),
            ("turning", "1", 0.0, np.inf, "total absolute turning / 2 pi, 1 when convex"),
        ),
    ),
)
