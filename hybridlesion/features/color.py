"""Colour of the lesion relative to the skin, the six colours of dermoscopy, and skin tone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hybridlesion._optional_imports import cv2
from hybridlesion.features._context import LesionContext
from hybridlesion.features._numerics import deviation, median, percentiles, rgb_to_lab

COLORS = ("white", "red", "light_brown", "dark_brown", "blue_gray", "black")
_STEP = 4  # grid step in Lab units, far below the distance between two references
_SIDE = 256 // _STEP
_TO_GRID = np.float32([[2.55, 0, 0, 0], [0, 1, 0, 128], [0, 0, 1, 128]]) / _STEP
_GRID_STRIDE = np.array([_SIDE * _SIDE, _SIDE, 1], np.float32)


@dataclass(frozen=True)
class Palette:
    """Reference colours in CIE Lab on standard skin, and how pixels are assigned to them.

    Parameters
    ----------
    references : mapping of str to sequence of (L, a, b)
        One or more reference points for each of `COLORS`, as seen on skin of the colour `skin`.
    skin : tuple of int, default=(206, 166, 146)
        RGB of the standard skin. Before pixels are classified, each channel is scaled so that the
        skin around the lesion takes this colour (von Kries), which reduces the effect of light and
        camera.
    radius : float, default=40.0
        Delta-E beyond which a pixel has none of the six colours.
    chroma_weight : float, default=1.6
        Weight of a and b relative to L in that distance, since hue separates blue-grey from brown.
    minimum_share : float, default=0.03
        Minimum share of the lesion for a colour to count as present.
    """

    references: Mapping[str, tuple[tuple[float, float, float], ...]]
    skin: tuple[int, int, int] = (206, 166, 146)
    radius: float = 40.0
    chroma_weight: float = 1.6
    minimum_share: float = 0.03

    def __post_init__(self):
        if set(self.references) != set(COLORS):
            raise ValueError(
                f"references must name exactly {', '.join(COLORS)}, "
                f"got {', '.join(map(str, self.references))}."
            )

    @cached_property
    def _nearest(self) -> np.ndarray:
        """Nearest colour of every cell of a grid over Lab, (262144,) uint8."""
        axis = np.arange(_SIDE) * _STEP + _STEP / 2.0
        lightness, a, b = np.ix_(axis * 100.0 / 255.0, axis - 128.0, axis - 128.0)
        # skin inside the outline has none of the six colours
        skin = rgb_to_lab(np.array([[self.skin]], np.uint8))[0, 0].tolist()
        points = [(COLORS.index(name), point) for name in COLORS for point in self.references[name]]
        nearest = np.full((_SIDE,) * 3, float(self.radius) ** 2)
        label = np.full(nearest.shape, len(COLORS), np.uint8)
        for color, point in [*points, (len(COLORS), skin)]:
            chroma = (a - point[1]) ** 2 + (b - point[2]) ** 2
            distance = (lightness - point[0]) ** 2 + self.chroma_weight**2 * chroma
            label[distance < nearest] = color
            nearest = np.minimum(nearest, distance)
        return label.ravel()


DEFAULT_PALETTE = Palette(
    {
        "white": ((86.0, 4.0, 6.0), (80.0, 4.0, 2.0)),
        "red": ((52.0, 42.0, 26.0), (62.0, 34.0, 22.0)),
        "light_brown": ((66.0, 17.0, 26.0), (56.0, 20.0, 30.0)),
        "dark_brown": ((44.0, 20.0, 28.0), (34.0, 17.0, 24.0), (28.0, 14.0, 20.0)),
        "blue_gray": ((46.0, 9.0, 2.0), (36.0, 7.0, -1.0), (56.0, 9.0, 2.0)),
        "black": ((26.0, 7.0, 5.0), (18.0, 8.0, 6.0), (12.0, 6.0, 4.0)),
    }
)


def classify_colors(lesion: LesionContext, palette: Palette = DEFAULT_PALETTE) -> np.ndarray:
    """Assign every lesion pixel to one of the six colours.

    Parameters
    ----------
    lesion : LesionContext
        The lesion at measuring scale.
    palette : Palette, default=DEFAULT_PALETTE
        Reference colours.

    Returns
    -------
    ndarray of shape (n,), uint8
        Index into `COLORS` for each pixel of ``lesion.inside``, in row order; 6 if the pixel looks
        like skin or is far from all references.

    Notes
    -----
    If no skin is visible, the lightest tenth of the lesion is used instead.
    """
    ground = lesion.ground.astype(np.float32)[None, None]
    own = cv2.cvtColor(ground, cv2.COLOR_LAB2RGB)[0, 0] * 255.0
    gain = np.asarray(palette.skin, np.float32) / np.maximum(own, 16.0)
    table = np.clip(np.arange(256)[:, None] * gain, 0, 255).astype(np.uint8)
    lab = rgb_to_lab(cv2.LUT(lesion.rgb_inside[None], table[None]))
    # rows and columns of the grid; values are not negative, so truncation rounds down
    cells = cv2.transform(lab, _TO_GRID)[0].astype(np.uint8)
    # float32 represents these integers exactly, and matrix products are many times faster
    index = cells.astype(np.float32) @ _GRID_STRIDE
    return palette._nearest.take(index.astype(np.int32))


_CHANNELS = ("lightness", "a", "b", "red", "green", "blue", "saturation", "value")


def _window(pixels: int) -> np.ndarray:
    """Weights on pixels of twice the size that approximate the mean over a window of pixels.

    The outermost weights are chosen so that the variance is that of the window, (n^2 - 1) / 12.
    """
    inner = 2 * ((pixels - 2) // 4) + 1
    own, far = (inner**2 - 1) / 3.0, (inner + 1.0) ** 2
    # a quarter is the variance inside a block
    rim = ((pixels**2 - 1) / 12.0 - 0.25 - own) / (far - own) / 2.0
    return np.array([rim, *[(1.0 - 2.0 * rim) / inner] * inner, rim], np.float32)


_WINDOWS = {"fine": _window(9), "coarse": _window(25)}
_LEVELS = np.arange(256.0)
_COLOR_INDEX = np.arange(len(COLORS), dtype=np.uint8)[:, None]
_CELL_ORIGIN = np.array([[0.0], [128.0], [128.0]], np.float32)
_CELL_SCALE = np.array([[1.0 / 6.25], [1.0 / 8.0], [1.0 / 8.0]], np.float32)
_CELL_STRIDE = np.array([1024.0, 32.0, 1.0], np.float32)


def color(lesion: LesionContext, palette: Palette = DEFAULT_PALETTE) -> dict[str, float]:
    """Measure the colours of the lesion, alone and relative to the skin around it.

    Parameters
    ----------
    lesion : LesionContext
        The lesion at measuring scale.
    palette : Palette, default=DEFAULT_PALETTE
        Reference points of the six colours.

    Returns
    -------
    dict of str to float
        One value per feature of the family, keyed without the prefix ``abcd__color_``; those
        relative to skin are NaN if no skin is visible.

    References
    ----------
    Kasmi and Mokrani 2016, IET Image Processing 10; ISIC 2024 ``tbp_lv_*`` columns.
    """
    values = _channels(lesion) | _contrast(lesion) | _spread(lesion) | _rings(lesion)
    values |= _patches(lesion)
    values |= _six_colors(lesion, palette)
    return {name: float(value) for name, value in values.items()}


def _channels(lesion: LesionContext) -> dict[str, float]:
    """Mean relative to skin, standard deviation and skewness of eight channels."""
    centered = lesion.lab_centered
    second = np.diagonal(lesion.covariance)
    third = [(c * c) @ c / c.size for c in centered]
    first = np.stack([lesion.lab_mean, second, third])
    mean, variance, cubed = np.hstack([first, _moments(lesion.rgb_inside[None])])
    sd = np.sqrt(variance)
    skew = cubed / np.maximum(sd, 1e-3) ** 3
    delta = mean - _skin_mean(lesion) if lesion.has_skin else np.full(len(mean), np.nan)
    values = {f"{name}_delta": value for name, value in zip(_CHANNELS, delta, strict=True)}
    values |= {f"{name}_sd": value for name, value in zip(_CHANNELS, sd, strict=True)}
    return values | {f"{name}_skew": value for name, value in zip(_CHANNELS, skew, strict=True)}


def _moments(rgb: np.ndarray) -> np.ndarray:
    """Mean, variance and third central moment of R, G, B, S and V from their histograms, (3, 5)."""
    channels = [*cv2.split(rgb), *cv2.split(cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV))[1:]]
    histograms = [cv2.calcHist([one], [0], None, [256], [0, 256]).ravel() for one in channels]
    count = np.array(histograms, float)
    count /= rgb.shape[1]
    mean = count @ _LEVELS
    apart = _LEVELS - mean[:, None]
    weighted = count * apart * apart
    return np.stack([mean, weighted.sum(axis=1), (weighted * apart).sum(axis=1)])


def _skin_mean(lesion: LesionContext) -> np.ndarray:
    """Mean of the eight channels on the skin, (8,) float."""
    rgb = lesion.image.reshape(-1, 3).take(lesion.skin_where, axis=0)[None]
    hsv = cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV)
    lab = cv2.mean(lesion.skin_pixels[None])
    return np.array([*lab[:3], *cv2.mean(rgb)[:3], *cv2.mean(hsv)[1:3]])


def _contrast(lesion: LesionContext) -> dict[str, float]:
    """Mean colour, alone and relative to skin."""
    lightness, a, b = lesion.lab_mean.tolist()
    skin, levels = lesion.skin_lab.tolist(), lesion.lightness_levels
    hue, chroma = math.atan2(b, a), math.hypot(a, b)
    turn = hue - math.atan2(skin[2], skin[1])
    return {
        "lightness_mean": lightness,
        "chroma_mean": chroma,
        "hue_angle": math.degrees(hue),
        "hue_delta": math.degrees(math.atan2(math.sin(turn), math.cos(turn))),
        "chroma_delta": chroma - math.hypot(skin[1], skin[2]),
        "skin_contrast": math.dist((lightness, a, b), skin),
        "darkest": levels[5] - skin[0],
        "lightest": levels[95] - skin[0],
        "lightness_range": levels[95] - levels[5],
        "lightness_median": levels[50],
    }


def _spread(lesion: LesionContext) -> dict[str, float]:
    """Variety of colour: entropy and principal spread."""
    lab = lesion.lab_inside
    variances = np.maximum(np.linalg.eigvalsh(lesion.covariance), 0.0)[::-1]
    # cells of 6.25 x 8 x 8 units, about the smallest difference between named colours
    cells = lab + _CELL_ORIGIN
    cells *= _CELL_SCALE
    cells = _CELL_STRIDE @ np.floor(cells, out=cells)
    counts = np.bincount(cells.astype(np.int16))
    share = counts[counts > 0] / lab.shape[1]
    chroma = cv2.magnitude(lab[1], lab[2]).ravel()
    # length of the mean of the unit vectors (a, b) / chroma
    hue = np.hypot(*(lab[1:] @ (1.0 / np.maximum(chroma, 1e-6)))) / len(chroma)
    return {
        "entropy": -(share * np.log2(share)).sum() + 0.0,
        "cells": float(np.count_nonzero(share > 0.005)),
        "spread": np.sqrt(variances.sum()),
        "spread_first": np.sqrt(variances[0]),
        "spread_rest": np.sqrt(variances[1:].sum()),
        "chroma_sd": deviation(chroma),
        "hue_sd": np.degrees(np.sqrt(-2.0 * np.log(np.clip(hue, 1e-9, 1.0)))),
    }


def _rings(lesion: LesionContext) -> dict[str, float]:
    """Colour in three concentric rings."""
    lab = lesion.lab_centered
    depth = lesion.depth.ravel().take(lesion.where)
    deepest = max(float(depth.max()), 1e-6)
    # one row per ring: number of pixels, then sums of Lab and of squared lengths. Two inner bounds
    # are enough for three rings, since the sums over the whole lesion are known
    within = depth <= np.array([[1.0 / 3.0], [2.0 / 3.0]], np.float32) * np.float32(deepest)
    layers = np.empty((5, lab.shape[1]), np.float32)
    layers[0], layers[1:4] = 1.0, lab
    layers[4] = lab[0] * lab[0] + lab[1] * lab[1] + lab[2] * lab[2]
    whole = np.array([lab.shape[1], 0.0, 0.0, 0.0, np.trace(lesion.covariance) * lab.shape[1]])
    inner = np.vstack([np.zeros(5), within.astype(np.float32) @ layers.T, whole])
    sums = np.diff(inner, axis=0)
    # in a lesion a few pixels wide, an empty ring takes the values of the whole lesion
    sums[sums[:, 0] == 0.0] = whole
    means = sums[:, 1:4] / sums[:, :1]
    variances = sums[:, 4] / sums[:, 0] - (means * means).sum(axis=1)
    spreads = np.sqrt(np.maximum(variances, 0.0))
    return {
        "ring_outer_sd": spreads[0],
        "ring_middle_sd": spreads[1],
        "ring_inner_sd": spreads[2],
        "ring_gradient": math.dist(means[2], means[0]),
        "ring_lightness": means[0][0] - means[2][0],
    }


def _patches(lesion: LesionContext) -> dict[str, float]:
    """Colour spread within windows and between them."""
    lab, square, inside = _halved(lesion.near)
    values = {}
    for name, kernel in _WINDOWS.items():
        mean = cv2.sepFilter2D(lab, cv2.CV_32F, kernel, kernel)
        # the variance of three channels is the mean squared length minus that of the mean
        variance = cv2.sepFilter2D(square, cv2.CV_32F, kernel, kernel) - _square_length(mean)
        values[f"local_{name}"] = cv2.mean(cv2.sqrt(cv2.max(variance, 0.0)), mask=inside)[0]
    # spread between patches, from the means of the larger windows
    _, sd = cv2.meanStdDev(mean, mask=inside)
    return values | {
        "patch_spread": math.hypot(*sd.ravel()),
        "patch_chroma_spread": math.hypot(*sd.ravel()[1:]),
    }


def _halved(lesion: LesionContext) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return Lab, its squared length and the lesion, averaged over blocks of 2 x 2 pixels.

    Window sums at every second pixel are the same and take a quarter of the time.
    """
    part = lesion.around(len(_WINDOWS["coarse"]) + 1)  # in pixels; half a window
    height, width = (max(n // 2, 1) for n in lesion.inside[part].shape)
    lab, inside = (layer[part][: 2 * height, : 2 * width] for layer in (lesion.lab, lesion.inside))
    inside = inside[::2, ::2]
    inside = inside if inside.any() else np.ones_like(inside)
    layers = (lab, _square_length(lab))
    lab, square = (cv2.resize(x, (width, height), interpolation=cv2.INTER_AREA) for x in layers)
    return lab, square, inside.astype(np.uint8)


def _square_length(lab: np.ndarray) -> np.ndarray:
    return cv2.transform(cv2.multiply(lab, lab), np.ones((1, 3), np.float32))


def _six_colors(lesion: LesionContext, palette: Palette) -> dict[str, float]:
    """Share and presence of the six colours, and the largest offset of their centroids."""
    named = classify_colors(lesion, palette)
    # one row per colour: number of pixels and sums of their coordinates
    places = np.ones((3, len(named)), np.float32)
    places[1:] = lesion.places(lesion.where)
    sums = (named == _COLOR_INDEX).astype(np.float32) @ places.T
    share = sums[:, 0] / len(named)
    present = share >= palette.minimum_share
    values = {f"share_{name}": share[i] for i, name in enumerate(COLORS)}
    values |= {f"has_{name}": float(present[i]) for i, name in enumerate(COLORS)}
    values["count"] = float(present.sum())
    named_share = share[share > 0] / max(share.sum(), 1e-9)
    values["palette_entropy"] = -(named_share * np.log2(named_share)).sum() + 0.0
    offset = np.hypot(*sums[present, 1:].T) / sums[present, 0]
    values["centroid_distance"] = offset.max(initial=0.0) / lesion.diameter
    return values


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
