"""Decoding of image files to RGB arrays, with limits on size and damage."""

from __future__ import annotations

import io
import os
import struct
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import BinaryIO

import numpy as np
from PIL.Image import Image
from PIL.ImageFile import ImageFile
from PIL.TiffImagePlugin import TiffImageFile

from hybridlesion._validation import check_number
from hybridlesion.exceptions import ImageError, MissingDependencyError
from hybridlesion.io._formats import HEAD_LENGTH, ImageFormat, JpegFile, identify_format, load_jpeg

# Tags and a type of TIFF 6.0.
_WIDTH, _HEIGHT, _ORIENTATION, _SHORT = 256, 257, 274, 3


def exif_orientation(exif: object) -> int:
    """Read the orientation from an EXIF block.

    Pillow's own reader builds every tag and warns about damaged ones. Only one number is needed
    here, and a damaged block is treated as having none.

    Parameters
    ----------
    exif : bytes or object
        The block, with or without its leading ``Exif`` mark. Anything but bytes counts as none.

    Returns
    -------
    int
        1 to 8 as defined by TIFF 6.0; 1 (as stored) if the block contains no valid value.

    Examples
    --------
    >>> import PIL.Image
    >>> exif = PIL.Image.Exif()
    >>> exif[0x0112] = 6
    >>> exif_orientation(exif.tobytes())
    6
    """
    block = exif.removeprefix(b"Exif\0\0") if isinstance(exif, bytes) else b""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(block[:4])
    if order is None:
        return 1
    with suppress(struct.error):
        (start,) = struct.unpack_from(f"{order}I", block, 4)
        (count,) = struct.unpack_from(f"{order}H", block, start)
        for entry in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind, _, value = struct.unpack_from(f"{order}HHIH", block, entry)
            if tag == _ORIENTATION:
                return value if kind == _SHORT and 1 <= value <= 8 else 1
    return 1


def apply_orientation(image: np.ndarray, orientation: int) -> np.ndarray:
    """Rotate and mirror stored pixels for display.

    Parameters
    ----------
    image : ndarray of shape (H, W) or (H, W, 3)
        Pixels as stored.
    orientation : int
        1 to 8: the corner of the displayed image in which the stored first row and column meet.

    Returns
    -------
    ndarray of shape (H, W, ...) or (W, H, ...)
        Contiguous pixels for display; rows and columns are swapped for 5 to 8.

    Examples
    --------
    >>> apply_orientation(np.array([[1, 2, 3]]), 6).tolist()
    [[1], [2], [3]]
    """
    if orientation in (5, 6, 7, 8):
        image = image.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return np.ascontiguousarray(image)


# Standard error belongs to the whole process: two threads must not redirect it at the same time.
_standard_error = threading.Lock()


@contextmanager
def _muted_descriptor() -> Iterator[None]:
    """Discard what libtiff writes to file descriptor 2, bypassing Python and Pillow."""
    with _standard_error, ExitStack() as undo:
        # A process without standard error has nothing to suppress.
        with suppress(OSError):
            kept = os.dup(2)
            undo.callback(os.close, kept)
            undo.callback(os.dup2, kept, 2)
            with open(os.devnull, "wb") as devnull:
                os.dup2(devnull.fileno(), 2)
        yield


# Pixels converted at a time: large enough to be fast, small enough to stay in the cache and to
# avoid a second copy of a large image.
_STRIP_PIXELS = 1 << 19


