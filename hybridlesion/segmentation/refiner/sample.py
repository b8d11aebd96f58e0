"""One image to train on, as the network will see it."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hybridlesion._opencv import cv2
from hybridlesion.exceptions import ImageError
from hybridlesion.images import read_image, read_mask, resize_long_side
from hybridlesion.segmentation._classical import segment_classical
from hybridlesion.segmentation.refiner.close_up import Window, close_window
from hybridlesion.segmentation.refiner.evidence import squash

__all__ = ["Sample", "read_sample", "read_unsquashed"]

# Scale at which the classical path sees an image; it works on less inside.
_LONG_SIDE = 512

# Aspects that differ by less than this share are the same but for rounding.
_SAME_ASPECT = 0.02


@dataclass(frozen=True)
class Sample:
    """One training image, squashed to a square.

    Parameters
    ----------
    image : ndarray of shape (S, S, 3), uint8
        RGB image.
    mask : ndarray of shape (S, S), uint8
        True mask, 0 to 255.
    classical : ndarray of shape (S, S), uint8
        Classical mask, 0 to 255.
    likelihood : ndarray of shape (S, S), uint8
        Lesion likelihood of the classical path, 0 to 255.
    aspect : float
        Width over height of the image before it was squashed.
    close_up : Sample, optional
        The same lesion seen so closely that it fills or leaves the frame, with the classical
        evidence of that view; None where the photograph itself is as close.
    """

    image: np.ndarray
    mask: np.ndarray
    classical: np.ndarray
    likelihood: np.ndarray
    aspect: float
    close_up: Sample | None = None


def read_sample(
    path: str | os.PathLike,
    mask_path: str | os.PathLike,
    *,
    side: int = 256,
    aspect: float | None = None,
) -> Sample:
    """Read an image and its mask, and gather the classical evidence.

    Parameters
    ----------
    path : str or path-like
        Image, as `hybridlesion.images.list_images` names it.
    mask_path : str or path-like
        Its true mask, of any size.
    side : int, default=256
        Side of the square that is kept, in pixels.
    aspect : float, default=None
        Width over height of the photograph where the file was squashed; None takes the file's.

    Returns
    -------
    Sample
        Image, masks and likelihood.

    Raises
    ------
    ImageError
        If a file cannot be read, or the mask belongs to an image of another shape.
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
    near = None if window is None else _gather(_cut(image, window), _cut(mask, window), side)
    return replace(_gather(image, mask, side), close_up=near)


def _gather(image: np.ndarray, mask: np.ndarray, side: int) -> Sample:
    details = segment_classical(image)
    return Sample(
        image=squash(image, side),
        mask=squash(mask, side),
        classical=squash(details.mask, side),
        likelihood=np.round(255 * squash(details.likelihood, side)).astype(np.uint8),
        aspect=image.shape[1] / image.shape[0],
    )


def _cut(array: np.ndarray, window: Window) -> np.ndarray:
    height, width = array.shape[:2]
    top, bottom, left, right = window
    rows = slice(round(top * height), round(bottom * height))
    return np.ascontiguousarray(array[rows, round(left * width) : round(right * width)])


def read_unsquashed(path: str | os.PathLike, aspect: float | None = None) -> np.ndarray:
    """Read an image at analysis scale, stretched back to the shape of the photograph.

    Parameters
    ----------
    path : str or path-like
        Image.
    aspect : float, default=None
        Width over height of the photograph; None leaves the file's shape.

    Returns
    -------
    ndarray of shape (H, W, 3), uint8
        RGB image with a long side of at most 512 pixels, or what stretching makes of it.
    """
    image = resize_long_side(read_image(path, long_side=_LONG_SIDE), _LONG_SIDE)
    height, width = image.shape[:2]
    if aspect is None or abs(np.log(aspect * height / width)) < _SAME_ASPECT:
        return image
    # The squeezed side is stretched, so that no pixel is lost.
    size = (
        (round(height * aspect), height)
        if aspect * height > width
        else (width, round(width / aspect))
    )
    return cv2.resize(image, size, interpolation=cv2.INTER_CUBIC)
