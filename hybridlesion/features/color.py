"""Colour of the lesion against its skin: level, spread, variety and layout."""

from __future__ import annotations

import numpy as np

from hybridlesion._opencv import cv2
from hybridlesion.features._feature import family_rows
from hybridlesion.features._lesion import Lesion
from hybridlesion.features._statistics import deviation
from hybridlesion.features.palette import COLORS, DEFAULT_PALETTE, Palette, classify_colors

__all__ = ["CATALOGUE", "color"]

_CHANNELS = ("lightness", "a", "b", "red", "green", "blue", "saturation", "value")


def color(lesion: Lesion, palette: Palette = DEFAULT_PALETTE) -> dict[str, float]:
    """Measure the colours inside the lesion and against the skin around it.

    Parameters
    ----------
    lesion : Lesion
        The lesion at measuring scale.
    palette : Palette, default=DEFAULT_PALETTE
        Reference points of the six colours.

    Returns
    -------
    dict of str to float
        One value for each row of `CATALOGUE`, keys without ``abcd__color_``; those against the
        skin are NaN when no skin is seen.

    References
    ----------
    Kasmi and Mokrani 2016, IET Image Processing 10; ISIC 2024 ``tbp_lv_*`` columns.
    """
    values = _channels(lesion) | _contrast(lesion) | _spread(lesion) | _rings(lesion)
    values |= _patches(lesion)
    values |= _six_colors(lesion, palette)
    return {name: float(value) for name, value in values.items()}


def _channels(lesion: Lesion) -> dict[str, float]:
    """Mean minus skin, sd and skewness of eight channels."""
    inside = _pixels(lesion, lesion.where)
    mean = inside.mean(axis=1)
    inside -= mean[:, None]
    squared = inside * inside
    sd = np.sqrt([square.mean() for square in squared])
    third = [square @ value / value.size for square, value in zip(squared, inside, strict=True)]
    skew = third / np.maximum(sd, 1e-3) ** 3
    delta = np.full(len(mean), np.nan)
    if lesion.has_skin:
        delta = mean - _pixels(lesion, lesion.skin_where).mean(axis=1)
    values = {}
    for i, name in enumerate(_CHANNELS):
        values |= {f"{name}_delta": delta[i], f"{name}_sd": sd[i], f"{name}_skew": skew[i]}
    return values


def _pixels(lesion: Lesion, where: np.ndarray) -> np.ndarray:
    """All channels at some pixels, (8, n) float32."""
    rgb = lesion.image.reshape(-1, 3).take(where, axis=0)
    hsv = cv2.cvtColor(rgb[None], cv2.COLOR_RGB2HSV)[0]
    channels = np.empty((len(_CHANNELS), len(where)), np.float32)
    channels[:3] = (
        lesion.lab_inside
        if where is lesion.where
        else lesion.lab.reshape(-1, 3).take(where, axis=0).T
    )
    channels[3:6], channels[6:] = rgb.T, hsv[:, 1:].T
    return channels


def _contrast(lesion: Lesion) -> dict[str, float]:
    """Level of colour, alone and against skin."""
    lightness, a, b = lesion.lab_mean
    skin, levels = lesion.skin_lab, lesion.lightness_levels
    return {
        "lightness_mean": lightness,
        "chroma_mean": np.hypot(a, b),
        "hue_angle": np.degrees(np.arctan2(b, a)),
        "hue_delta": _turn(np.arctan2(b, a) - np.arctan2(skin[2], skin[1])),
        "chroma_delta": np.hypot(a, b) - np.hypot(skin[1], skin[2]),
        "skin_contrast": np.linalg.norm([lightness, a, b] - skin),
        "darkest": levels[5] - skin[0],
        "lightest": levels[95] - skin[0],
        "lightness_range": levels[95] - levels[5],
        "lightness_median": levels[50],
    }


def _turn(radians: float) -> float:
    return float(np.degrees(np.arctan2(np.sin(radians), np.cos(radians))))


