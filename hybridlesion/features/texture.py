"""Texture of lightness inside the lesion: co-occurrence, binary patterns, oriented energy."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from hybridlesion._optional_imports import cv2
from hybridlesion.features._context import LesionContext
from hybridlesion.features._numerics import Curvature, curvature, deviation, percentiles

LEVELS = 16
DIRECTIONS = ((0, 1), (1, 1), (1, 0), (1, -1))
"""Row and column step of 0, 45, 90 and 135 degrees."""


def quantise(
    values: np.ndarray,
    mask: np.ndarray,
    levels: int = LEVELS,
    limits: tuple[float, float] | None = None,
) -> np.ndarray:
    """Quantise values in equal steps between the 1st and 99th percentiles inside a mask.

    Parameters
    ----------
    values : ndarray of shape (h, w), float
        Values, for example lightness.
    mask : ndarray of shape (h, w), bool
        Mask with at least one pixel.
    levels : int, default=16
        Number of steps.
    limits : tuple of float, default=None
        The two percentiles, if already known.

    Returns
    -------
    ndarray of shape (h, w), uint8
        0 to ``levels - 1``; all 0 if the values are constant.
    """
    low, high = percentiles(values[mask], 1, 99) if limits is None else limits
    step = (high - low) / levels
    if step <= 1e-6:
        return np.zeros(values.shape, np.uint8)
    scaled = (values - np.float32(low)) * np.float32(1.0 / step)
    return np.clip(scaled, 0, levels - 1, out=scaled).astype(np.uint8)


def cooccurrence(
    grey: np.ndarray, mask: np.ndarray, step: tuple[int, int], levels: int = LEVELS
) -> np.ndarray:
    """Count pairs of grey levels one step apart, with both pixels inside a mask.

    Parameters
    ----------
    grey : ndarray of shape (h, w), int
        Grey levels, 0 to ``levels - 1``.
    mask : ndarray of shape (h, w), bool
        True on pixels that count.
    step : tuple of int
        Offset (rows, columns) from the first to the second pixel; the rows must not be negative.
    levels : int, default=16
        Number of levels, at most 16 so that a pair fits into a byte.

    Returns
    -------
    ndarray of shape (levels, levels), int
        Symmetric counts, in which each pair is counted in both directions.

    Examples
    --------
    >>> import numpy as np
    >>> grey = np.array([[0, 1, 1], [0, 0, 1]])
    >>> inside = np.array([[True, True, True], [False, True, True]])
    >>> cooccurrence(grey, inside, (0, 1), levels=2)  # pairs 0-1, 1-1 and 0-1
    array([[0, 2],
           [2, 2]])
    """
    down, right = step
    height, width = grey.shape
    if down >= height or abs(right) >= width:
        return np.zeros((levels, levels), int)
    first = np.s_[: height - down, max(-right, 0) : width - max(right, 0)]
    second = np.s_[down:, max(right, 0) : width + min(right, 0)]
    grey = grey.astype(np.uint8, copy=False)
    pair = grey[first] * np.uint8(levels)
    pair += grey[second]
    both = (mask[first] & mask[second]).view(np.uint8)
    counts = cv2.calcHist([pair], [0], both, [levels**2], [0, levels**2]).astype(int)
    counts = counts.reshape(levels, levels)
    return counts + counts.T


def haralick(counts: np.ndarray) -> dict[str, float]:
    """Summarise co-occurrence counts.

    Parameters
    ----------
    counts : ndarray of shape (levels, levels), int or float
        Symmetric counts from `cooccurrence`; may all be 0.

    Returns
    -------
    dict of str to float
        ``contrast`` sum p (i-j)^2, ``homogeneity`` sum p / (1 + (i-j)^2), ``energy``
        sqrt(sum p^2), ``entropy`` -sum p log2 p, ``correlation``. Without any pairs, the values
        are those of a constant region: 0, 1, 1, 0 and 1.

    References
    ----------
    Haralick, Shanmugam and Dinstein 1973, IEEE Trans. SMC 3.
    """
    total = counts.sum()
    p = counts.ravel() / total if total > 0 else np.eye(1, counts.size)[0]
    moments = _moment_weights(len(counts)) @ p
    contrast, homogeneity, mean, square, product = moments.tolist()
    variance, covariance = square - mean**2, product - mean**2
    filled = p[p > 0]
    return {
        "contrast": contrast,
        "homogeneity": homogeneity,
        "energy": float(np.sqrt(p @ p)),
        "entropy": -float(filled @ np.log2(filled)) + 0.0,
        "correlation": covariance / variance if variance > 1e-9 else 1.0,
    }


@lru_cache(maxsize=4)
def _moment_weights(levels: int) -> np.ndarray:
    """Weights of pairs (i, j) whose sums over p are contrast, homogeneity, E i, E i^2 and E ij."""
    i, j = np.indices((levels, levels)).reshape(2, -1)
    squared = (i - j) ** 2
    return np.stack([squared, 1.0 / (1.0 + squared), i, i * i, i * j])


PATTERNS = 10
"""0 to 8 set neighbours in one run; 9 stands for every pattern with more than one run."""

_RING = ((-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1))
_BITS = (np.arange(256)[:, None] >> np.arange(8)) & 1
_CHANGES = (np.roll(_BITS, 1, axis=1) != _BITS).sum(axis=1)
_TABLE = np.where(_CHANGES <= 2, _BITS.sum(axis=1), 9).astype(np.uint8)


def local_binary_pattern(grey: np.ndarray, radius: int = 1) -> np.ndarray:
    """Classify the pattern of the eight neighbours of each pixel.

    Parameters
    ----------
    grey : ndarray of shape (h, w), uint8 or float32
        Grey image.
    radius : int, default=1
        Distance, in pixels, from the centre to the neighbours on a square ring.

    Returns
    -------
    ndarray of shape (h, w), uint8
        Number of neighbours not darker than the centre if they form one run, otherwise 9.

    Notes
    -----
    The neighbours are eight pixels on the square ring, without interpolation; the image is padded
    with its edge values.

    References
    ----------
    Ojala, Pietikainen and Maenpaa 2002, IEEE Trans. PAMI 24.

    Examples
    --------
    >>> import numpy as np
    >>> spot = np.zeros((3, 3), np.uint8)
    >>> spot[1, 1] = 9
    >>> int(local_binary_pattern(spot)[1, 1])  # every neighbour is darker
    0
    """
    return cv2.LUT(_codes(grey, radius), _TABLE)


def pattern_shares(grey: np.ndarray, mask: np.ndarray, radius: int = 1) -> np.ndarray:
    """Compute the share of each pattern inside a mask.

    Parameters
    ----------
    grey : ndarray of shape (h, w), uint8 or float32
        Grey image.
    mask : ndarray of shape (h, w), bool
        True on pixels that count; at least one.
    radius : int, default=1
        As in `local_binary_pattern`.

    Returns
    -------
    ndarray of shape (10,), float
        Shares that add up to 1.
    """
    count = cv2.calcHist([_codes(grey, radius)], [0], mask.view(np.uint8), [256], [0, 256])
    # classifying 256 codes is faster than classifying every pixel
    count = np.bincount(_TABLE, count.ravel(), PATTERNS)
    return count / count.sum()


def _codes(grey: np.ndarray, radius: int) -> np.ndarray:
    """One bit for each neighbour that is not darker than the centre."""
    height, width = grey.shape
    wide = cv2.copyMakeBorder(grey, radius, radius, radius, radius, cv2.BORDER_REPLICATE)
    code = np.zeros((height, width), np.uint8)
    for down, right in _RING:
        top, left = radius * (1 + down), radius * (1 + right)
        neighbour = wide[top : top + height, left : left + width]
        # each bit moves up by one when the next is added; the start of a run does not matter
        code += code
        code |= (neighbour >= grey).view(np.uint8)
    return code


_STEPS = (1, 4)  # pixels: 1/160 and 1/40 of the diameter
_SCALES = {"fine": 1.5, "middle": 3.0, "coarse": 6.0}  # pixels
# Middle scale in pixels of twice the size. The filters of 3 x 3 pixels add some smoothing, and more
# at this size; accounting for it preserves the value on the full grid.
_MIDDLE_AT_HALF = np.sqrt(1.5**2 + 0.19)


def texture(lesion: LesionContext) -> dict[str, float]:
    """Measure co-occurrence, binary patterns and oriented energy.

    Parameters
    ----------
    lesion : LesionContext
        The lesion at measuring scale.

    Returns
    -------
    dict of str to float
        One value per feature of the family, keyed without the prefix ``abcd__texture_``.

    Notes
    -----
    Co-occurrence counts only pairs of pixels inside the lesion, on 16 levels between the 1st and
    99th percentiles of its lightness, so it does not change with gain or offset of the light.
    """
    lesion = lesion.near
    values = _cooccurrence(lesion) | _patterns(lesion) | _energies(lesion)
    return {name: float(value) for name, value in values.items()}


def _cooccurrence(lesion: LesionContext) -> dict[str, float]:
    inside = np.ascontiguousarray(lesion.inside[lesion.box])
    limits = lesion.lightness_levels[1], lesion.lightness_levels[99]
    grey = quantise(lesion.lightness[lesion.box], inside, limits=limits)
    values = {}
    for step in _STEPS:
        steps = np.multiply(DIRECTIONS, step).tolist()
        counts = np.array([cooccurrence(grey, inside, at) for at in steps], np.float32)
        total = haralick(counts.sum(axis=0))
        values |= {f"glcm{step}_{name}": value for name, value in total.items()}
        counts = counts.reshape(len(DIRECTIONS), -1)
        contrast = counts @ _moment_weights(LEVELS)[0] / np.maximum(counts.sum(axis=1), 1.0)
        values[f"glcm{step}_anisotropy"] = deviation(contrast) / max(contrast.mean(), 1e-6)
    return values


def _patterns(lesion: LesionContext) -> dict[str, float]:
    # steps of half a unit of lightness; smaller differences are sensor or JPEG noise
    grey = (lesion.lightness[lesion.box] * 2.0).astype(np.uint8)
    inside = lesion.inside[lesion.box]
    values = {}
    for radius in (1, 3):
        share = pattern_shares(grey, inside, radius)
        filled = share[share > 0]
        values |= {
            f"lbp{radius}_entropy": -(filled @ np.log2(filled)) + 0.0,
            f"lbp{radius}_mixed": share[9],
            f"lbp{radius}_flat": share[8],
            f"lbp{radius}_edge": share[3:6].sum(),
            f"lbp{radius}_spot": share[0],
        }
    return values


def _energies(lesion: LesionContext) -> dict[str, float]:
    """Mean strength of lines and blobs at three scales, and their agreement in direction."""
    values = {}
    for name, sigma in _SCALES.items():
        if name == "coarse":
            ridge, part, own = _coarse(lesion), np.s_[::2, ::2], np.s_[:, :]
        else:
            ridge, part, own = lesion.hessian(sigma), lesion.box, lesion.box
        inside = lesion.inside[part]
        # the border is not texture, so only pixels at least half a filter away from it are used
        where = inside & (lesion.depth[part] > sigma / lesion.diameter)
        where = (where if where.any() else inside).view(np.uint8)
        mean, root, half, mixed = (
            layer[own] for layer in (ridge.mean, ridge.root, ridge.half, ridge.mixed)
        )
        # norm of the eigenvalues mean + root and mean - root
        # OpenCV's magnitude of a part of an array depends on the addresses of its rows
        mean, root = np.ascontiguousarray(mean), np.ascontiguousarray(root)
        strength: np.ndarray = cv2.magnitude(mean, root)
        strength *= np.float32(np.sqrt(2.0))
        average, sd = (moment.item() for moment in cv2.meanStdDev(strength, mask=where))
        # the direction is (half, mixed) / root
        strength /= np.maximum(root, 1e-6)
        direction = np.hypot(
            *(cv2.mean(cv2.multiply(turn, strength), mask=where)[0] for turn in (half, mixed))
        )
        values |= {
            f"energy_{name}": average,
            f"energy_{name}_sd": sd,
            f"coherence_{name}": direction / max(average, 1e-6),
        }
    return values


def _coarse(lesion: LesionContext) -> Curvature:
    """Second derivatives at the coarse scale, on every second pixel of every second row."""
    middle = np.ascontiguousarray(lesion.hessian(_SCALES["middle"]).smooth[::2, ::2])
    return curvature(middle, _SCALES["coarse"] / 2.0, smoothed=_MIDDLE_AT_HALF)
