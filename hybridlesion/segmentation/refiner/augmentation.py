"""Random views of a dermoscopic image, its true mask and the classical evidence, seeded."""

from __future__ import annotations

import numpy as np

from hybridlesion._opencv import cv2
from hybridlesion.segmentation.refiner.evidence import encode_evidence, encode_image
from hybridlesion.segmentation.refiner.sample import Sample

__all__ = ["augment"]

# Share of views in which the lesion fills or leaves the frame, where there is such a view.
_CLOSE_UPS = 0.15


def augment(
    sample: Sample, size: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw one random view.

    Parameters
    ----------
    sample : Sample
        Image, masks and likelihood.
    size : int
        Side of the view.
    rng : Generator
        Source of randomness.

    Returns
    -------
    image : ndarray of shape (size, size, 3), float32
        Normalised.
    evidence : ndarray of shape (size, size, 3), float32
        Encoded, corrupted now and then.
    mask : ndarray of shape (size, size), float32
        Truth in 0 to 1.
    """
    if sample.close_up is not None and rng.random() < _CLOSE_UPS:
        sample = sample.close_up
    matrix = _random_affine(sample.aspect, len(sample.mask), size, rng)

    def view(array: np.ndarray) -> np.ndarray:
        return cv2.warpAffine(
            array, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
        )

    image = view(sample.image)
    if rng.random() < 0.25:
        _draw_hair(image, rng)
    if rng.random() < 0.12:
        image = _darken_corners(image, rng)
    classical, likelihood = _corrupt(view(sample.classical), view(sample.likelihood), rng)
    return (
        encode_image(_change_light(image, rng)),
        encode_evidence(classical, likelihood),
        view(sample.mask).astype(np.float32) / 255,
    )


def _random_affine(aspect: float, side: int, size: int, rng: np.random.Generator) -> np.ndarray:
    """Flip, turn, stretch, scale and shift; turned in the true aspect, then squashed again."""
    angle = rng.uniform(-np.pi, np.pi) if rng.random() < 0.7 else 0.0
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    flip = np.diag(rng.choice([-1.0, 1.0], 2))
    stretch = np.diag([np.exp(rng.uniform(-0.08, 0.08)), 1.0])
    scale = np.exp(rng.uniform(-0.25, 0.25)) * size / side
    wide = np.diag([aspect, 1.0])
    linear = scale * np.linalg.inv(wide) @ turn @ stretch @ flip @ wide
    centre = np.full(2, (side - 1) / 2)
    shift = np.full(2, (size - 1) / 2) + rng.uniform(-0.08, 0.08, 2) * size - linear @ centre
    return np.column_stack([linear, shift])


def _draw_hair(image: np.ndarray, rng: np.random.Generator) -> None:
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


def _darken_corners(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    side = len(image)
    rows, columns = np.mgrid[:side, :side]
    middle = side / 2 + rng.normal(0, 6, 2)
    distance = np.hypot(rows - middle[0], columns - middle[1])
    radius, softness = rng.uniform(0.5, 0.72) * side, rng.uniform(1, 6)
    share = 1 / (1 + np.exp(np.clip((distance - radius) / softness, -30, 30)))[..., None]
    return (image * share + rng.uniform(0, 25) * (1 - share)).astype(np.uint8)


def _change_light(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    light = image.astype(np.float32)
    light *= np.exp(rng.normal(0, 0.08, 3) + rng.normal(0, 0.12)).astype(np.float32)
    grey = light.mean(2, keepdims=True)
    light = grey + (light - grey) * np.float32(np.exp(rng.normal(0, 0.25)))
    mean = light.mean()
    return np.clip(mean + (light - mean) * np.float32(np.exp(rng.normal(0, 0.18))), 0, 255)


def _corrupt(
    classical: np.ndarray, likelihood: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Spoil the evidence in some views, so that the network does not lean on it blindly."""
    fate = rng.random()
    if fate < 0.08:
        return np.zeros_like(classical), np.full_like(likelihood, 128)
    if fate < 0.30:
        width = 2 * int(rng.integers(1, 8)) + 1
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
        change = cv2.dilate if rng.random() < 0.5 else cv2.erode
        classical = change(classical, kernel)
    if 0.25 < fate < 0.40:
        shift = rng.normal(0, 0.04, 2) * len(classical)
        matrix = np.column_stack([np.eye(2), shift])
        classical = cv2.warpAffine(classical, matrix, classical.shape[::-1])
    return classical, likelihood
