"""Training samples of the refiner: reading, encoding and augmentation."""

from __future__ import annotations

import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hybridlesion._optional_imports import cv2
from hybridlesion.exceptions import ImageError
from hybridlesion.io import read_image, read_mask, resize_long_side
from hybridlesion.preprocessing.augmentation import (
    change_light,
    darken_corners,
    degrade,
    draw_hair,
    random_affine,
)
from hybridlesion.segmentation._classical import Segmentation, segment_classical

# Dermoscopic structures outlined by experts for ISIC 2018, task 2.
STRUCTURES = ("pigment_network", "negative_network", "streaks", "globules", "milia_like_cyst")

# Top, bottom, left and right, as shares of height and width.
Window = tuple[float, float, float, float]

# Area of the lesion relative to the window; above 1, the lesion extends beyond the window.
_FILL = (0.6, 1.5)

# Side of the window relative to the photograph; smaller windows have too few pixels, larger ones
# hardly differ from the photograph.
_SIDES = (0.3, 0.85)


def close_window(mask: np.ndarray, name: str) -> Window | None:
    """Choose a window that the lesion fills, with the aspect ratio of the photograph.

    Parameters
    ----------
    mask : ndarray of shape (H, W), bool
        Ground-truth mask.
    name : str
        Name of the image, used as seed so that the window is the same in every run.

    Returns
    -------
    tuple of four float or None
        Top, bottom, left and right as shares of height and width; None if the lesion is too small
        or already fills the frame.

    Notes
    -----
    The ratio of the areas of lesion and window is drawn from 0.6 to 1.5. The window is centred on
    the centroid of the lesion, with a random shift within the frame (standard deviation of a tenth
    of its sides).

    Examples
    --------
    >>> import numpy as np
    >>> mask = np.zeros((100, 100), bool); mask[30:70, 30:70] = True
    >>> top, bottom, left, right = close_window(mask, "ISIC_1")
    >>> bool(top > 0.1 and bottom < 0.9), round(bottom - top, 6) == round(right - left, 6)
    (True, True)
    >>> close_window(np.ones((100, 100), bool), "ISIC_1") is None
    True
    """
    share = np.count_nonzero(mask) / mask.size
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    side = float(np.sqrt(share / rng.uniform(*_FILL)))
    if share >= _FILL[0] or not _SIDES[0] <= side <= _SIDES[1]:
        return None
    centre = np.array([places.mean() for places in np.nonzero(mask)]) / mask.shape
    centre = np.clip(centre + rng.normal(0, 0.1 * side, 2), side / 2, 1 - side / 2)
    (top, left), (bottom, right) = (centre - side / 2).tolist(), (centre + side / 2).tolist()
    return top, bottom, left, right


# Mean and standard deviation of ImageNet, on which the encoder was pretrained.
_MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32) * 255
_STD = np.array([0.229, 0.224, 0.225], dtype=np.float32) * 255

# Distance from the boundary, as a share of the side, at which the signed distance is clipped.
_REACH = 0.25


def squash(array: np.ndarray, side: int) -> np.ndarray:
    """Resize to a square regardless of the aspect ratio.

    Parameters
    ----------
    array : ndarray of shape (H, W) or (H, W, 3), bool, uint8 or float32
        Image, mask or map; a mask is converted to grey values.
    side : int
        Side of the square, in pixels.

    Returns
    -------
    ndarray of shape (side, side) or (side, side, 3), uint8 or float32
        Area averages when downsampling; 0 to 255 for a mask.

    Examples
    --------
    >>> import numpy as np
    >>> squash(np.array([[True, False, False, False], [False] * 4]), 1)
    array([[32]], dtype=uint8)
    """
    if array.dtype == bool:
        array = array.astype(np.uint8) * 255
    shrinks = min(array.shape[:2]) >= side
    way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(array, (side, side), interpolation=way)


