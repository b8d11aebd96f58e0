"""Asymmetry: mismatch between a lesion and its mirror images about axes through the centroid."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from hybridlesion._optional_imports import cv2
from hybridlesion.features._context import LesionContext
from hybridlesion.features._numerics import deviation

N_AXES = 12  # one every 15 degrees; 0 and 6 are the principal axes
_MINOR = N_AXES // 2
LIMITS = {"shape": 0.12, "color": 10.0}
"""Mismatch above which a lesion is asymmetric about an axis: in contour, as a share of the lesion,
or in colour, in Delta-E."""
_GRID = 96  # side in pixels of the square on which lesions are mirrored


def reflect(
    mask: np.ndarray, lab: np.ndarray, pigment: np.ndarray, angle: float
) -> dict[str, np.ndarray]:
    """Mirror a lesion about twelve axes through its centroid.

    Parameters
    ----------
    mask : ndarray of shape (h, w), bool
        Lesion mask with at least one pixel.
    lab : ndarray of shape (h, w, 3), float32
        CIE Lab.
    pigment : ndarray of shape (h, w), float32
        Weight of each pixel; not negative.
    angle : float
        Direction of the first axis in radians; the others follow in steps of 15 degrees.

    Returns
    -------
    dict of str to ndarray of shape (12,), float
        Mismatch between the lesion and its mirror image about each axis. ``shape`` is
        ``|M xor flip(M)| / (2 |M|)``: 0 if symmetric, 1 without overlap. ``color`` is the mean
        Delta-E (CIE 1976) over the pixels that both halves share. ``pigment`` is
        ``sum |p - flip(p)| / (2 sum p)``, where p is the darkness of a pixel relative to skin.

    Examples
    --------
    >>> import numpy as np
    >>> half = np.zeros((40, 40), bool)
    >>> half[10:30, 10:30] = True
    >>> lab = np.zeros((40, 40, 3), np.float32)
    >>> lab[:, 20:] = (30.0, 0.0, 40.0)
    >>> curves = reflect(half, lab, half.astype(np.float32), 0.0)
    >>> curves["color"][[0, 6]].round()  # about the row axis and the column axis
    array([ 0., 50.])
    """
    own = mask.astype(np.float32)
    weighted = pigment * own
    y, x = np.nonzero(mask)
    axes = angle + np.arange(N_AXES) * (np.pi / N_AXES)
    # only lesion pixels are sampled, since the rest of the mirror image follows from the sums. A
    # reflection is a single affine map, which needs only one interpolation
    at_x, at_y = _mirrored(x, y, axes)
    layers = np.dstack([lab, own])
    *colors, theirs = cv2.split(cv2.remap(layers, at_x, at_y, cv2.INTER_LINEAR))
    every = np.ones(len(x), np.float32)  # sums over pixels as a matrix product
    # |M xor flip(M)| = 2 (|M| - |M and flip(M)|)
    shape = 1.0 - (theirs @ every) / len(x)
    shared = (theirs > 0.5).astype(np.float32)
    far = np.zeros_like(theirs)
    for color, channel in zip(colors, lab[y, x].T, strict=True):
        color -= channel
        far += cv2.multiply(color, color)
    color = (cv2.sqrt(far) * shared) @ every / np.maximum(shared @ every, 1.0)
    weight, own_weight = float(weighted.sum()), weighted[y, x]
    lost = np.zeros(N_AXES)
    if weight > 0.0:
        flipped = cv2.remap(weighted, at_x, at_y, cv2.INTER_LINEAR)
        # mirrored pigment that is not inside the lesion lies outside
        lost = np.abs(own_weight - flipped) @ every + weight - flipped @ every
        lost /= 2.0 * weight
    # interpolation may push a value slightly beyond its bounds
    shape, lost = np.clip(shape, 0.0, 1.0), np.clip(lost, 0.0, 1.0)
    return {"shape": shape, "color": color.astype(float), "pigment": lost}


def _mirrored(x: np.ndarray, y: np.ndarray, angles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mirror points about lines through their centroid; returns x and y, (angles, points)."""
    center_x, center_y = x.mean(), y.mean()
    points = np.array([x - center_x, y - center_y, np.ones(len(x))], np.float32)
    cos, sin = np.cos(2.0 * angles), np.sin(2.0 * angles)
    to_x = np.stack([cos, sin, np.full(len(angles), center_x)], axis=1)
    to_y = np.stack([sin, -cos, np.full(len(angles), center_y)], axis=1)
    return to_x.astype(np.float32) @ points, to_y.astype(np.float32) @ points


def choose_axes(curves: Mapping[str, np.ndarray]) -> tuple[int, np.ndarray]:
    """Choose the two perpendicular axes of Stolz's rule, those of least asymmetry.

    Parameters
    ----------
    curves : mapping of str to ndarray of shape (12,), float
        Mismatch about each axis in ``shape`` and ``color``, from `reflect`.

    Returns
    -------
    best : int
        Number of the axis of least mismatch, relative to `LIMITS`; the other one is six further on.
    asymmetric : ndarray of shape (2,), bool
        Whether contour or colour mismatch by more than `LIMITS` about the best axis, and about the
        one perpendicular to it.
    """
    excess = np.max([curves[kind] / limit for kind, limit in LIMITS.items()], axis=0)
    best = int(excess.argmin())
    return best, excess[[best, (best + _MINOR) % N_AXES]] > 1.0


