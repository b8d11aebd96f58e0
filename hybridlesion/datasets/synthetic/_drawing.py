"""Synthetic dermoscopic images and their true masks."""

from __future__ import annotations

import math

import numpy as np
from numpy.random import Generator

from hybridlesion._optional_imports import cv2
from hybridlesion._validation import check_number
from hybridlesion.datasets.synthetic._artifacts import (
    add_bubbles,
    add_ink,
    add_light,
    add_ruler,
    add_vignette,
    draw_hair,
)
from hybridlesion.datasets.synthetic._cohort import LesionTraits, random_patient, vary_traits
from hybridlesion.datasets.synthetic._skin import centered, draw_pigment, draw_skin, smooth_noise


def draw_outline(traits: LesionTraits, shape: tuple[int, int], rng: Generator) -> np.ndarray:
    """Draw the depth of each pixel inside the lesion.

    Parameters
    ----------
    traits : LesionTraits
        Size, position, asymmetry and border are used.
    shape : tuple of int
        (H, W) in pixels.
    rng : Generator
        Source of randomness.

    Returns
    -------
    ndarray of shape (H, W), float32
        About 1 in the middle, 0 on the border, negative outside; one unit is the radius.

    Notes
    -----
    The outline is an ellipse in coordinates distorted by smooth noise. Lobes are added and bites
    removed by smooth maxima, and fractal noise roughens the border.
    """
    u, v = _bent_coordinates(traits, shape, rng)
    depth = 1.0 - np.sqrt(u * u + v * v)
    for _ in range(rng.binomial(3, 0.7 * traits.asymmetry)):
        angle = rng.uniform(0, 2 * np.pi)
        distance, size = rng.uniform(0.75, 1.1), rng.uniform(0.3, 0.55)
        lobe = size - np.hypot(u - distance * math.cos(angle), v - distance * math.sin(angle))
        depth = _smooth_maximum(depth, lobe)
    for _ in range(rng.binomial(3, 0.45 * traits.asymmetry)):
        angle = rng.uniform(0, 2 * np.pi)
        distance, size = rng.uniform(0.95, 1.2), rng.uniform(0.2, 0.5)
        bite = np.hypot(u - distance * math.cos(angle), v - distance * math.sin(angle)) - size
        depth = -_smooth_maximum(-depth, -bite)
    rough = smooth_noise(rng, shape, traits.radius * 0.5, octaves=4, persistence=0.6)
    depth += (0.015 + 0.085 * traits.border) * rough
    if traits.pattern == "starburst":
        depth += (0.035 + 0.045 * traits.border) * _rays(u, v, rng)
    return depth


