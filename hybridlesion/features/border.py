"""Border: irregularity of the outline, pigment cut-off and the edge of the pigment."""

from __future__ import annotations

import math

import numpy as np

from hybridlesion._optional_imports import cv2
from hybridlesion.features._context import (
    N_POINTS,
    LesionContext,
    Outline,
    signed_area,
    smooth_curve,
)
from hybridlesion.features._numerics import deviation, group_medians, median

_BOXES = (2, 4, 8, 16, 32)  # pixels; each is twice the previous one
_LOG = np.log(_BOXES) - np.mean(np.log(_BOXES))
_SLOPE = _LOG / (_LOG @ _LOG)  # of the least-squares line over log s


def border(lesion: LesionContext) -> dict[str, float]:
    """Measure the shape of the outline.

    Parameters
    ----------
    lesion : LesionContext
        The lesion at measuring scale.

    Returns
    -------
    dict of str to float
        One value per feature of the outline, keyed without the prefix ``abcd__border_``.

    Notes
    -----
    The outline is the outer contour of the largest part of the mask, smoothed by 1/80 of the
    diameter, so holes and satellites do not count. P and A are its perimeter and area. Box
    dimension, eccentricity, axis ratio, deviation from the ellipse and number of parts use the
    whole mask.

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
        Mask with at least one pixel.

    Returns
    -------
    float
        Slope of log N(s) over log 1/s for boxes of side s = 2 to 32 pixels: 1 for a smooth line,
        close to 2 for a line that fills the plane, 0 for a border that fits into one box.

    Examples
    --------
    >>> import numpy as np
    >>> square = np.zeros((160, 160), bool)
    >>> square[16:144, 16:144] = True
    >>> round(box_counting_dimension(square), 1)
    1.0
    """
    zero = {"borderType": cv2.BORDER_CONSTANT, "borderValue": 0}
    eroded = cv2.erode(mask.view(np.uint8), np.ones((3, 3), np.uint8), **zero)
    # a box of twice the side contains four of the previous boxes
    down, right = (-n % _BOXES[-1] for n in mask.shape)
    edge = np.bitwise_xor(mask.view(np.uint8), eroded)
    rim: np.ndarray = cv2.copyMakeBorder(edge, 0, down, 0, right, cv2.BORDER_CONSTANT)
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
    # the depth of a point in a convex polygon is its distance to the line of the nearest side
    corner = outline.hull
    side = np.roll(corner, -1, axis=0) - corner
    length = np.hypot(*side.T)
    corner, side, length = (part[length > 0.0] for part in (corner, side, length))
    depth = np.zeros(N_POINTS)
    if len(side):
        inward = side[:, ::-1] * (np.array([-1.0, 1.0]) * np.sign(signed_area(outline.hull)))
        inward /= length[:, None]
        level = np.einsum("ij,ij->i", inward, corner)
        depth = (inward @ outline.points.T - level[:, None]).min(axis=0)
    depth = np.maximum(depth, 0.0) / diameter
    deep = depth > 0.02
    starts = np.count_nonzero(deep & ~np.roll(deep, 1))
    return {
        "bay_depth_max": float(depth.max()),
        "bay_depth_mean": float(depth.mean()),
        "bays": float(starts),
    }


def _curvature(outline: Outline, diameter: float) -> dict[str, float]:
    """Bending and turning of the outline, from its curvature."""
    # second derivatives need twice the smoothing, or they would follow the pixel grid
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


def _ellipse_misfit(lesion: LesionContext, major: float, minor: float) -> float:
    """|M xor E| / (2|M|) for the ellipse E with the same second moments."""
    ellipse = np.zeros(lesion.mask.shape, np.uint8)
    (x, y), angle = lesion.center, np.degrees(lesion.axes[0])
    cv2.ellipse(ellipse, ((x, y), (max(major, 1.0), max(minor, 1.0)), angle), 1, -1)
    return np.count_nonzero(ellipse != lesion.mask) / (2.0 * np.count_nonzero(lesion.mask))


