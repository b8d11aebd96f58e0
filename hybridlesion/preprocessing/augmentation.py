"""Random augmentations of dermoscopic images."""

from __future__ import annotations

import numpy as np

from hybridlesion._optional_imports import cv2


def random_affine(
    aspect: float,
    side: int,
    size: int,
    rng: np.random.Generator,
    *,
    turned: float = 0.7,
    stretched: float = 0.08,
) -> np.ndarray:
    """Draw a random flip, rotation, stretch, scale and shift, rotating in the true aspect ratio.

    Parameters
    ----------
    aspect : float
        Width over height of the photograph before it was squashed to a square.
    side : int
        Side of the square picture, in pixels.
    size : int
        Side of the square view, in pixels.
    rng : Generator
        Source of randomness.
    turned : float, default=0.7
        Share of the views that are rotated at all, since rotation blurs.
    stretched : float, default=0.08
        Largest logarithm of the stretch.

    Returns
    -------
    ndarray of shape (2, 3), float
        Affine map for ``cv2.warpAffine`` from picture to view. Turned by any angle, stretched,
        scaled by ``exp(-0.25)`` to ``exp(0.25)``, shifted by up to 8 % of the side.
    """
    angle = rng.uniform(-np.pi, np.pi) if rng.random() < turned else 0.0
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    flip = np.diag(rng.choice([-1.0, 1.0], 2))
    stretch = np.diag([np.exp(rng.uniform(-stretched, stretched)), 1.0])
    scale = np.exp(rng.uniform(-0.25, 0.25)) * size / side
    wide = np.diag([aspect, 1.0])
    linear = scale * np.linalg.inv(wide) @ turn @ stretch @ flip @ wide
    centre = np.full(2, (side - 1) / 2)
    shift = np.full(2, (size - 1) / 2) + rng.uniform(-0.08, 0.08, 2) * size - linear @ centre
    return np.column_stack([linear, shift])


def draw_hair(image: np.ndarray, rng: np.random.Generator) -> None:
    """Draw 2 to 13 curved hairs, dark or light, one or two pixels wide.

    Parameters
    ----------
    image : ndarray of shape (S, S, 3), uint8
        RGB image; changed in place.
    rng : Generator
        Source of randomness.
    """
    side = len(image)
    steps = np.linspace(0, 1, 24)
    for _ in range(rng.integers(2, 14)):
        length = rng.uniform(0.2, 0.8) * side
        angles = rng.uniform(0, 2 * np.pi) + rng.normal(0, 0.015) * length * steps
        moves = np.column_stack([np.cos(angles), np.sin(angles)]) * length / len(steps)
        points = np.round((np.cumsum(moves, 0) + rng.uniform(0, side, 2)) * 8).astype(np.int32)
        shade = int(rng.choice([20, 40, 60, 200]))
        color = (shade + int(rng.integers(0, 25)), shade, shade)
        width = 1 if rng.random() < 0.7 else 2
        cv2.polylines(image, [points], False, color, width, cv2.LINE_AA, 3)


def darken_corners(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Darken the image outside a circle, as a dermatoscope's tube does.

    Parameters
    ----------
    image : ndarray of shape (S, S, 3), uint8
        RGB image.
    rng : Generator
        Source of randomness: radius 0.5 to 0.72 of the side, edge 1 to 6 pixels soft.

    Returns
    -------
    ndarray of shape (S, S, 3), uint8
        A copy.
    """
    side = len(image)
    rows, columns = np.mgrid[:side, :side]
    middle = side / 2 + rng.normal(0, 6, 2)
    distance = np.hypot(rows - middle[0], columns - middle[1])
    radius, softness = rng.uniform(0.5, 0.72) * side, rng.uniform(1, 6)
    share = 1 / (1 + np.exp(np.clip((distance - radius) / softness, -30, 30)))[..., None]
    return (image * share + rng.uniform(0, 25) * (1 - share)).astype(np.uint8)


def change_light(image: np.ndarray, rng: np.random.Generator, strength: float = 1.0) -> np.ndarray:
    """Change the light's colour and strength, the saturation and the contrast.

    Parameters
    ----------
    image : ndarray of shape (S, S, 3), uint8
        RGB image.
    rng : Generator
        Source of randomness. Log-normal factors with deviations of 8 % for each channel, 12 % for
        brightness, 25 % for saturation and 18 % for contrast.
    strength : float, default=1.0
        Factor of these deviations.

    Returns
    -------
    ndarray of shape (S, S, 3), float32
        0 to 255.
    """
    light = image.astype(np.float32)
    channels, brightness = rng.normal(0, 0.08 * strength, 3), rng.normal(0, 0.12 * strength)
    light *= np.exp(channels + brightness).astype(np.float32)
    grey = light.mean(2, keepdims=True)
    light = grey + (light - grey) * np.float32(np.exp(rng.normal(0, 0.25 * strength)))
    mean = light.mean()
    contrast = np.float32(np.exp(rng.normal(0, 0.18 * strength)))
    return np.clip(mean + (light - mean) * contrast, 0, 255)


def blur(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Blur the image slightly.

    Parameters
    ----------
    image : ndarray of shape (S, S, 3), uint8
        RGB image.
    rng : Generator
        Source of randomness: sigma of 0.4 to 1.4 pixels.

    Returns
    -------
    ndarray of shape (S, S, 3), uint8
        A copy.
    """
    return cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.4, 1.4)))


def blot_out(image: np.ndarray, rng: np.random.Generator) -> None:
    """Cover one rectangle with the image's mean colour (cut-out).

    Parameters
    ----------
    image : ndarray of shape (S, S, 3), uint8
        RGB image; changed in place.
    rng : Generator
        Source of randomness: sides of 15 to 40 % of the image's.

    References
    ----------
    DeVries and Taylor 2017, arXiv:1708.04552.
    """
    side = len(image)
    height, width = (rng.uniform(0.15, 0.4, 2) * side).astype(int)
    top, left = int(rng.integers(0, side - height)), int(rng.integers(0, side - width))
    image[top : top + height, left : left + width] = image.reshape(-1, 3).mean(axis=0)
