"""Healthy skin: tone, mottling, skin lines, vessels and small spots."""

from __future__ import annotations

import numpy as np

from hybridlesion._opencv import cv2
from hybridlesion.datasets._noise import band_noise, fibre_noise, smooth_noise, smoothstep

__all__ = ["draw_skin"]


def draw_skin(
    tone: tuple[float, float, float], shape: tuple[int, int], rng: np.random.Generator
) -> np.ndarray:
    """Draw skin without a lesion.

    Parameters
    ----------
    tone : tuple of float
        Median Lab colour, L 0 to 100.
    shape : tuple of int
        (H, W) in pixels.
    rng : Generator
        Source of randomness.

    Returns
    -------
    ndarray of shape (H, W, 3), float32
        Lab image.
    """
    lab = np.empty((*shape, 3), np.float32)
    mottling = rng.uniform(0.5, 1.5)
    lightness = 1.1 * smooth_noise(rng, shape, 0.5) + 0.9 * smooth_noise(
        rng, shape, 0.09, octaves=4, persistence=0.7
    )
    redness = 1.1 * smooth_noise(rng, shape, 0.22, octaves=3, persistence=0.6)
    lab[..., 0] = (
        tone[0] + mottling * lightness - _skin_lines(shape, rng) - 0.6 * mottling * (redness)
    )
    lab[..., 1] = tone[1] + mottling * redness
    lab[..., 2] = tone[2] + mottling * (
        1.2 * smooth_noise(rng, shape, 0.3, octaves=5, persistence=0.6) - 0.15 * redness
    )
    if rng.random() < 0.45:
        _add_vessels(lab, rng)
    if rng.random() < 0.35:
        _add_spots(lab, rng)
    if rng.random() < 0.3:
        pores = smoothstep(band_noise(rng, shape, rng.uniform(0.02, 0.035)), 1.3, 2.4)
        lab[..., 0] += rng.uniform(1.0, 4.0) * pores
    return lab


def _skin_lines(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Depth, in L, of two crossing families of fine furrows."""
    depth = np.zeros(shape, np.float32)
    angle = rng.uniform(0, np.pi)
    strength = rng.gamma(2.0, 0.75)
    for turn, weight in ((0.0, 1.0), (rng.uniform(0.9, 1.6), 0.6)):
        fibres = fibre_noise(
            rng, shape, rng.uniform(0.007, 0.016), stretch=rng.uniform(4, 9), angle=angle + turn
        )
        patchy = 0.4 + smoothstep(smooth_noise(rng, shape, 0.3), -0.5, 1.5)
        depth += weight * strength * patchy * (smoothstep(np.abs(fibres), 0.9, 0.0) - 0.35)
    return depth


def _add_vessels(lab: np.ndarray, rng: np.random.Generator) -> None:
    """Redden `lab` along a few branching, blurred lines."""
    height, width = lab.shape[:2]
    layer = np.zeros((height, width), np.uint8)
    for _ in range(rng.integers(4, 22)):
        steps = rng.integers(10, 40)
        headings = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, 0.35, steps))
        stride = max(height, width) * rng.uniform(0.004, 0.009)
        start = rng.uniform((0, 0), (width, height))
        path = start + np.cumsum(np.column_stack([np.cos(headings), np.sin(headings)]), 0) * stride
        cv2.polylines(
            layer,
            [np.round(path * 16).astype(np.int32)],
            False,
            int(rng.integers(80, 255)),
            max(1, round(max(height, width) * rng.uniform(0.0012, 0.004))),
            cv2.LINE_AA,
            4,
        )
    sigma = max(height, width) * rng.uniform(0.0015, 0.005)
    red = cv2.GaussianBlur(layer, (0, 0), sigma).astype(np.float32) / 255
    red *= rng.uniform(0.5, 1.2)
    lab[..., 0] -= 7 * red
    lab[..., 1] += 11 * red
    lab[..., 2] += 1.5 * red


def _add_spots(lab: np.ndarray, rng: np.random.Generator) -> None:
    """Scatter freckles and pale lentigines, also below the lesion to come."""
    shape = lab.shape[:2]
    field = smooth_noise(rng, shape, rng.uniform(0.05, 0.13), octaves=4, persistence=0.55)
    threshold = rng.uniform(1.1, 1.9)
    spots = smoothstep(field, threshold, threshold + 2.2) * rng.uniform(0.3, 1.1)
    lab += spots[..., None] * np.array([-12.0, 6.0, 10.0], np.float32)