_REACH = 0.14  # diameters on either side of the outline
_SAMPLES = 23
_OFFSETS = np.linspace(-_REACH, _REACH, _SAMPLES, dtype=np.float32)
_THIRD = _SAMPLES // 3
# outer third minus inner third
_ACROSS = np.repeat(np.float32([-1, 0, 1]) / _THIRD, (_THIRD, _SAMPLES - 2 * _THIRD, _THIRD))
OCTANTS = 8
ABRUPT, _SOFT = 30.0, 5.0  # L* per tenth of a diameter, exceeded in a quarter of ISIC 2017


def border_profiles(lesion: LesionContext) -> tuple[np.ndarray, np.ndarray]:
    """Sample colours along the normals of the outline.

    Parameters
    ----------
    lesion : LesionContext
        The lesion at measuring scale.

    Returns
    -------
    lab : ndarray of shape (256, 23, 3), float32
        CIE Lab along 256 lines, from 0.14 diameters inside the outline to 0.14 outside; NaN at
        pixels that are not visible.
    octant : ndarray of shape (256,), int
        Octant of each line, 0 to 7, counted from the major axis.
    """
    outline = lesion.outline
    points, normals = outline.points.T.astype(np.float32), outline.normals.T.astype(np.float32)
    offset = _OFFSETS * np.float32(lesion.diameter)
    at_x, at_y = points[:, :, None] + normals[:, :, None] * offset
    lab = cv2.remap(lesion.lab, at_x, at_y, cv2.INTER_LINEAR)
    seen = cv2.remap(lesion.usable.astype(np.float32), at_x, at_y, cv2.INTER_LINEAR)
    lab[seen < 0.5] = np.nan
    dx, dy = (outline.points - lesion.center).T
    turn = (np.arctan2(dy, dx) - lesion.axes[0]) / (2.0 * np.pi)
    return lab, np.floor(turn * OCTANTS).astype(int) & (OCTANTS - 1)


def steepest_rise(lab: np.ndarray) -> np.ndarray:
    """Steepest rise of lightness along each line.

    Parameters
    ----------
    lab : ndarray of shape (256, 23, 3), float32
        CIE Lab from `border_profiles`.

    Returns
    -------
    ndarray of shape (256,), float32
        L* per tenth of a diameter, over three neighbouring samples; NaN for lines that are not
        visible from end to end.
    """
    lightness = lab[..., 0]
    step = 2.0 * _REACH / (_SAMPLES - 1)
    return ((lightness[:, 3:] - lightness[:, :-3]) / np.float32(30.0 * step)).max(axis=1)


def abruptness(slope: np.ndarray) -> np.ndarray:
    """Rate slopes as abrupt by a soft step.

    Parameters
    ----------
    slope : ndarray of shape (n,), float
        Slopes in L* per tenth of a diameter.

    Returns
    -------
    ndarray of shape (n,), float
        ``1 / (1 + exp(-(slope - 30) / 5))``, from 0 to 1 and one half at the limit.
    """
    return 0.5 + 0.5 * np.tanh((slope - ABRUPT) / (2.0 * _SOFT))


def cutoff(lesion: LesionContext) -> dict[str, float]:
    """Measure how abruptly pigment ends at the border.

    Parameters
    ----------
    lesion : LesionContext
        The lesion at measuring scale.

    Returns
    -------
    dict of str to float
        One value per feature of the cut-off, keyed without the prefix ``abcd__border_``; NaN if no
        line across the border is visible on both sides (the lesion fills the frame). The count
        ``abrupt_octants`` is that of the score ``abcd__border``.

    Notes
    -----
    On each line, the *drop* is the mean lightness of the outer third minus that of the inner third,
    and the *slope* is the steepest rise over three neighbouring samples, in L* per tenth of a
    diameter. The value of an octant is the median of its lines. *abrupt* is a soft count of the
    octants whose median slope exceeds a limit, ``sum 1 / (1 + exp(-(slope - 30) / 5))``, scaled to
    eight octants if some are not visible.
    """
    lab, octant = border_profiles(lesion)
    delta = np.einsum("s,lsc->lc", _ACROSS, lab)
    slope = steepest_rise(lab)
    seen = np.isfinite(slope)
    # if no line is visible, a single line of NaN makes every value NaN
    seen[0] |= not seen.any()
    octant, slope, delta = octant[seen], slope[seen], delta[seen]
    drop, change = delta[:, 0], np.sqrt(np.einsum("lc,lc->l", delta, delta))
    drops, slopes = group_medians(drop, octant), group_medians(slope, octant)
    values = {
        "drop_mean": drop.mean(),
        "drop_sd": deviation(drops),
        "drop_min": drops.min(),
        "drop_max": drops.max(),
        "slope_mean": slope.mean(),
        "slope_sd": deviation(slopes),
        "slope_max": slopes.max(),
        "width": min(max(median(drop / np.maximum(slope, 1e-3)), 0.0), 3.0) / 10.0,
        "color_change": change.mean(),
        "color_change_sd": deviation(change),
        "abrupt": abruptness(slopes).mean() * OCTANTS,
        "abrupt_octants": np.nan if np.isnan(slopes).all() else np.count_nonzero(slopes >= ABRUPT),
    }
    return {name: float(value) for name, value in values.items()}


