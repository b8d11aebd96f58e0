"""Bytes of one image file to an RGB array, with the limits and refusals that protect a run."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import numpy as np
from PIL.ImageFile import ImageFile

from hybridlesion._validation import check_number
from hybridlesion.exceptions import ImageError
from hybridlesion.images._formats import HEAD_LENGTH, ImageFormat, identify_format
from hybridlesion.images._jpeg import JpegFile, ends_early, scale_divisor
from hybridlesion.images._orientation import apply_orientation, exif_orientation
from hybridlesion.images._pixels import rgb_array
from hybridlesion.images._silence import silenced

__all__ = ["MAX_PIXELS", "decode_image", "shown_size"]

MAX_PIXELS = 200_000_000

# Tags of TIFF 6.0.
_TIFF_WIDTH, _TIFF_HEIGHT, _TIFF_ORIENTATION = 256, 257, 274


def decode_image(
    data: bytes,
    *,
    long_side: int | None = None,
    max_pixels: int = MAX_PIXELS,
    background: int = 255,
) -> np.ndarray:
    """Decode the bytes of an image file.

    Parameters
    ----------
    data : bytes
        A whole JPEG, PNG, BMP, TIFF, GIF or WebP file.
    long_side : int, default=None
        Pixels that are needed on the longer side. A JPEG is decoded at the smallest of 1, 1/2,
        1/4 and 1/8 of its size that still has them, in a fraction of the time and memory; other
        formats always come whole. None needs all.
    max_pixels : int, default=200_000_000
        A file whose header announces more is refused before anything is decoded.
    background : int, default=255
        Grey level, 0 to 255, that shows through where the image is transparent. White, as
        most programs show it: a transparent corner is then brighter than skin, and is not taken
        for a dark lesion.

    Returns
    -------
    ndarray of shape (H, W, 3), uint8
        RGB image as it is to be shown, EXIF orientation applied. Of an animation the first
        frame, of 16 bits the upper range; colour profiles are not applied.

    Raises
    ------
    ImageError
        If the bytes are no image, are truncated or damaged, or exceed `max_pixels`.

    Notes
    -----
    Any shape is accepted, 1 x 100000 too. Pillow decodes, not OpenCV, although OpenCV is
    somewhat quicker (``benchmarks/decode.py`` prints both): OpenCV's codecs write warnings to
    the process's standard error, which no setting stops, and pass a JPEG whose data ends early.

    Examples
    --------
    >>> import io, PIL.Image
    >>> file = io.BytesIO()
    >>> PIL.Image.new("RGB", (4000, 3000)).save(file, "JPEG")
    >>> decode_image(file.getvalue(), long_side=512).shape
    (750, 1000, 3)
    """
    if long_side is not None:
        check_number("long_side", long_side, low=1, integer=True)
    check_number("max_pixels", max_pixels, low=1)
    with _opened(io.BytesIO(data)) as (header, image_format):
        _check_size(header, max_pixels)
        # Pillow applies a TIFF's orientation itself.
        orientation = 1 if image_format.name == "TIFF" else exif_orientation(_exif(header))
        _check_end(data, header, image_format)
        _load(data, header, long_side)
        pixels = rgb_array(header, background=background)
    return apply_orientation(pixels, orientation)


def shown_size(stream: BinaryIO) -> tuple[int, int]:
    """Read height and width from the header of an image file.

    Parameters
    ----------
    stream : binary file
        Seekable, at its start; only the header is read.

    Returns
    -------
    tuple of int
        (height, width) in pixels as `decode_image` would give them at full size.

    Raises
    ------
    ImageError
        If the bytes are no image or the header is damaged.
    """
    with _opened(stream) as (header, image_format):
        if image_format.name == "TIFF":
            # Some versions of Pillow have turned a TIFF's size here already, others have not.
            width, height = header.tag_v2[_TIFF_WIDTH], header.tag_v2[_TIFF_HEIGHT]
            orientation = header.tag_v2.get(_TIFF_ORIENTATION, 1)
        else:
            width, height = header.size
            orientation = exif_orientation(_exif(header))
    return (width, height) if orientation in (5, 6, 7, 8) else (height, width)


@contextmanager
def _opened(stream: BinaryIO) -> Iterator[tuple[ImageFile, ImageFormat]]:
    """Parse a header; whatever goes wrong in there or in the block becomes an ImageError."""
    image_format = identify_format(stream.read(HEAD_LENGTH))
    stream.seek(0)
    try:
        with silenced(image_format.name):
            yield image_format.reader(stream), image_format
    except (ImageError, MemoryError):
        raise
    # Damaged files bring forth nearly every exception in Pillow's parsers: OSError, SyntaxError,
    # struct.error, ZeroDivisionError and more, depending on the format and the version.
    except Exception as error:
        raise ImageError(f"damaged {image_format.name} file: {error}") from error


def _check_size(header: ImageFile, max_pixels: int) -> None:
    width, height = header.size
    if width * height > max_pixels:
        raise ImageError(
            f"{width} x {height} is {width * height / 1e6:,.1f} megapixels, above the limit of "
            f"{max_pixels / 1e6:,.1f}. Shrink the file, or raise max_pixels if you trust it."
        )


def _check_end(data: bytes, header: ImageFile, image_format: ImageFormat) -> None:
    """Refuse a file without its end mark.

    Pillow refuses most of them too, unless the caller's program has set the widespread
    ``ImageFile.LOAD_TRUNCATED_IMAGES``; this answer does not depend on a global setting.
    """
    # Behind the header, since a thumbnail in the header has an end mark of its own.
    if image_format.end and data.rfind(image_format.end, header.fp.tell()) < 0:
        raise ImageError(
            f"truncated {image_format.name} file: its {len(data):,} bytes have no end mark. "
            "Fetch it again."
        )


def _load(data: bytes, header: ImageFile, long_side: int | None) -> None:
    if not isinstance(header, JpegFile):
        header.load()
        return
    divisor = scale_divisor(max(header.size), long_side)
    header.set_divisor(divisor)
    header.load()
    if ends_early(data, header, divisor):
        raise ImageError(
            "truncated JPEG file: its picture data ends before the last block. Fetch it again."
        )


def _exif(header: ImageFile) -> bytes | None:
    exif = header.info.get("exif")
    return exif if isinstance(exif, bytes) else None