def encode_image(image: np.ndarray) -> np.ndarray:
    """Normalise an image for the ImageNet encoder.

    Parameters
    ----------
    image : ndarray of shape (S, S, 3), uint8 or float32 in 0 to 255
        RGB image.

    Returns
    -------
    ndarray of shape (S, S, 3), float32
        Zero mean and unit standard deviation over ImageNet.
    """
    # Rows of pixels, since NumPy is slow at short axes.
    rows = image.reshape(len(image), -1).astype(np.float32, copy=False)
    width = image.shape[1]
    return ((rows - np.tile(_MEAN, width)) / np.tile(_STD, width)).reshape(image.shape)


def encode_evidence(classical: np.ndarray, likelihood: np.ndarray) -> np.ndarray:
    """Stack mask, signed distance and likelihood into the input of the network.

    Parameters
    ----------
    classical : ndarray of shape (S, S), uint8
        Classical mask, 0 to 255.
    likelihood : ndarray of shape (S, S), uint8
        Lesion likelihood, 0 to 255.

    Returns
    -------
    ndarray of shape (S, S, 3), float32
        Values in -1 to 1; distances are clipped at a quarter of the side.
    """
    inside = (classical > 127).astype(np.uint8)
    reach = _REACH * len(classical)
    distance = cv2.distanceTransform(inside, cv2.DIST_L2, 3)
    distance -= cv2.distanceTransform(1 - inside, cv2.DIST_L2, 3)
    signed = np.clip(distance / reach, -1, 1)
    mask = 2 * inside.astype(np.float32) - 1
    return cv2.merge([mask, signed, likelihood.astype(np.float32) / 127.5 - 1])


