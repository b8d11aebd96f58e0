"""Imaging artefacts: vignette, rulers, gel bubbles, ink, hair, uneven light."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from numpy.random import Generator

from hybridlesion._optional_imports import cv2
from hybridlesion.datasets.synthetic._cohort import LesionTraits
from hybridlesion.datasets.synthetic._skin import (
    centered,
    draw_path,
    smooth_noise,
    smoothstep,
    soften,
    unit_vectors,
)


def add_light(image: np.ndarray, rng: Generator) -> np.ndarray:
    """Make the lighting uneven, with a gradient and a fall-off towards the corners.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), float32
        RGB, 0 to 1.
    rng : Generator
        Source of randomness.

    Returns
    -------
    ndarray of shape (H, W, 3), float32
        The image, up to about 20 % darker in places.
    """
    x, y = centered(image.shape[:2])
    angle = rng.uniform(0, 2 * np.pi)
    slope = rng.normal(0, 0.07) * (x * math.cos(angle) + y * math.sin(angle))
    falloff = rng.gamma(1.5, 0.10) * (x * x + y * y)
    return image * (1.0 + slope - falloff)[..., None]


def add_vignette(image: np.ndarray, rng: Generator) -> np.ndarray:
    """Darken the area outside the round window of the dermoscope.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), float32
        RGB, 0 to 1.
    rng : Generator
        Source of randomness.

    Returns
    -------
    ndarray of shape (H, W, 3), float32
        The image with dark corners or a black surround.
    """
    x, y = centered(image.shape[:2])
    radius = rng.uniform(0.50, 0.62) if rng.random() < 0.75 else rng.uniform(0.41, 0.50)
    left, top = rng.normal(0, 0.015, 2).tolist()
    distance = np.hypot(x - left, y - top)
    soft = rng.uniform(0.008, 0.09)
    light = smoothstep(distance, radius + soft / 2, radius - soft / 2)[..., None]
    dark = np.array([0.05, 0.045, 0.05], np.float32) * rng.uniform(0.2, 2.2)
    return dark + light * (image - dark)


def add_ruler(image: np.ndarray, rng: Generator) -> np.ndarray:
    """Print a millimetre scale near one side.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), float32
        RGB, 0 to 1.
    rng : Generator
        Source of randomness.

    Returns
    -------
    ndarray of shape (H, W, 3), float32
        The image with a scale.
    """
    layer = np.zeros(image.shape[:2], np.uint8)
    size, long_side = np.array(layer.shape[::-1]), max(layer.shape)
    gap = long_side * rng.uniform(0.012, 0.035)
    count = int(rng.integers(12, 40))
    angle = rng.choice([0, np.pi / 2]) + rng.normal(0, 0.12)
    along = unit_vectors(angle)[0]
    across = np.array([-along[1], along[0]]) * rng.choice([-1, 1])
    middle = size / 2 + across * (rng.uniform(0.38, 0.46) * size)
    thickness = max(1, round(long_side * 0.0018))
    # Some scales follow the curved edge of the window.
    curve = rng.uniform(0.0, 0.9) / long_side if rng.random() < 0.6 else 0.0
    for tick in range(count):
        offset = (tick - count / 2) * gap
        foot = middle + along * offset - across * curve * offset**2
        length = gap * (2.0 if tick % 10 == 0 else 1.45 if tick % 5 == 0 else 0.9)
        draw_path(layer, np.array([foot, foot - across * length]), 255, thickness)
        if tick % 10 == 0 and curve == 0.0:
            corner = (foot - across * gap * 3.2).astype(int).tolist()
            scale = long_side / 1500
            cv2.putText(layer, str(tick), corner, 0, scale, 255, thickness, cv2.LINE_AA)
    alpha = layer.astype(np.float32)[..., None] / 255 * rng.uniform(0.4, 0.85)
    return image * (1 - alpha) + alpha * np.float32(0.12)


def add_bubbles(image: np.ndarray, rng: Generator) -> np.ndarray:
    """Add air bubbles in the contact gel, each with a dark rim, a bright arc and a highlight.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), float32
        RGB, 0 to 1.
    rng : Generator
        Source of randomness.

    Returns
    -------
    ndarray of shape (H, W, 3), float32
        The image with bubbles.
    """
    bright, dark = np.zeros((2, *image.shape[:2]), np.uint8)
    long_side = max(dark.shape)
    home = rng.uniform((0.1, 0.1), (0.9, 0.9)) * dark.shape[::-1]
    for _ in range(rng.integers(3, 26)):
        center = home + rng.normal(0, 0.22 * long_side, 2)
        radius = long_side * float(np.clip(rng.gamma(1.6, 0.005), 0.003, 0.035))
        _draw_bubble(bright, dark, center, radius, rng)
    sigma = max(0.0008 * long_side, 0.4)
    image = image * (1 - 0.35 * soften(dark, sigma)[..., None])
    return image + 0.8 * soften(bright, sigma)[..., None] * (1 - image)


def add_ink(image: np.ndarray, rng: Generator) -> np.ndarray:
    """Draw a violet or blue pen stroke, like a surgeon's, near the edge of the image.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), float32
        RGB, 0 to 1.
    rng : Generator
        Source of randomness.

    Returns
    -------
    ndarray of shape (H, W, 3), float32
        The image with ink.
    """
    layer = np.zeros(image.shape[:2], np.uint8)
    long_side = max(layer.shape)
    angle = rng.uniform(0, 2 * np.pi)
    edge = (0.5 + 0.44 * unit_vectors(angle)) * layer.shape[::-1]
    heading = angle + np.pi / 2 + np.cumsum(rng.normal(0, 0.08, 20))
    stride = long_side * rng.uniform(0.008, 0.025)
    path = edge + np.cumsum(unit_vectors(heading), axis=0) * stride
    draw_path(layer, path, 255, max(2, round(long_side * rng.uniform(0.008, 0.03))))
    grain = smooth_noise(rng, layer.shape, 0.012, octaves=3, persistence=0.8)
    alpha = soften(layer, 0.003 * long_side) * np.clip(0.7 + 0.25 * grain, 0.15, 0.95)
    violet = np.array([0.28, 0.16, 0.46]) + rng.normal(0, 0.05, 3)
    # Ink filters the light; it does not cover the skin.
    return image * (1 - alpha[..., None] * (1 - np.clip(violet, 0, 1))).astype(np.float32)


def _draw_bubble(
    bright: np.ndarray, dark: np.ndarray, center: np.ndarray, radius: float, rng: Generator
) -> None:
    """Draw one bubble on the layers of highlights and rims."""
    middle = np.round(center * 16).astype(int).tolist()
    axes = [max(int(radius * 16), 12), max(int(radius * 16 * rng.uniform(0.85, 1.0)), 12)]
    line = max(1, round(radius * 0.16))
    turn = float(rng.uniform(0, 360))
    cv2.ellipse(dark, middle, axes, turn, 0, 360, 255, line, cv2.LINE_AA, 4)
    inner = [max(int(axis * 0.82), 8) for axis in axes]
    for start, extent, level in ((200, 90, 190), (20, 70, 120)):
        cv2.ellipse(bright, middle, inner, 0, start, start + extent, level, line, cv2.LINE_AA, 4)
    spot = np.round((center - 0.45 * radius) * 16).astype(int).tolist()
    cv2.circle(bright, spot, max(int(radius * 16 * 0.16), 8), 255, -1, cv2.LINE_AA, 4)


_POINTS = 24
_LARGER = 2


def draw_hair(image: np.ndarray, amount: float, lightness: float, rng: Generator) -> np.ndarray:
    """Draw hairs over an image.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), float32
        RGB, 0 to 1.
    amount : float
        0 (one or two fine hairs) to 1 (a hairy arm).
    lightness : float
        0 (black) to 1 (white).
    rng : Generator
        Source of randomness.

    Returns
    -------
    ndarray of shape (H, W, 3), float32
        The image with hair.
    """
    height, width = image.shape[:2]
    long_side = max(height, width)
    count = 2 + int(rng.poisson(2 + 30 * amount**1.6))
    heading = rng.uniform(0, np.pi)
    spread = rng.uniform(0.15, 1.2)
    thickness = rng.uniform(0.0013, 0.0042) * (0.6 + 0.6 * amount)
    # Line widths are integers, so lines are drawn large and scaled down.
    cover = np.zeros((_LARGER * height, _LARGER * width), np.uint8)
    for _ in range(count):
        path = _hair_path((height, width), heading + rng.normal(0, spread), rng)
        breadth = thickness * np.exp(rng.normal(0, 0.25)) * long_side
        _draw_tapered(cover, path * _LARGER, breadth * _LARGER, strength=rng.uniform(0.65, 1.0))
    cover = cv2.resize(cover, (width, height), interpolation=cv2.INTER_AREA)
    cover = cv2.GaussianBlur(cover, (0, 0), max(0.0007 * long_side, 0.4))
    alpha = cover.astype(np.float32)[..., None] / 255
    # A soft shadow next to the hair lifts it from the skin.
    shift = np.float32([[1, 0, 0.004 * long_side], [0, 1, 0.003 * long_side]])
    shadow = cv2.warpAffine(cover, shift, (width, height))
    shadow = cv2.GaussianBlur(shadow, (0, 0), 0.004 * long_side).astype(np.float32)
    image = image * (1 - 0.22 / 255 * shadow[..., None])
    brown = np.array([0.95, 0.78, 0.62]) * lightness + np.array([0.05, 0.03, 0.02])
    return image + 0.9 * alpha * (brown.astype(np.float32) - image)


def _hair_path(shape: tuple[int, int], heading: float, rng: Generator) -> np.ndarray:
    """Return the points (x, y) of one hair, whose curvature changes slowly along its length."""
    length = max(shape) * rng.uniform(0.25, 1.1)
    bend = rng.normal(0, 0.55) + rng.normal(0, 0.5) * np.linspace(-1, 1, _POINTS)
    if rng.random() < 0.03:
        bend = bend + rng.choice([-1, 1]) * np.linspace(0.5, 1.0, _POINTS) * rng.uniform(2, 4)
    turn = heading + np.cumsum(bend) / _POINTS * 1.6
    path = np.cumsum(unit_vectors(turn) * (length / _POINTS), axis=0)
    return path - path[_POINTS // 2] + rng.uniform((0, 0), shape[::-1])


def _draw_tapered(cover: np.ndarray, path: np.ndarray, width: float, *, strength: float) -> None:
    """Draw a line that tapers towards its tip and fades when it is thinner than a pixel."""
    pieces = 12
    edges = np.linspace(0, len(path) - 1, pieces + 1).astype(int)
    for piece, (start, end) in enumerate(pairwise(edges)):
        # The root lies in the skin and shows less.
        local = width * (0.6 if piece == 0 else 1.0 - 0.65 * piece / pieces)
        thickness = max(1, round(local))
        level = int(255 * strength * min(local / thickness, 1.0))
        draw_path(cover, path[start : end + 1], level, thickness)


def photograph(image: np.ndarray, traits: LesionTraits, rng: Generator) -> np.ndarray:
    """Add light, hair and artefacts, in the order in which they lie over the skin.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), float32
        RGB, 0 to 1.
    traits : LesionTraits
        Hair and artefacts are used.
    rng : Generator
        Source of randomness.

    Returns
    -------
    ndarray of shape (H, W, 3), float32
        The image as a dermoscope would show it.
    """
    image = add_light(image, rng)
    if "ink" in traits.artifacts:
        image = add_ink(image, rng)
    if traits.hair > 0:
        image = draw_hair(image, traits.hair, traits.hair_lightness, rng)
    over_hair = {"bubbles": add_bubbles, "ruler": add_ruler, "vignette": add_vignette}
    for name, add in over_hair.items():
        if name in traits.artifacts:
            image = add(image, rng)
    return image
