"""A locator to pixels."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from hybridlesion._opencv import cv2
from hybridlesion.exceptions import ImageError
from hybridlesion.images._bytes import read_bytes
from hybridlesion.images._decoding import MAX_PIXELS, decode_image, shown_size
from hybridlesion.images._locators import split_locator

__all__ = ["image_size", "read_image", "read_mask"]


def read_image(
    path: str | os.PathLike, *, long_side: int | None = None, max_pixels: int = MAX_PIXELS
) -> np.ndarray:
    """Read an image from a file, an archive or an address.

    Parameters
    ----------
    path : str or path-like
        Path or locator, as `list_images` gives it.
    long_side : int, default=None
        Pixels that are needed on the longer side; see `decode_image`. The image is not
        resized further.
    max_pixels : int, default=200_000_000
        Limit that the header is held against before decoding.

    Returns
    -------
    ndarray of shape (H, W, 3), uint8
        RGB image, EXIF orientation applied.

    Raises
    ------
    ImageError
        If there is no such file, or it is no image, truncated, damaged or too large; the message
        begins with `path`.

    See Also
    --------
    decode_image : The same for bytes, with what happens to each kind of file.
    """
    with _named(path):
        return decode_image(read_bytes(path), long_side=long_side, max_pixels=max_pixels)


def image_size(path: str | os.PathLike) -> tuple[int, int]:
    """Read the size of an image from its header.

    Parameters
    ----------
    path : str or path-like
        Path or locator, as `list_images` gives it. Of a plain file only the header is read.

    Returns
    -------
    tuple of int
        (height, width) in pixels, EXIF orientation applied.

    Raises
    ------
    ImageError
        If there is no such file, it is no image, or its header is damaged.
    """
    with _named(path):
        locator = split_locator(path)
        if locator.scheme == "file":
            with open(locator.inner, "rb") as stream:
                return shown_size(stream)
        return shown_size(io.BytesIO(read_bytes(path)))


def read_mask(path: str | os.PathLike) -> np.ndarray:
    """Read a mask by the rule of the ISIC challenges: inside is above 128.

    Parameters
    ----------
    path : str or path-like
        Path or locator of an 8-bit mask with 0 and 255, in any accepted image format.

    Returns
    -------
    ndarray of shape (H, W), bool
        True inside the lesion. Colours are judged by their luma, transparent pixels are outside.

    Raises
    ------
    ImageError
        If the file cannot be read, or holds 0 and 1 only, which the rule would read as empty.
    """
    with _named(path):
        image = decode_image(read_bytes(path), background=0)
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        if grey.max() == 1:
            raise ImageError(
                "the mask holds only 0 and 1, and inside is above 128. Write it as 0 and 255."
            )
        return grey > 128


@contextmanager
def _named(path: str | os.PathLike) -> Iterator[None]:
    """Put the locator in front of whatever goes wrong with one image."""
    try:
        yield
    except ImageError as error:
        raise ImageError(f"{os.fspath(path)}: {error}") from error
    except OSError as error:
        raise ImageError(f"{os.fspath(path)}: {error.strerror or error}") from error