def squash_evidence(details: Segmentation, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Resize a classical mask and its likelihood to squares.

    Parameters
    ----------
    details : Segmentation
        Classical segmentation.
    side : int
        Side of the squares, in pixels.

    Returns
    -------
    classical, likelihood : ndarray of shape (side, side), uint8
        Mask and likelihood, 0 to 255.
    """
    likelihood = np.round(255 * squash(details.likelihood, side)).astype(np.uint8)
    return squash(details.mask, side), likelihood


# Long side, in pixels, at which images are passed to the classical segmenter.
_LONG_SIDE = 512

# Relative difference up to which two aspect ratios are considered equal except for rounding.
_SAME_ASPECT = 0.02


@dataclass(frozen=True)
class Sample:
    """Training image, resized to a square.

    Parameters
    ----------
    image : ndarray of shape (S, S, 3), uint8
        RGB image.
    mask : ndarray of shape (S, S), uint8
        Ground-truth mask, 0 to 255.
    classical : ndarray of shape (S, S), uint8
        Classical mask, 0 to 255.
    likelihood : ndarray of shape (S, S), uint8
        Lesion likelihood of the classical segmenter, 0 to 255.
    aspect : float
        Width divided by height of the original image.
    structures : ndarray of shape (5, S, S), uint8, optional
        Masks of `STRUCTURES`, 0 to 255, of an image from an annotated set.
    annotated : tuple of bool, default=(False, False, False, False, False)
        Which of `STRUCTURES` have a mask. A missing mask does not mean that there is none.
    close_up : Sample, optional
        The same lesion cropped so that it fills or exceeds the frame, with the classical evidence
        of the crop; None if no crop is suitable.
    """

    image: np.ndarray
    mask: np.ndarray
    classical: np.ndarray
    likelihood: np.ndarray
    aspect: float
    structures: np.ndarray | None = None
    annotated: tuple[bool, ...] = (False,) * len(STRUCTURES)
    close_up: Sample | None = None


def read_sample(
    path: str | os.PathLike,
    mask_path: str | os.PathLike,
    *,
    side: int = 256,
    aspect: float | None = None,
    structures: Mapping[str, str] | None = None,
) -> Sample:
    """Read an image and its mask, and compute the classical evidence.

    Parameters
    ----------
    path : str or path-like
        Image, as listed by `hybridlesion.io.list_images`.
    mask_path : str or path-like
        Ground-truth mask of the image, of any size.
    side : int, default=256
        Side of the square in pixels.
    aspect : float, default=None
        Width divided by height of the original photograph, if it differs from that of the file. If
        None, that of the file is used.
    structures : mapping of str to str, default=None
        Masks of `STRUCTURES`, by name; empty for an image of an annotated set without any, None for
        other images.

    Returns
    -------
    Sample
        Image, masks and likelihood.

    Raises
    ------
    ImageError
        If a file cannot be read, or the aspect ratios of image and mask differ.
    """
    mask = read_mask(mask_path)
    image = read_unsquashed(path, aspect)
    shapes = {mask.shape[1] / mask.shape[0], image.shape[1] / image.shape[0]}
    if aspect is None and max(shapes) > (1 + _SAME_ASPECT) * min(shapes):
        raise ImageError(
            f"{os.fspath(mask_path)} has {mask.shape[0]}x{mask.shape[1]} pixels, which is not the "
            f"shape of its image, {image.shape[0]}x{image.shape[1]}."
        )
    window = close_window(mask, Path(path).stem)
    sample = _sample(image, mask, structures, side)
    if window is None:
        return sample
    return replace(sample, close_up=_sample(image, mask, structures, side, window))


def _sample(
    image: np.ndarray,
    mask: np.ndarray,
    structures: Mapping[str, str] | None,
    side: int,
    window: Window = (0.0, 1.0, 0.0, 1.0),
) -> Sample:
    image, mask = _cut(image, window), _cut(mask, window)
    evidence = squash_evidence(segment_classical(image, thresholds="otsu"), side)
    aspect = image.shape[1] / image.shape[0]
    sample = Sample(squash(image, side), squash(mask, side), *evidence, aspect)
    if structures is None:
        return sample
    planes = np.zeros((len(STRUCTURES), side, side), np.uint8)
    for plane, name in zip(planes, STRUCTURES, strict=True):
        if name in structures:
            plane[:] = squash(_cut(read_mask(structures[name]), window), side)
    annotated = tuple(name in structures for name in STRUCTURES)
    return replace(sample, structures=planes, annotated=annotated)


def _cut(array: np.ndarray, window: Window) -> np.ndarray:
    height, width = array.shape[:2]
    top, bottom, left, right = window
    rows = slice(round(top * height), round(bottom * height))
    return np.ascontiguousarray(array[rows, round(left * width) : round(right * width)])


def read_unsquashed(path: str | os.PathLike, aspect: float | None = None) -> np.ndarray:
    """Read an image at analysis scale and restore the aspect ratio of the photograph.

    Parameters
    ----------
    path : str or path-like
        Image.
    aspect : float, default=None
        Width divided by height of the photograph. If None, that of the file is used.

    Returns
    -------
    ndarray of shape (H, W, 3), uint8
        RGB image with a long side of at most 512 pixels before the aspect ratio is restored.
    """
    image = resize_long_side(read_image(path, long_side=_LONG_SIDE), _LONG_SIDE)
    height, width = image.shape[:2]
    if aspect is None or abs(np.log(aspect * height / width)) < _SAME_ASPECT:
        return image
    # Stretch the shorter side rather than shrink the longer one, to keep all pixels.
    size = (max(width, round(height * aspect)), max(height, round(width / aspect)))
    return cv2.resize(image, size, interpolation=cv2.INTER_CUBIC)


# Probability of training on the close-up of a sample, if it has one, and on a small copy of it.
_CLOSE_UPS = 0.15
_DISTANT = 0.06

# Weight of the absence of a structure within the lesion where an annotated set has no mask of it.
# Most such images lack the structure, but not all.
_UNKNOWN = 0.2


@dataclass(frozen=True)
class TrainingView:
    """Augmented sample, the input and the target of a training step.

    Parameters
    ----------
    image, evidence : ndarray of shape (S, S, 3), float32
        Normalised image and encoded evidence, with random errors.
    mask : ndarray of shape (S, S), float32
        Ground-truth mask, 0 to 1.
    structures, weights : ndarray of shape (S, S, 5), float32
        Masks of `STRUCTURES`, 0 to 1, and the weight of each of their pixels.
    """

    image: np.ndarray
    evidence: np.ndarray
    mask: np.ndarray
    structures: np.ndarray
    weights: np.ndarray


def augment(sample: Sample, size: int, rng: np.random.Generator) -> TrainingView:
    """Augment a sample randomly.

    Parameters
    ----------
    sample : Sample
        Image, masks and likelihood.
    size : int
        Side of the output in pixels.
    rng : Generator
        Source of randomness.

    Returns
    -------
    TrainingView
        Images and masks of the given size.
    """
    fate = rng.random()
    if sample.close_up is not None and fate < _CLOSE_UPS:
        sample = sample.close_up
    matrix = random_affine(sample.aspect, len(sample.mask), size, rng)
    border = {"borderMode": cv2.BORDER_REFLECT_101}
    skin = sample.mask < 128
    if fate > 1 - _DISTANT and skin.any():
        # A lesion far away, as in a clinical photograph, on skin of the same colour.
        scale = rng.uniform(0.2, 0.6)
        matrix = scale * matrix
        matrix[:, 2] += rng.uniform(0, 1 - scale, 2) * size
        colour = np.median(sample.image[skin], axis=0).tolist()
        border = {"borderMode": cv2.BORDER_CONSTANT, "borderValue": colour}

    def view(array: np.ndarray, **options: object) -> np.ndarray:
        return cv2.warpAffine(array, matrix, (size, size), **(border | options))

    image = view(sample.image)
    if rng.random() < 0.5:
        image = degrade(image, rng)
    if rng.random() < 0.25:
        draw_hair(image, rng)
    if rng.random() < 0.12:
        image = darken_corners(image, rng)
    black = {"borderValue": 0}
    evidence = _corrupt(view(sample.classical, **black), view(sample.likelihood, **black), rng)
    mask = view(sample.mask, **black)
    structures = np.zeros((size, size, len(STRUCTURES)), np.uint8)
    if sample.structures is not None:
        for index in np.flatnonzero(sample.annotated):
            structures[..., index] = view(sample.structures[index], **black)
    return TrainingView(
        encode_image(change_light(image, rng)),
        encode_evidence(*evidence),
        mask.astype(np.float32) / 255,
        structures.astype(np.float32) / 255,
        _weigh_structures(sample, mask),
    )


def plain_view(sample: Sample, size: int) -> TrainingView:
    """Resize a sample without augmentation.

    Parameters
    ----------
    sample : Sample
        Image, masks and likelihood.
    size : int
        Side of the output in pixels.

    Returns
    -------
    TrainingView
        Images and masks of the given size, without structures.
    """
    parts = (sample.image, sample.classical, sample.likelihood, sample.mask)
    image, classical, likelihood, mask = (squash(part, size) for part in parts)
    nothing = np.zeros((size, size, len(STRUCTURES)), np.float32)
    evidence = encode_evidence(classical, likelihood)
    return TrainingView(encode_image(image), evidence, mask / np.float32(255), nothing, nothing)


def _weigh_structures(sample: Sample, mask: np.ndarray) -> np.ndarray:
    """Weights of the absence or presence of structures, (S, S, 5); outside, there are none."""
    outside = cv2.dilate(mask, np.ones((9, 9), np.uint8)) < 128
    within = 0.0 if sample.structures is None else _UNKNOWN
    unknown = np.where(outside, 1.0, within).astype(np.float32)[..., None]
    return np.where(sample.annotated, np.float32(1), unknown)


def _corrupt(
    classical: np.ndarray, likelihood: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Add errors to the evidence, so that the network does not rely on it alone."""
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