def _spread(lesion: Lesion) -> dict[str, float]:
    """Variety of colour: entropy and principal spread."""
    lab = lesion.lab_inside
    variances = np.maximum(np.linalg.eigvalsh(lesion.covariance), 0.0)[::-1]
    # cells of 6.25 x 8 x 8 units, about the smallest difference that has another name
    cells = (lab[0] * np.float32(1.0 / 6.25)).astype(np.int16) << 10
    cells += ((lab[1] + 128.0) * np.float32(1.0 / 8.0)).astype(np.int16) << 5
    cells += ((lab[2] + 128.0) * np.float32(1.0 / 8.0)).astype(np.int16)
    counts = np.bincount(cells)
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


def _rings(lesion: Lesion) -> dict[str, float]:
    """Colour in three concentric rings."""
    lesion = lesion.near
    depth, lab = lesion.depth.ravel()[lesion.where], lesion.lab_inside
    ring = np.ceil(depth * (3.0 / max(float(depth.max()), 1e-6)))
    parts = [np.flatnonzero(ring == k) for k in (1, 2, 3)]
    # a lesion a few pixels wide has no middle: its rings are all the same
    colors = [lab.take(part, axis=1) if part.size else lab for part in parts]
    means = [color.mean(axis=1) for color in colors]
    spreads = [
        float(np.linalg.norm(color - mean[:, None])) / np.sqrt(color.shape[1])
        for color, mean in zip(colors, means, strict=True)
    ]
    return {
        "ring_outer_sd": spreads[0],
        "ring_middle_sd": spreads[1],
        "ring_inner_sd": spreads[2],
        "ring_gradient": np.linalg.norm(means[2] - means[0]),
        "ring_lightness": means[0][0] - means[2][0],
    }


def _patches(lesion: Lesion) -> dict[str, float]:
    """Colour spread inside windows and between them."""
    lesion, values = lesion.near, {}
    whole = lesion.inside.view(np.uint8)
    # the variance of three channels is the mean square length minus the square length of the mean
    square = _square_length(lesion.lab)
    for name, window in (("fine", 9), ("coarse", 25)):
        mean = cv2.blur(lesion.lab, (window, window))
        variance = cv2.blur(square, (window, window)) - _square_length(mean)
        values[f"local_{name}"] = cv2.mean(cv2.sqrt(cv2.max(variance, 0.0)), mask=whole)[0]
    # between patches: the means of the larger windows
    _, sd = cv2.meanStdDev(mean, mask=whole)
    return values | {
        "patch_spread": np.linalg.norm(sd),
        "patch_chroma_spread": np.linalg.norm(sd[1:]),
    }


def _square_length(lab: np.ndarray) -> np.ndarray:
    return cv2.transform(cv2.multiply(lab, lab), np.ones((1, 3), np.float32))


def _six_colors(lesion: Lesion, palette: Palette) -> dict[str, float]:
    """Share and presence of the six colours, and how far apart their centres lie."""
    named = classify_colors(lesion, palette)
    count = np.bincount(named, minlength=len(COLORS) + 1)[: len(COLORS)]
    share = count / len(named)
    present = share >= palette.minimum_share
    values = {f"share_{name}": share[i] for i, name in enumerate(COLORS)}
    values |= {f"has_{name}": float(present[i]) for i, name in enumerate(COLORS)}
    values["count"] = float(present.sum())
    named_share = share[share > 0] / max(share.sum(), 1e-9)
    values["palette_entropy"] = -(named_share * np.log2(named_share)).sum() + 0.0
    y, x = np.divmod(lesion.where, lesion.mask.shape[1])
    center_x, center_y = (
        np.bincount(named, at, len(COLORS) + 1)[: len(COLORS)][present] / count[present]
        for at in (x, y)
    )
    offset = np.hypot(center_x - lesion.center[0], center_y - lesion.center[1])
    values["centroid_distance"] = offset.max(initial=0.0) / lesion.diameter
    return values


_LAB_RANGE = {"lightness": 100.0, "a": 255.0, "b": 255.0}
_SKIN = "no skin is seen outside the lesion"

