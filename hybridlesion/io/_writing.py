"""Atomic writing of images and masks."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from hybridlesion._atomic import atomic_path
from hybridlesion._optional_imports import cv2
from hybridlesion._validation import check_image, check_mask
from hybridlesion.exceptions import ImageError

__all__ = ["write_image", "write_mask"]

_LOSSLESS = (".png", ".bmp", ".tif", ".tiff")
_LOSSY = (".jpg", ".jpeg", ".webp")
_JPEG_QUALITY = 95


def write_mask(path: str | os.PathLike, mask: np.ndarray) -> None:
    """Write a mask as an 8-bit file with 0 outside and 255 inside.

    Parameters
    ----------
    path : str or path-like
        Name ending in ``.png``, ``.bmp``, ``.tif`` or ``.tiff``; lossy formats would blur the
        outline. Its folder is made if it is missing.
    mask : ndarray of shape (H, W), bool
        True inside the lesion.

    Raises
    ------
    ImageError
        If the mask is none, or the name ends in another suffix.
    SourceError
        If the file cannot be written.
    """
    suffix = _check_suffix(path, _LOSSLESS)
    _write(path, suffix, check_mask(mask).astype(np.uint8) * 255)


def write_image(path: str | os.PathLike, image: np.ndarray) -> None:
    """Write an RGB image in the format that the name asks for.

    Parameters
    ----------
    path : str or path-like
        Name ending in ``.png``, ``.bmp``, ``.tif``, ``.tiff`` (all without loss), ``.jpg``,
        ``.jpeg`` or ``.webp`` (quality 95). Its folder is made if it is missing.
    image : ndarray of shape (H, W, 3), uint8
        RGB image.

    Raises
    ------
    ImageError
        If the image is none, or the name ends in another suffix.
    SourceError
        If the file cannot be written.
    """
    suffix = _check_suffix(path, _LOSSLESS + _LOSSY)
    _write(path, suffix, cv2.cvtColor(check_image(image), cv2.COLOR_RGB2BGR))


def _check_suffix(path: str | os.PathLike, allowed: tuple[str, ...]) -> str:
    suffix = Path(path).suffix.lower()
    if suffix not in allowed:
        raise ImageError(
            f"{os.fspath(path)}: the name must end in one of {', '.join(allowed)}, got {suffix!r}."
        )
    return suffix


def _write(path: str | os.PathLike, suffix: str, pixels: np.ndarray) -> None:
    parameters = {
        ".jpg": [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY],
        ".jpeg": [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY],
        ".webp": [cv2.IMWRITE_WEBP_QUALITY, _JPEG_QUALITY],
    }
    # Encoded in memory: cv2.imwrite fails silently and on names beyond ASCII.
    done, encoded = cv2.imencode(suffix, pixels, parameters.get(suffix, []))
    if not done:
        raise ImageError(f"{os.fspath(path)}: OpenCV could not encode {pixels.shape} pixels.")
    with atomic_path(path) as temporary:
        temporary.write_bytes(encoded.tobytes())
