"""The lesion's outline as a depth field: positive inside, zero on the border."""

from __future__ import annotations

import math

import numpy as np

from hybridlesion._opencv import cv2
from hybridlesion.datasets._noise import smooth_noise
from hybridlesion.datasets._traits import LesionTraits

__all__ = ["draw_outline", "lesion_mask"]


def draw_outline(
    traits: LesionTraits, shape: tuple[int, int], rng: np.random.Generator
) -> np.ndarray:
    """Draw how deep each pixel lies inside the lesion.

    Parameters
    ----------
    traits : LesionTraits
        Size, place, asymmetry and border are used.
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
    An ellipse in coordinates that smooth noise has bent; lobes are joined and bites taken out by
    smooth maxima, and fractal noise roughens the border.
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


def lesion_mask(depth: np.ndarray) -> np.ndarray:
    """Mark the lesion as an expert would: one piece, without holes, a little smoothed.

    Parameters
    ----------
    depth : ndarray of shape (H, W), float32
        From `draw_outline`.

    Returns
    -------
    ndarray of shape (H, W), bool
        The largest piece where the smoothed depth is positive.
    """
    smoothed = cv2.GaussianBlur(depth, (0, 0), 0.004 * max(depth.shape))
    positive = (smoothed > 0).astype(np.uint8)
    contours, _ = cv2.findContours(positive, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    mask = np.zeros(depth.shape, np.uint8)
    if contours:
        cv2.drawContours(mask, [max(contours, key=cv2.contourArea)], -1, 1, cv2.FILLED)
    return mask > 0


def _bent_coordinates(
    traits: LesionTraits, shape: tuple[int, int], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates along the lesion's axes in units of its half-axes, bent by noise."""
    height, width = shape
    long_side = max(shape)
    x = (np.arange(width, dtype=np.float32) - (width - 1) / 2) / long_side - traits.center[0]
    y = (np.arange(height, dtype=np.float32) - (height - 1) / 2) / long_side - traits.center[1]
    cos, sin = math.cos(traits.angle), math.sin(traits.angle)
    stretch = math.sqrt(traits.aspect)
    u = (x[None, :] * cos + y[:, None] * sin) * (stretch / traits.radius)
    v = (y[:, None] * cos - x[None, :] * sin) / (stretch * traits.radius)
    bend = 0.025 + 0.11 * traits.asymmetry
    wavelength = traits.radius * 1.9
    u += bend * smooth_noise(rng, shape, wavelength, octaves=2)
    v += bend * smooth_noise(rng, shape, wavelength, octaves=2)
    return u, v


def _smooth_maximum(a: np.ndarray, b: np.ndarray, blend: float = 0.12) -> np.ndarray:
    """Larger of two fields, rounded where they meet."""
    h = np.maximum(blend - np.abs(a - b), 0.0) / blend
    return np.maximum(a, b) + h * h * (blend / 4)


def _rays(u: np.ndarray, v: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Noise that changes along the rim but hardly along the radius: streaks."""
    count = int(rng.integers(90, 160))
    table = rng.standard_normal((6, count), dtype=np.float32)
    table = np.concatenate([table, table[:, :2]], axis=1)
    column = (np.arctan2(v, u) / (2 * np.pi) + 0.5) * count
    row = np.clip(np.hypot(u, v) * 2.0, 0, 5)
    return cv2.remap(table, column.astype(np.float32), row.astype(np.float32), cv2.INTER_LINEAR)