_AROUND = 0.12  # diameters around the mask that are searched for pigment
_PIGMENT_LEVELS = (25, 50, 75)  # percent of the way from skin to the darkest pigment
_BLUR = 1.5  # pixels


def pigment_edge(lesion: LesionContext) -> dict[str, float]:
    """Measure the border of the dark pigment, found by thresholds rather than the mask.

    Parameters
    ----------
    lesion : LesionContext
        The lesion at measuring scale.

    Returns
    -------
    dict of str to float
        One value per feature of the pigment, keyed without the prefix ``abcd__border_``.

    Notes
    -----
    The region is the mask dilated by 0.12 diameters. *otsu* is the part of it that is darker than
    Otsu's threshold; the levels 25, 50 and 75 are percentages of the way from the lightness of skin
    to the 5th percentile of the lightness of the lesion. Perimeters follow Crofton's formula and
    include all parts and holes, so that islands and bays count.

    References
    ----------
    Lee, McLean and Atkins 2003, Medical Image Analysis 7; Crofton's formula in Serra 1982.
    """
    lesion = lesion.near
    smooth = lesion.hessian(_BLUR).smooth
    region = (lesion.reach < _AROUND) & (lesion.usable | lesion.mask)
    ground, dark = lesion.ground[0], lesion.lightness_levels[5]
    values = {}
    for level in _PIGMENT_LEVELS:
        mask = region & (smooth < np.float32(ground + (dark - ground) * level / 100.0))
        values[f"length_{level}"] = crofton_perimeter(mask) / lesion.diameter
        values[f"share_{level}"] = np.count_nonzero(mask) / np.count_nonzero(lesion.mask)
    grey = (cv2.min(smooth, 100.0) * np.float32(2.55)).astype(np.uint8)
    limit, _ = cv2.threshold(grey[region], 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    dark_part = region & (grey <= limit)
    # if nothing is darker than the rest, the whole lesion is pigment
    dark_part = dark_part if dark_part.any() else lesion.mask
    values |= _pigment_shape(dark_part, lesion.diameter, lesion.diagonal)
    return {f"pigment_{name}": float(value) for name, value in values.items()}


def _pigment_shape(mask: np.ndarray, diameter: float, diagonal: float) -> dict[str, float]:
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
        Mask, possibly empty; everything beyond it counts as outside.

    Returns
    -------
    float
        Length in pixels, ``pi/8 (n_0 + n_90 + (n_45 + n_135) / sqrt(2))``, where n is the number of
        pairs of neighbours in each direction that differ.

    Examples
    --------
    >>> import numpy as np
    >>> y, x = np.mgrid[-60:61, -60:61]
    >>> round(crofton_perimeter(x**2 + y**2 <= 50**2) / (2 * np.pi * 50), 2)
    1.0
    """
    wide = cv2.copyMakeBorder(mask.view(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    straight = np.count_nonzero(wide[1:] != wide[:-1])
    straight += np.count_nonzero(wide[:, 1:] != wide[:, :-1])
    diagonal = np.count_nonzero(wide[1:, 1:] != wide[:-1, :-1])
    diagonal += np.count_nonzero(wide[1:, :-1] != wide[:-1, 1:])
    return float(np.pi / 8.0 * (straight + diagonal / np.sqrt(2.0)))