def _lesion_mask(depth: np.ndarray) -> np.ndarray:
    """Outline the lesion as an expert would: one piece, without holes, slightly smoothed.

    Parameters
    ----------
    depth : ndarray of shape (H, W), float32
        Result of `draw_outline`.

    Returns
    -------
    ndarray of shape (H, W), bool
        The largest piece in which the smoothed depth is positive.
    """
    smoothed = cv2.GaussianBlur(depth, (0, 0), 0.004 * max(depth.shape))
    positive = (smoothed > 0).astype(np.uint8)
    contours, _ = cv2.findContours(positive, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    mask = np.zeros(depth.shape, np.uint8)
    if contours:
        cv2.drawContours(mask, [max(contours, key=cv2.contourArea)], -1, 1, cv2.FILLED)
    return mask > 0


def _bent_coordinates(
    traits: LesionTraits, shape: tuple[int, int], rng: Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return coordinates along the lesion's axes in units of its half-axes, bent by noise."""
    x, y = centered(shape, traits.center, pixel=0.5)
    cos, sin = math.cos(traits.angle), math.sin(traits.angle)
    stretch = math.sqrt(traits.aspect)
    u = (x * cos + y * sin) * (stretch / traits.radius)
    v = (y * cos - x * sin) / (stretch * traits.radius)
    bend = 0.025 + 0.11 * traits.asymmetry
    wavelength = traits.radius * 1.9
    u += bend * smooth_noise(rng, shape, wavelength, octaves=2)
    v += bend * smooth_noise(rng, shape, wavelength, octaves=2)
    return u, v


def _smooth_maximum(a: np.ndarray, b: np.ndarray, blend: float = 0.12) -> np.ndarray:
    """Return the larger of two fields, smoothed where they meet."""
    h = np.maximum(blend - np.abs(a - b), 0.0) / blend
    return np.maximum(a, b) + h * h * (blend / 4)


def _rays(u: np.ndarray, v: np.ndarray, rng: Generator) -> np.ndarray:
    """Draw streaks: noise that varies along the rim but hardly along the radius."""
    count = int(rng.integers(90, 160))
    table = rng.standard_normal((6, count), dtype=np.float32)
    table = np.concatenate([table, table[:, :2]], axis=1)
    column = (np.arctan2(v, u) / (2 * np.pi) + 0.5) * count
    row = np.clip(np.hypot(u, v) * 2.0, 0, 5)
    return cv2.remap(table, column.astype(np.float32), row.astype(np.float32), cv2.INTER_LINEAR)


# Images are drawn with a long side between these limits and then scaled. Below, structures would
# be thinner than a pixel; above, time and memory would grow without additional detail.
_CANVAS = (640, 1600)
_SIZE_LIMITS = (64, 8000)


def draw_lesion(
    traits: LesionTraits | None = None,
    size: tuple[int, int] = (600, 450),
    *,
    random_state: int | np.random.SeedSequence = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw a dermoscopic image of one lesion, and its mask.

    Parameters
    ----------
    traits : LesionTraits or None, default=None
        Traits of the lesion. If None, they are random.
    size : tuple of int, default=(600, 450)
        (width, height) in pixels, each 64 to 8000.
    random_state : int or SeedSequence, default=0
        Seed for the random detail. The same seed and traits give the same image.

    Returns
    -------
    image : ndarray of shape (H, W, 3), uint8
        RGB image.
    mask : ndarray of shape (H, W), bool
        True inside the lesion, even under hair, ink or a dark corner.

    Raises
    ------
    ValueError
        If `size` is outside the limits.

    Examples
    --------
    >>> image, mask = draw_lesion(size=(120, 90), random_state=3)
    >>> image.shape, mask.any()
    ((90, 120, 3), np.True_)
    """
    width, height = check_size(size)
    rng = np.random.default_rng(random_state)
    if traits is None:
        traits = vary_traits(
            random_patient(rng), tuple(rng.beta(1.1, 3.0, 3)), rng, hair=0.3, artifacts=0.3
        )
    scale = np.clip(max(width, height), *_CANVAS) / max(width, height)
    shape = (max(round(height * scale), 1), max(round(width * scale), 1))
    depth = draw_outline(traits, shape, rng)
    lab = draw_pigment(draw_skin(traits.skin, shape, rng), depth, traits, rng)
    lab = lab.astype(np.float32, copy=False)
    np.clip(lab[..., 0], 2.0, 99.0, out=lab[..., 0])
    image = cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)
    image = _photograph(image, traits, rng)
    mask = _lesion_mask(cv2.resize(depth, (width, height), interpolation=cv2.INTER_LINEAR))
    return _expose(image, (width, height), rng), mask


def check_size(size: tuple[int, int]) -> tuple[int, int]:
    """Validate the size of an image to draw, and return it.

    Parameters
    ----------
    size : tuple of int
        (width, height) in pixels.

    Returns
    -------
    tuple of int
        `size`.

    Raises
    ------
    ValueError
        If it is not a pair of whole numbers from 64 to 8000.
    """
    try:
        width, height = size
    except (TypeError, ValueError):
        raise ValueError(
            f"size must be (width, height) in pixels, such as (600, 450), got {size!r}."
        ) from None
    low, high = _SIZE_LIMITS
    for side in (width, height):
        check_number("each side of size", side, low=low, high=high, integer=True)
    return int(width), int(height)


def _photograph(image: np.ndarray, traits: LesionTraits, rng: Generator) -> np.ndarray:
    """Add light, hair and artefacts, in the order in which they lie over the skin."""
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


def _expose(image: np.ndarray, size: tuple[int, int], rng: Generator) -> np.ndarray:
    """Blur slightly, scale to `size`, add grain, and round to 8 bits."""
    sigma = max(image.shape) * rng.uniform(0.0003, 0.0010)
    image = cv2.GaussianBlur(image, (0, 0), sigma)
    shrinks = size[0] < image.shape[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    image = cv2.resize(image, size, interpolation=method)
    grain = rng.standard_normal(image.shape[:2], dtype=np.float32) * rng.uniform(0.003, 0.011)
    image += cv2.GaussianBlur(grain, (0, 0), 0.6)[..., None]
    return cv2.convertScaleAbs(np.clip(image, 0.0, 1.0), alpha=255.0)