def asymmetry(lesion: LesionContext) -> dict[str, float]:
    """Measure the asymmetry of shape, colour and pigment.

    Parameters
    ----------
    lesion : LesionContext
        The lesion at measuring scale.

    Returns
    -------
    dict of str to float
        One value per feature of the family, keyed without the prefix ``abcd__asymmetry_``.

    Notes
    -----
    Axes run through the centroid of the mask. *major* and *minor* are the principal axes; *min*
    is the best of all twelve axes and *cross* the axis perpendicular to it. The count ``axes`` is
    that of the score ``abcd__asymmetry``. Pigment is ``p = max(0, L_skin - L)``; pixels under hair
    take the lesion's mean.

    References
    ----------
    Stolz et al. 1994, Eur. J. Dermatol. 4; Pellacani et al. 2006, Arch. Dermatol. 142.
    """
    mask, lab, pigment, size = shrink(lesion)
    curves = reflect(mask, lab, pigment, lesion.axes[0])
    spread = max(float(np.sqrt(np.trace(lesion.covariance))), 1.0)
    values = {
        "color_relative": float(curves["color"].mean()) / spread,
        "axes": float(np.count_nonzero(choose_axes(curves)[1])),
    }
    for kind, curve in curves.items():
        curve = curve.tolist()
        best = curve.index(min(curve))
        values |= {
            f"{kind}_major": curve[0],
            f"{kind}_minor": curve[_MINOR],
            f"{kind}_min": curve[best],
            f"{kind}_cross": curve[(best + _MINOR) % N_AXES],
            f"{kind}_mean": sum(curve) / N_AXES,
            f"{kind}_max": max(curve),
        }
    return values | _balance(mask, lab, pigment, lesion.axes[0], size)


def shrink(lesion: LesionContext) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Downsample a lesion to the coarse scale at which symmetry is perceived.

    Parameters
    ----------
    lesion : LesionContext
        The lesion at measuring scale.

    Returns
    -------
    mask : ndarray of shape (h, w), bool
        Lesion mask.
    lab : ndarray of shape (h, w, 3), float32
        CIE Lab.
    pigment : ndarray of shape (h, w), float32
        Difference in L* by which each pixel is darker than skin; 0 for lighter pixels.
    diameter : float
        Equivalent diameter in pixels.
    """
    height, width = lesion.mask.shape
    factor = min(1.0, _GRID / 2.0 / lesion.diameter)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    grey = lesion.mask.view(np.uint8) * np.uint8(255)
    mask = cv2.resize(grey, size, interpolation=cv2.INTER_AREA) > 127
    lab, hidden = lesion.lab, lesion.mask & ~lesion.inside
    if hidden.any():
        lab = lab.copy()
        lab.reshape(-1, 3)[np.flatnonzero(hidden)] = lesion.lab_mean
    lab = cv2.resize(lab, size, interpolation=cv2.INTER_AREA)
    if not mask.any():
        mask, lab, factor = lesion.mask, lesion.lab, 1.0
    pigment = np.maximum(np.float32(lesion.ground[0]) - lab[..., 0], 0.0)
    return mask, lab, pigment, lesion.diameter * factor


def _balance(
    mask: np.ndarray, lab: np.ndarray, pigment: np.ndarray, angle: float, diameter: float
) -> dict[str, float]:
    """Compare halves and quarters of the lesion, and the centroids of pigment and shape."""
    y, x = np.nonzero(mask)
    center_x, center_y = x.mean(), y.mean()
    dx, dy = x - center_x, y - center_y
    cos, sin = np.cos(angle), np.sin(angle)
    # one row per quarter of the lesion: sums of colour and weight, and the number of pixels
    quarter = 2 * (dx * cos + dy * sin > 0) + (dy * cos - dx * sin > 0)
    layers = np.ones((len(x), 5))
    layers[:, :3] = lab[y, x]
    layers[:, 3] = pigment[y, x] + 1e-6
    sums = (quarter == np.arange(4)[:, None]).astype(float) @ layers
    weight = layers[:, 3]
    offset = np.hypot(dx @ weight, dy @ weight) / weight.sum()
    half_turn = np.array([[-1.0, 0.0, 2.0 * center_x], [0.0, -1.0, 2.0 * center_y]])
    turned = cv2.warpAffine(mask.astype(np.float32), half_turn, mask.shape[::-1])
    first, second, third, fourth = sums
    return {
        "shape_point": float(np.abs(mask - turned).sum()) / (2.0 * len(x)),
        "halves_major": _distance(first + third, second + fourth),
        "halves_minor": _distance(first + second, third + fourth),
        "pigment_offset": float(offset) / diameter,
        "quarter_area_sd": deviation(sums[:, 4] / len(x)),
        "quarter_pigment_sd": deviation(sums[:, 3] / weight.sum()),
    }


def _distance(first: np.ndarray, second: np.ndarray) -> float:
    """Delta-E between the mean colours of two halves, given as sums; 0 if either is empty."""
    if first[4] == 0.0 or second[4] == 0.0:
        return 0.0
    return math.dist(first[:3] / first[4], second[:3] / second[4])