CATALOGUE = (
    *family_rows(
        "color",
        "Celebi 2007",
        (
            (
                f"{name}_delta",
                "unit",
                -_LAB_RANGE.get(name, 255.0),
                _LAB_RANGE.get(name, 255.0),
                f"mean {name} inside minus mean on the skin",
            )
            for name in _CHANNELS
        ),
        undefined=_SKIN,
    ),
    *family_rows(
        "color",
        "Celebi 2007",
        (
            row
            for name in _CHANNELS
            for row in (
                (f"{name}_sd", "unit", 0.0, 128.0, f"sd of {name} inside"),
                (f"{name}_skew", "1", -np.inf, np.inf, f"skewness of {name} inside"),
            )
        ),
    ),
    *family_rows(
        "color",
        "ISIC 2024",
        (
            ("hue_delta", "degrees", -180.0, 180.0, "hue angle minus that of the skin"),
            ("chroma_delta", "unit", -190.0, 190.0, "chroma minus that of the skin"),
            ("skin_contrast", "Delta-E", 0.0, 300.0, "mean colour inside to median colour of skin"),
            ("darkest", "L*", -100.0, 100.0, "5th percentile of lightness minus skin"),
            ("lightest", "L*", -100.0, 100.0, "95th percentile of lightness minus skin"),
        ),
        undefined=_SKIN,
    ),
    *family_rows(
        "color",
        "ISIC 2024",
        (
            ("lightness_mean", "L*", 0.0, 100.0, "mean lightness"),
            ("lightness_median", "L*", 0.0, 100.0, "median lightness"),
            ("lightness_range", "L*", 0.0, 100.0, "95th minus 5th percentile of lightness"),
            ("chroma_mean", "unit", 0.0, 190.0, "chroma sqrt(a^2 + b^2) of the mean colour"),
            ("hue_angle", "degrees", -180.0, 180.0, "hue angle atan2(b, a) of the mean colour"),
            ("entropy", "bit", 0.0, 15.0, "entropy of Lab in cells of 6.25 x 8 x 8"),
            ("cells", "count", 0.0, 200.0, "such cells that hold over 0.5 % of the lesion"),
            ("spread", "Delta-E", 0.0, 300.0, "sqrt of the trace of the Lab covariance"),
            ("spread_first", "Delta-E", 0.0, 300.0, "sd along the first principal colour axis"),
            ("spread_rest", "Delta-E", 0.0, 300.0, "sd off the first principal colour axis"),
            ("chroma_sd", "unit", 0.0, 128.0, "sd of chroma"),
            ("hue_sd", "degrees", 0.0, 400.0, "circular sd of hue, sqrt(-2 ln R)"),
            ("ring_outer_sd", "Delta-E", 0.0, 300.0, "colour sd in the outer third of depth"),
            ("ring_middle_sd", "Delta-E", 0.0, 300.0, "colour sd in the middle third"),
            ("ring_inner_sd", "Delta-E", 0.0, 300.0, "colour sd in the inner third"),
            ("ring_gradient", "Delta-E", 0.0, 300.0, "mean colour of the inner to the outer third"),
            ("ring_lightness", "L*", -100.0, 100.0, "lightness of the outer minus the inner third"),
            ("local_fine", "Delta-E", 0.0, 150.0, "mean colour sd in windows of 1/18 diameter"),
            ("local_coarse", "Delta-E", 0.0, 150.0, "the same in windows of 1/6 diameter"),
            ("patch_spread", "Delta-E", 0.0, 300.0, "colour sd between patches of 0.16 diameters"),
            ("patch_chroma_spread", "unit", 0.0, 200.0, "the same of a and b alone"),
        ),
    ),
    *family_rows(
        "color",
        "Stolz 1994",
        (
            *((f"share_{c}", "share", 0.0, 1.0, f"part of the lesion that is {c}") for c in COLORS),
            *(
                (f"has_{c}", "0/1", 0.0, 1.0, f"{c} covers the palette's least share")
                for c in COLORS
            ),
            ("count", "colours", 0.0, 6.0, "how many of the six colours are present"),
            ("palette_entropy", "bit", 0.0, 2.59, "entropy of the six shares"),
            (
                "centroid_distance",
                "diameters",
                0.0,
                np.inf,
                "farthest centre of a present colour from the centre of the shape",
            ),
        ),
    ),
)
