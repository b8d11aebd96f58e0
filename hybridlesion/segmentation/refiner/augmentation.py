"""Random views of a dermoscopic image, its true mask and the classical evidence, seeded."""

from __future__ import annotations

import numpy as np

from hybridlesion._opencv import cv2
from hybridlesion.augmentation import change_light, darken_corners, draw_hair, random_affine
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
    matrix = random_affine(sample.aspect, len(sample.mask), size, rng)

    def view(array: np.ndarray) -> np.ndarray:
        return cv2.warpAffine(
            array, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
        )

    image = view(sample.image)
    if rng.random() < 0.25:
        draw_hair(image, rng)
    if rng.random() < 0.12:
        image = darken_corners(image, rng)
    classical, likelihood = _corrupt(view(sample.classical), view(sample.likelihood), rng)
    return (
        encode_image(change_light(image, rng)),
        encode_evidence(classical, likelihood),
        view(sample.mask).astype(np.float32) / 255,
    )


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
