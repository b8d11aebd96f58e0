"""Image formats, recognised by a file's first bytes."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import PIL.Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.Image import Image
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from hybridlesion._optional_imports import import_optional
from hybridlesion.exceptions import ImageError

# Bytes without 0xFF, so that they are read as picture data, and irregular, so that they alter it.
_FILLER = bytes((37 * k * k + 11 * k) % 254 + 1 for k in range(1024))


class JpegFile(JpegImageFile):
    """JPEG reader of Pillow that ignores EXIF and handles CMYK without an Adobe marker.

    Parameters
    ----------
    fp : binary file
        Seekable file, positioned at its start. The header is parsed at once, the pixels on
        ``load()``.
    filename : str, default=None
        Name of the file, which Pillow stores.
    """

    def _open(self) -> None:
        super()._open()
        # Pillow inverts every CMYK JPEG. Only those with Adobe's marker are stored inverted.
        if self.mode == "CMYK" and "adobe" not in self.info:
            self.tile = [self.tile[0]._replace(args=("CMYK", ""))]

    def _read_dpi_from_exif(self) -> None:
        """Ignore EXIF: the resolution is not used, and damaged EXIF would cause a warning."""

    def set_divisor(self, divisor: int) -> None:
        """Choose the scale at which ``load()`` will decode.

        Parameters
        ----------
        divisor : int
            1, 2, 4 or 8. An image narrower than the divisor is decoded at a larger scale.
        """
        self.draft(None, (max(1, self.width // divisor), max(1, self.height // divisor)))


def scale_divisor(long_side: int, wanted: int | None) -> int:
    """Largest of 1, 2, 4, 8 that still leaves `wanted` pixels on the long side.

    Parameters
    ----------
    long_side : int
        Longer side of the stored image in pixels.
    wanted : int, default=None
        Pixels needed on the longer side. If None, all are needed.

    Returns
    -------
    int
        The divisor d; libjpeg then gives ceil(side / d) pixels.

    Examples
    --------
    >>> scale_divisor(6000, 768), scale_divisor(6000, 750), scale_divisor(600, 768)
    (4, 8, 1)
    """
    if wanted is None:
        return 1
    return next(d for d in (8, 4, 2, 1) if d == 1 or -(-long_side // d) >= wanted)


def ends_early(data: bytes, image: Image, divisor: int) -> bool:
    """Whether the picture data of a JPEG stops before the last block.

    Parameters
    ----------
    data : bytes
        The whole file.
    image : Image
        Image that Pillow decoded from the file, in the colour mode of the file.
    divisor : int
        Divisor with which it was decoded.

    Returns
    -------
    bool
        True if blocks are missing even though the file has an end mark.

    Notes
    -----
    libjpeg fills blocks for which there is no data with mid-grey and only warns. A grey last
    block is therefore suspicious, but may be genuine. In that case, the file is decoded again with
    additional picture data before its end mark, which leaves a complete picture unchanged but
    alters an incomplete one. Bytes that were altered without shortening the data cannot be
    detected.
    """
    # A pixel of the last block is enough, since this only selects files for the second check.
    last = image.getpixel((image.width - 1, image.height - 1))
    if not set(np.atleast_1d(last).tolist()) <= {127, 128}:
        return False
    end = data.rfind(b"\xff\xd9")
    longer = JpegFile(io.BytesIO(data[:end] + _FILLER + data[end:]))
    longer.set_divisor(divisor)
    longer.load()
    return not np.array_equal(np.asarray(longer), np.asarray(image))


def load_jpeg(data: bytes, header: JpegFile, long_side: int | None) -> None:
    """Decode the pixels of a JPEG at the smallest scale that is large enough.

    Parameters
    ----------
    data : bytes
        The whole file.
    header : JpegFile
        The same file, whose header was parsed.
    long_side : int or None
        Pixels needed on the longer side. If None, all are needed.

    Raises
    ------
    ImageError
        If the picture data stops before the last block.
    """
    divisor = scale_divisor(max(header.size), long_side)
    header.set_divisor(divisor)
    header.load()
    if ends_early(data, header, divisor):
        raise ImageError(
            "truncated JPEG file: its picture data ends before the last block. Fetch it again."
        )


_LUMINANCE = ("MONOCHROME1", "MONOCHROME2")


def _open_heif(stream: BinaryIO) -> ImageFile:
    """Parse the header of a HEIC or HEIF file.

    Parameters
    ----------
    stream : binary file
        Seekable file, positioned at its start.

    Returns
    -------
    ImageFile
        Its first image, already in display orientation.

    Raises
    ------
    MissingDependencyError
        If pillow-heif is not installed.
    """
    pillow_heif = import_optional(
        "pillow_heif", feature="reading HEIC photographs", install="hybridlesion[heif]"
    )
    return pillow_heif.HeifImageFile(stream)


def _open_avif(stream: BinaryIO) -> ImageFile:
    """Parse the header of an AVIF file.

    Parameters
    ----------
    stream : binary file
        Seekable file, positioned at its start.

    Returns
    -------
    ImageFile
        Its first image.

    Raises
    ------
    ImageError
        If Pillow was built without AVIF.
    """
    try:
        from PIL._avif import AvifDecoder  # noqa: F401
        from PIL.AvifImagePlugin import AvifImageFile
    except ImportError as error:
        raise ImageError(
            "AVIF images need a newer Pillow. Install it with: pip install -U pillow"
        ) from error
    return AvifImageFile(stream)


class DicomFile(ImageFile):
    """A DICOM object with one image, such as a dermoscopic image or a photograph.

    Wraps pydicom in Pillow's interface: the header is parsed at once, the pixels on ``load()``.
    The other attributes, including those of the patient, are not kept. `ImageError` is raised if
    the object has no image or several images, `MissingDependencyError` if pydicom is not installed.

    Parameters
    ----------
    fp : binary file
        Seekable file, positioned at its start.
    filename : str, default=None
        Name of the file, which Pillow stores.
    """

    format = "DICOM"

    def _open(self) -> None:
        install = "hybridlesion[dicom]"
        pydicom = import_optional("pydicom", feature="reading DICOM images", install=install)
        dataset = pydicom.dcmread(self.fp)
        if "PixelData" not in dataset:
            raise ImageError(f"the DICOM object contains no image ({_kind(dataset)}).")
        frames = int(dataset.get("NumberOfFrames") or 1)
        if frames > 1:
            raise ImageError(
                f"the DICOM object contains {frames} images ({_kind(dataset)}). Export the one you "
                "need as a separate file."
            )
        self._dataset = dataset
        self._size = int(dataset.Columns), int(dataset.Rows)
        self._mode = "L" if dataset.PhotometricInterpretation in _LUMINANCE else "RGB"

    def load(self) -> None:
        if self._dataset is not None:
            self.im = PIL.Image.fromarray(_dicom_pixels(self._dataset)).im
            self._mode, self._dataset = self.im.mode, None


def _dicom_pixels(dataset: Any) -> np.ndarray:
    """Decode the image to 8-bit grey or RGB pixels."""
    from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut, pixel_array

    interpretation = dataset.PhotometricInterpretation
    try:
        # Luminance and chrominance are converted to RGB here.
        pixels = pixel_array(dataset)
    # No decoder for this compression, or for this transfer syntax.
    except (RuntimeError, NotImplementedError) as error:
        raise ImageError(f"its DICOM pixels cannot be decoded: {error}") from error
    if interpretation == "PALETTE COLOR":
        pixels = apply_color_lut(pixels, dataset)
        return _eight_bits(pixels, 0, 8 * pixels.dtype.itemsize)
    if interpretation in _LUMINANCE:
        pixels = apply_voi_lut(apply_modality_lut(pixels, dataset), dataset)
        low = min(0, pixels.min())
        # Rescaling may have spread the values over more bits.
        spread = int(np.ceil(np.log2(pixels.max() - low + 1)))
        grey = _eight_bits(pixels, low, max(int(dataset.BitsStored), spread))
        return 255 - grey if interpretation == "MONOCHROME1" else grey
    if pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ImageError(
            f"its DICOM pixel type {interpretation} is not that of a photograph. Export it as RGB."
        )
    return _eight_bits(pixels, 0, int(dataset.BitsStored))


def _eight_bits(pixels: np.ndarray, low: float, bits: int) -> np.ndarray:
    if pixels.dtype == np.uint8 and bits == 8:
        return np.ascontiguousarray(pixels)
    return np.clip(np.rint((pixels - low) * (255 / (2**bits - 1))), 0, 255).astype(np.uint8)


def _kind(dataset: Any) -> str:
    return str(dataset.get("SOPClassUID", "").name if "SOPClassUID" in dataset else "unknown kind")


# Bytes that identify_format needs; the signature of DICOM is at byte 128.
HEAD_LENGTH = 132


@dataclass(frozen=True)
class ImageFormat:
    """One accepted file format.

    Parameters
    ----------
    name : str
        Common name.
    signature : bytes
        Regular expression that the file's first bytes match.
    reader : callable
        Pillow class that parses the header on creation and the pixels on ``load()``, or a function
        that returns such an image. It is used directly because ``PIL.Image.open`` would try every
        plugin and apply Pillow's own pixel limit, which is a global setting.
    end : bytes, default=b""
        Mark after the pixels of a complete file; empty if the format has no such mark.
    """

    name: str
    signature: bytes
    reader: Callable[[BinaryIO], ImageFile]
    end: bytes = b""


FORMATS = (
    ImageFormat("JPEG", rb"\xff\xd8\xff", JpegFile, end=b"\xff\xd9"),
    ImageFormat("PNG", rb"\x89PNG\r\n\x1a\n", PngImageFile, end=b"IEND"),
    ImageFormat("BMP", rb"BM", BmpImageFile),
    ImageFormat("TIFF", rb"II[*+]\0|MM\0[*+]", TiffImageFile),
    ImageFormat("GIF", rb"GIF8[79]a", GifImageFile),
    ImageFormat("WebP", rb"RIFF....WEBP", WebPImageFile),
    # Before HEIC, since both may begin with mif1 and give their kind after it.
    ImageFormat("AVIF", rb"....ftyp(avif|avis|mif1....(....){0,8}?avif)", _open_avif),
    ImageFormat("HEIC", rb"....ftyp(hei[cfmsx]|hev[cmsx]|mif1|msf1)", _open_heif),
    ImageFormat("DICOM", rb".{128}DICM", DicomFile),
)

_TEXT = rb"[\x09\x0a\x0d\x20-\x7e]{8,}\Z|[\x09\x0a\x0d\x20-\x7e]{64,}"

# Formats that are often found in files named like images. The first match counts.
_OTHER_FORMATS = (
    (rb"\s*(<!doctype html|<html|<head|<body)", "an HTML page, perhaps a failed download"),
    (rb"\s*<\?xml|\s*<svg", "XML or SVG text"),
    (rb"version https://git-lfs", "a Git LFS pointer, whose file was never fetched"),
    (rb"%PDF", "a PDF document"),
    (rb"PK\x03\x04", "a zip archive"),
    (rb"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (rb"....ftyp", "a video or a raw photograph"),
    (rb"\0\0\0\x0cjP  ", "a JPEG 2000 image"),
    (rb"8BPS", "a Photoshop document"),
    (_TEXT, "plain text"),
)


def identify_format(head: bytes) -> ImageFormat:
    r"""Identify the format of a file by its first bytes.

    Parameters
    ----------
    head : bytes
        The first `HEAD_LENGTH` bytes, or all of a shorter file.

    Returns
    -------
    ImageFormat
        One of `FORMATS`.

    Raises
    ------
    ImageError
        If it is none of these; the message says what it resembles.

    Examples
    --------
    >>> identify_format(b"GIF89a\x01\x00").name
    'GIF'
    """
    for image_format in FORMATS:
        if re.match(image_format.signature, head, re.DOTALL):
            return image_format
    raise ImageError(
        f"not an image: the file {_describe(head)}. Accepted are "
        f"{', '.join(image_format.name for image_format in FORMATS)}."
    )


def is_text(head: bytes) -> bool:
    """Whether a file is ASCII text, judging by its first bytes.

    Parameters
    ----------
    head : bytes
        The first `HEAD_LENGTH` bytes, or all of a shorter file.

    Returns
    -------
    bool
        True for text and for an empty file.
    """
    return not head or re.match(_TEXT, head) is not None


def _describe(head: bytes) -> str:
    if not head:
        return "is empty"
    if not any(head):
        return "begins with only zeros, as in an unfinished download"
    for pattern, description in _OTHER_FORMATS:
        if re.match(pattern, head, re.DOTALL | re.IGNORECASE):
            return f"is {description}"
    return f"begins with the bytes {head[:8].hex(' ')}, which no known format uses"
