"""Reading and writing of images and masks."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from hybridlesion._atomic import atomic_path
from hybridlesion._optional_imports import cv2
from hybridlesion._validation import check_image, check_mask, check_number
from hybridlesion.exceptions import ImageError
from hybridlesion.io._containers import hdf5_value, open_zip_member
from hybridlesion.io._decoding import MAX_PIXELS, decode_image, shown_size
from hybridlesion.io._formats import HEAD_LENGTH, identify_format
from hybridlesion.io._locators import open_address, split_locator

# No image of 200 megapixels is larger, but a malicious archive could unpack to any size.
_MAX_BYTES = 2 << 30


def read_bytes(path: str | os.PathLike) -> bytes:
    """Read the whole file at a path or locator if its first bytes are those of an image.

    Parameters
    ----------
    path : str or path-like
        Path or locator, as returned by `list_images`.

    Returns
    -------
    bytes
        Content of the file.

    Raises
    ------
    ImageError
        If its first bytes are not those of an image, or it is larger than 2 GiB or not in its
        archive.
    OSError
        If the file or its archive cannot be opened.
    """
    locator = split_locator(path)
    if locator.scheme == "hdf5":
        return hdf5_value(locator.container, locator.inner)
    with _open(path) as stream:
        head = stream.read(HEAD_LENGTH)
        # Checked before reading the rest, which may be a video of 4 GB.
        identify_format(head)
        data = head + stream.read(_MAX_BYTES)
    if len(data) > _MAX_BYTES:
        raise ImageError(f"the file is larger than {_MAX_BYTES >> 30} GiB.")
    return data


def read_head(path: str | os.PathLike) -> bytes:
    """Read the first bytes of a file other than an HDF5 value.

    Parameters
    ----------
    path : str or path-like
        Path or locator.

    Returns
    -------
    bytes
        At most `HEAD_LENGTH` bytes.

    Raises
    ------
    ImageError
        If it is not in its archive.
    OSError
        If the file or its archive cannot be opened.
    """
    with _open(path) as stream:
        return stream.read(HEAD_LENGTH)


def _open(path: str | os.PathLike) -> AbstractContextManager[BinaryIO]:
    locator = split_locator(path)
    if locator.scheme == "zip":
        return open_zip_member(locator.container, locator.inner)
    if locator.scheme == "fsspec":
        return open_address(os.fspath(path))
    return open(locator.inner, "rb")


def read_image(
    path: str | os.PathLike, *, long_side: int | None = None, max_pixels: int = MAX_PIXELS
) -> np.ndarray:
    """Read an image from a file, an archive or an address.

    Parameters
    ----------
    path : str or path-like
        Path or locator, as returned by `list_images`.
    long_side : int, default=None
        Pixels needed on the longer side; see `decode_image`. The image is not resized further.
    max_pixels : int, default=200_000_000
        Largest number of pixels; the header is checked before decoding.

    Returns
    -------
    ndarray of shape (H, W, 3), uint8
        RGB image, with the EXIF orientation applied.

    Raises
    ------
    ImageError
        If there is no such file, or it is not an image, truncated, damaged or too large; the
        message begins with `path`.

    See Also
    --------
    decode_image : The same for bytes; describes how each kind of file is handled.
    """
    with _named(path):
        return decode_image(read_bytes(path), long_side=long_side, max_pixels=max_pixels)


def image_size(path: str | os.PathLike) -> tuple[int, int]:
    """Read the size of an image from its header.

    Parameters
    ----------
    path : str or path-like
        Path or locator, as returned by `list_images`. Only the header of a plain file is read.

    Returns
    -------
    tuple of int
        (height, width) in pixels, with the EXIF orientation applied.

    Raises
    ------
    ImageError
        If there is no such file, it is not an image, or its header is damaged.
    """
    with _named(path):
        local = split_locator(path).scheme == "file"
        with _open(path) if local else io.BytesIO(read_bytes(path)) as stream:
            return shown_size(stream)


def read_mask(path: str | os.PathLike) -> np.ndarray:
    """Read a mask by the rule of the ISIC challenges: pixels above 128 are inside.

    Parameters
    ----------
    path : str or path-like
        Path or locator of an 8-bit mask with 0 and 255, in any accepted image format.

    Returns
    -------
    ndarray of shape (H, W), bool
        True inside the lesion. Colours are converted to luma; transparent pixels are outside.

    Raises
    ------
    ImageError
        If the file cannot be read, or contains only 0 and 1, which the rule would read as empty.
    """
    with _named(path):
        image = decode_image(read_bytes(path), background=0)
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        if grey.max() == 1:
            raise ImageError(
                "the mask has only 0 and 1, but inside must be above 128. Write it as 0 and 255."
            )
        return grey > 128


@contextmanager
def _named(path: str | os.PathLike) -> Iterator[None]:
    """Prefix errors about an image with its locator."""
    try:
        yield
    except (ImageError, OSError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ImageError(f"{os.fspath(path)}: {reason}") from error


def resize_long_side(image: np.ndarray, long_side: int) -> np.ndarray:
    """Shrink an image until its longer side has `long_side` pixels.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB image.
    long_side : int
        Pixels on the longer side, at least 1.

    Returns
    -------
    ndarray of shape (h, w, 3), uint8
        Shrunk image, each pixel of which is the mean of the area that it replaces. An image that
        is already small enough is returned unchanged, never enlarged.

    Notes
    -----
    The shorter side is rounded to the nearest pixel and never below 1, so that a strip of
    1 x 100000 becomes one of 1 x `long_side`.

    Examples
    --------
    >>> resize_long_side(np.zeros((300, 400, 3), np.uint8), 200).shape
    (150, 200, 3)
    """
    image = check_image(image)
    check_number("long_side", long_side, low=1, integer=True)
    height, width = image.shape[:2]
    scale = long_side / max(height, width)
    if scale >= 1:
        return image
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


_LOSSLESS = (".png", ".bmp", ".tif", ".tiff")
_LOSSY = (".jpg", ".jpeg", ".webp")


def write_mask(path: str | os.PathLike, mask: np.ndarray) -> None:
    """Write a mask as an 8-bit file with 0 outside and 255 inside.

    Parameters
    ----------
    path : str or path-like
        Name ending in ``.png``, ``.bmp``, ``.tif`` or ``.tiff``; lossy formats would blur the
        outline. The folder is created if it is missing.
    mask : ndarray of shape (H, W), bool
        True inside the lesion.

    Raises
    ------
    ImageError
        If the mask is invalid, or the name ends in another suffix.
    SourceError
        If the file cannot be written.
    """
    _write(path, check_mask(mask).astype(np.uint8) * 255, _LOSSLESS)


def write_image(path: str | os.PathLike, image: np.ndarray, *, quality: int = 95) -> None:
    """Write an RGB image in the format of its suffix.

    Parameters
    ----------
    path : str or path-like
        Name ending in ``.png``, ``.bmp``, ``.tif``, ``.tiff`` (all without loss), ``.jpg``,
        ``.jpeg`` or ``.webp``. The folder is created if it is missing.
    image : ndarray of shape (H, W, 3), uint8
        RGB image.
    quality : int, default=95
        Quality of a JPEG or WebP file, 1 to 100.

    Raises
    ------
    ImageError
        If the image is invalid, or the name ends in another suffix.
    SourceError
        If the file cannot be written.
    """
    pixels = cv2.cvtColor(check_image(image), cv2.COLOR_RGB2BGR)
    _write(path, pixels, (*_LOSSLESS, *_LOSSY), quality)


def _write(
    path: str | os.PathLike, pixels: np.ndarray, allowed: tuple[str, ...], quality: int = 95
) -> None:
    suffix = Path(path).suffix.lower()
    if suffix not in allowed:
        raise ImageError(
            f"{os.fspath(path)}: the name must end in one of {', '.join(allowed)}, got {suffix!r}."
        )
    flag = cv2.IMWRITE_WEBP_QUALITY if suffix == ".webp" else cv2.IMWRITE_JPEG_QUALITY
    # Encoded in memory, since cv2.imwrite fails silently, and on non-ASCII names.
    done, encoded = cv2.imencode(suffix, pixels, [flag, quality] if suffix in _LOSSY else [])
    if not done:
        raise ImageError(f"{os.fspath(path)}: OpenCV could not encode {pixels.shape} pixels.")
    with atomic_path(path) as temporary:
        temporary.write_bytes(encoded.tobytes())
