"""Dermoscopic structures as fields of pigment: network, globules, dots, blotches."""

from __future__ import annotations

import numpy as np

from hybridlesion._opencv import cv2
from hybridlesion.datasets._noise import band_noise, smooth_noise, smoothstep
from hybridlesion.datasets._traits import LesionTraits

__all__ = ["scatter_dots", "structure_pigment"]


def structure_pigment(
    traits: LesionTraits, depth: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Draw how the lesion's pattern darkens (positive) or lightens its pigment.

    Parameters
    ----------
    traits : LesionTraits
        Pattern, border and colour are used.
    depth : ndarray of shape (H, W), float32
        From `draw_outline`.
    rng : Generator
        Source of randomness.

    Returns
    -------
    ndarray of shape (H, W), float32
        Relative change of pigment density, about -0.6 to 0.8.
    """
    shape = depth.shape
    field = 0.12 * smooth_noise(rng, shape, 0.03, octaves=3, persistence=0.8)
    # An atypical pattern comes and goes within the lesion.
    patchy = smoothstep(smooth_noise(rng, shape, traits.radius * 0.8), -1.2, 0.6)
    patchy = (1 - traits.color) + traits.color * patchy
    if traits.pattern == "reticular":
        field += rng.uniform(0.6, 1.1) * patchy * _network(shape, rng)
    elif traits.pattern == "globular":
        field += rng.uniform(0.7, 1.2) * patchy * _globules(shape, rng)
    elif traits.pattern == "starburst":
        rim = smoothstep(depth, -0.05, 0.15) * smoothstep(depth, 0.55, 0.2)
        field += 0.8 * rim * _globules(shape, rng) + 0.3 * _network(shape, rng)
    else:
        field += 0.10 * _network(shape, rng)
    field += 0.45 * traits.color * smoothstep(band_noise(rng, shape, 0.05), 0.6, 1.8)
    if rng.random() < 0.35 + 0.3 * traits.color:
        field += rng.uniform(0.5, 1.0) * scatter_dots(depth, rng, count=rng.integers(8, 60))
    if rng.random() < 0.35:
        field -= rng.uniform(0.3, 0.6) * scatter_dots(depth, rng, count=rng.integers(8, 50))
    return field


def scatter_dots(depth: np.ndarray, rng: np.random.Generator, *, count: int) -> np.ndarray:
    """Draw small soft dots at random places inside the lesion.

    Parameters
    ----------
    depth : ndarray of shape (H, W), float32
        Positive inside the lesion.
    rng : Generator
        Source of randomness.
    count : int
        Number of dots tried; those that fall outside are left out.

    Returns
    -------
    ndarray of shape (H, W), float32
        0 to 1.
    """
    long_side = max(depth.shape)
    layer = np.zeros(depth.shape, np.uint8)
    inside = np.argwhere(depth[::4, ::4] > 0.05) * 4
    if len(inside) == 0:
        return layer.astype(np.float32)
    for y, x in inside[rng.integers(0, len(inside), count)] + rng.uniform(0, 4, (count, 2)):
        radius = long_side * rng.uniform(0.0022, 0.0055)
        center = (int(x * 16), int(y * 16))
        level = int(rng.integers(110, 255))
        cv2.circle(layer, center, max(int(radius * 16), 8), level, -1, cv2.LINE_AA, 4)
    blurred = cv2.GaussianBlur(layer, (0, 0), long_side * 0.0016)
    return blurred.astype(np.float32) / 255


def _network(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Brown lines around roundish, lighter holes."""
    holes = band_noise(rng, shape, rng.uniform(0.015, 0.026))
    contrast = 0.7 + 0.3 * smooth_noise(rng, shape, 0.15)
    return (0.17 - 0.42 * smoothstep(holes, -0.5, 1.7)) * contrast


def _globules(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Separate dark clods on a lighter ground."""
    spots = band_noise(rng, shape, rng.uniform(0.022, 0.038))
    return 0.55 * smoothstep(spots, 0.5, 1.3) - 0.15
