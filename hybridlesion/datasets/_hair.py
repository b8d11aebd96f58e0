"""Hairs: curved, tapering, dark or light, laid over a picture."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from hybridlesion._opencv import cv2

__all__ = ["draw_hair"]

_POINTS = 24
_LARGER = 2


def draw_hair(
    image: np.ndarray, amount: float, lightness: float, rng: np.random.Generator
) -> np.ndarray:
    """Lay hairs over a picture.

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
        The picture with hair.
    """
    long_side = max(image.shape[:2])
    count = 2 + int(rng.poisson(2 + 30 * amount**1.6))
    heading = rng.uniform(0, np.pi)
    spread = rng.uniform(0.15, 1.2)
    thickness = rng.uniform(0.0013, 0.0042) * (0.6 + 0.6 * amount)
    height, width = image.shape[:2]
    # Lines have whole widths, so they are drawn large and scaled down.
    cover = np.zeros((_LARGER * height, _LARGER * width), np.uint8)
    for _ in range(count):
        path = _hair_path((height, width), heading + rng.normal(0, spread), rng)
        breadth = thickness * np.exp(rng.normal(0, 0.25)) * long_side
        _draw_tapered(cover, path * _LARGER, breadth * _LARGER, strength=rng.uniform(0.65, 1.0))
    cover = cv2.resize(cover, (width, height), interpolation=cv2.INTER_AREA)
    cover = cv2.GaussianBlur(cover, (0, 0), max(0.0007 * long_side, 0.4))
    alpha = cover.astype(np.float32)[..., None] / 255
    # A soft shadow beside the hair lifts it from the skin.
    shift = np.float32([[1, 0, 0.004 * long_side], [0, 1, 0.003 * long_side]])
    shadow = cv2.warpAffine(cover, shift, (width, height))
    shadow = cv2.GaussianBlur(shadow, (0, 0), 0.004 * long_side).astype(np.float32)
    image = image * (1 - 0.22 / 255 * shadow[..., None])
    brown = np.array([0.95, 0.78, 0.62]) * lightness + np.array([0.05, 0.03, 0.02])
    return image + 0.9 * alpha * (brown.astype(np.float32) - image)


def _hair_path(shape: tuple[int, int], heading: float, rng: np.random.Generator) -> np.ndarray:
    """Points (x, y) of one hair, with a curvature that changes slowly along it."""
    height, width = shape
    length = max(shape) * rng.uniform(0.25, 1.1)
    bend = rng.normal(0, 0.55) + rng.normal(0, 0.5) * np.linspace(-1, 1, _POINTS)
    if rng.random() < 0.03:
        bend = bend + rng.choice([-1, 1]) * np.linspace(0.5, 1.0, _POINTS) * rng.uniform(2, 4)
    turn = heading + np.cumsum(bend) / _POINTS * 1.6
    steps = np.column_stack([np.cos(turn), np.sin(turn)]) * (length / _POINTS)
    path = np.cumsum(steps, axis=0)
    middle = rng.uniform((0, 0), (width, height))
    return path - path[_POINTS // 2] + middle


def _draw_tapered(cover: np.ndarray, path: np.ndarray, width: float, *, strength: float) -> None:
    """Draw a line that thins towards its tip; where pixels are too coarse, it fades."""
    fixed = np.round(path * 16).astype(np.int32)
    pieces = 12
    edges = np.linspace(0, len(path) - 1, pieces + 1).astype(int)
    for piece, (start, end) in enumerate(pairwise(edges)):
        # The root lies in the skin and shows less.
        local = width * (0.6 if piece == 0 else 1.0 - 0.65 * piece / pieces)
        thickness = max(1, round(local))
        level = int(255 * strength * min(local / thickness, 1.0))
        cv2.polylines(
            cover,
            [fixed[start : end + 1]],
            False,
            level,
            thickness,
            cv2.LINE_AA,
            4,
        )