def rgb_array(image: Image, *, background: int = 255) -> np.ndarray:
    """Copy a loaded Pillow image into an RGB array.

    Parameters
    ----------
    image : Image
        Loaded image of any mode with 1, 8 or 16 bits per sample.
    background : int, default=255
        Grey level, 0 to 255, that shows through transparent pixels.

    Returns
    -------
    ndarray of shape (H, W, 3), uint8
        Writable RGB image. Grey becomes three equal channels, 16-bit values are scaled by 1/257,
        and CMYK becomes (255 - C)(255 - K) / 255 and so on, without a colour profile.

    Raises
    ------
    ImageError
        If the image contains floats or 32-bit integers, or has another colour space.

    Examples
    --------
    >>> import PIL.Image
    >>> rgb_array(PIL.Image.new("L", (1, 1), 7)).tolist()
    [[[7, 7, 7]]]
    """
    width, height = image.size
    pixels = np.empty((height, width, 3), np.uint8)
    rows = max(1, _STRIP_PIXELS // width)
    for top in range(0, height, rows):
        bottom = min(height, top + rows)
        strip = image if rows >= height else image.crop((0, top, width, bottom))
        pixels[top:bottom] = _strip_to_rgb(strip, background)
    return pixels


def _strip_to_rgb(strip: Image, background: int) -> np.ndarray:
    if strip.mode.startswith("I"):
        grey = np.asarray(strip)
        if grey.min() < 0 or grey.max() > 65535:
            raise ImageError(
                f"its pixels are 32-bit integers from {grey.min()} to {grey.max()}, not those of a "
                "photograph. Convert it to 8 or 16 bits."
            )
        return ((grey.astype(np.uint32) + 128) // 257).astype(np.uint8)[:, :, np.newaxis]
    if strip.mode in ("F", "LAB", "HSV"):
        raise ImageError(
            f"its pixel mode {strip.mode} is not that of a photograph. Convert it to 8-bit RGB."
        )
    if "transparency" in strip.info or strip.mode in ("RGBA", "RGBa", "LA", "La", "PA"):
        rgba = np.asarray(strip.convert("RGBA"))
        alpha = rgba[:, :, 3:].astype(np.uint16)
        blended = (rgba[:, :, :3] * alpha + background * (255 - alpha) + 127) // 255
        return blended.astype(np.uint8)
    return np.asarray(strip if strip.mode == "RGB" else strip.convert("RGB"))


MAX_PIXELS = 200_000_000


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
        A whole JPEG, PNG, BMP, TIFF, GIF, WebP, AVIF, HEIC or DICOM file.
    long_side : int, default=None
        Pixels needed on the longer side. A JPEG is decoded at the smallest of 1, 1/2, 1/4 and 1/8
        of its size that still provides them, in a fraction of the time and memory; other formats
        are always decoded in full. If None, JPEGs are decoded in full, too.
    max_pixels : int, default=200_000_000
        Largest number of pixels. A file whose header announces more is rejected before decoding.
    background : int, default=255
        Grey level, 0 to 255, that shows through transparent pixels. The default is white, as in
        most programs: a transparent corner is then brighter than skin and not mistaken for a dark
        lesion.

    Returns
    -------
    ndarray of shape (H, W, 3), uint8
        RGB image for display, with the EXIF orientation applied. Only the first frame of an
        animation is decoded, and 16 bits are scaled to 8; colour profiles are not applied.

    Raises
    ------
    ImageError
        If the bytes are not an image, are truncated or damaged, or exceed `max_pixels`.

    Notes
    -----
    Any shape is accepted, even 1 x 100000. Pillow is used although OpenCV is somewhat faster
    (``benchmarks/decode.py`` compares them), because OpenCV's codecs write warnings to standard
    error, which no setting prevents, and accept a JPEG whose data ends early.

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
        exif = None if isinstance(header, TiffImageFile) else header.info.get("exif")
        _check_end(data, header, image_format)
        if isinstance(header, JpegFile):
            load_jpeg(data, header, long_side)
        else:
            header.load()
        pixels = rgb_array(header, background=background)
    return apply_orientation(pixels, exif_orientation(exif))


def shown_size(stream: BinaryIO) -> tuple[int, int]:
    """Read height and width from the header of an image file.

    Parameters
    ----------
    stream : binary file
        Seekable file, positioned at its start; only the header is read.

    Returns
    -------
    tuple of int
        (height, width) in pixels, as in the result of `decode_image` at full size.

    Raises
    ------
    ImageError
        If the bytes are not an image or the header is damaged.
    """
    with _opened(stream) as (header, _):
        if isinstance(header, TiffImageFile):
            # Some versions of Pillow have already swapped a TIFF's size here, others have not.
            width, height = header.tag_v2[_WIDTH], header.tag_v2[_HEIGHT]
            orientation = header.tag_v2.get(_ORIENTATION, 1)
        else:
            width, height = header.size
            orientation = exif_orientation(header.info.get("exif"))
    return (width, height) if orientation in (5, 6, 7, 8) else (height, width)


@contextmanager
def _opened(stream: BinaryIO) -> Iterator[tuple[ImageFile, ImageFormat]]:
    """Parse a header, and convert errors in it and in the ``with`` block to an ImageError."""
    image_format = identify_format(stream.read(HEAD_LENGTH))
    stream.seek(0)
    try:
        # Warnings are of no use, since reading fails or succeeds regardless. The JPEG reader never
        # warns and is exempt, because the guard would make Python forget after every image which
        # warnings it has already shown.
        with ExitStack() as silenced:
            if image_format.name != "JPEG":
                silenced.enter_context(warnings.catch_warnings(action="ignore"))
            if image_format.name == "TIFF":
                silenced.enter_context(_muted_descriptor())
            yield image_format.reader(stream), image_format
    except (ImageError, MemoryError):
        raise
    # Such a file is listed as unreadable, and the other files are read.
    except MissingDependencyError as error:
        raise ImageError(str(error)) from error
    # Damaged files raise nearly every exception in Pillow's parsers: OSError, SyntaxError,
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
    """Reject a file without an end mark.

    Pillow rejects most of these files, too, unless the program has set the popular
    ``ImageFile.LOAD_TRUNCATED_IMAGES``; this check does not depend on a global setting.
    """
    # Search after the header, since a thumbnail in the header has its own end mark.
    if image_format.end and data.rfind(image_format.end, header.fp.tell()) < 0:
        raise ImageError(
            f"truncated {image_format.name} file: its {len(data):,} bytes lack an end marker. "
            "Fetch it again."
        )
