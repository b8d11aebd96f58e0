"""Which bytes are an image: formats known by their first bytes, never by the file's name."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from hybridlesion.exceptions import ImageError
from hybridlesion.images._jpeg import JpegFile
from hybridlesion.images._rare_formats import open_avif, open_dicom, open_heif

__all__ = ["FORMATS", "HEAD_LENGTH", "ImageFormat", "identify_format", "is_text"]

# Bytes that identify_format wants to see; DICOM has its name at 128.
HEAD_LENGTH = 132


@dataclass(frozen=True)
class ImageFormat:
    """One accepted file format.

    Parameters
    ----------
    name : str
        What people call it.
    signature : bytes
        Regular expression that the file's first bytes match.
    reader : callable
        Pillow's class that parses the header when it is made and the pixels on ``load()``, or a
        function that returns such an image. It is used directly: ``PIL.Image.open`` would try
        every plugin, and would apply Pillow's own pixel limit, which is a global setting and not
        ours.
    end : bytes, default=b""
        What a complete file has behind its pixels; empty where the format has no such mark.
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
    # Before HEIC: both may begin as mif1, and name their kind behind it.
    ImageFormat("AVIF", rb"....ftyp(avif|avis|mif1....(....){0,8}?avif)", open_avif),
    ImageFormat("HEIC", rb"....ftyp(hei[cfmsx]|hev[cmsx]|mif1|msf1)", open_heif),
    ImageFormat("DICOM", rb".{128}DICM", open_dicom),
)

_TEXT = rb"[\x09\x0a\x0d\x20-\x7e]{8,}\Z|[\x09\x0a\x0d\x20-\x7e]{64,}"

# What is often met under an image's name. The first match names it.
_STRANGERS = (
    (rb"\s*(<!doctype html|<html|<head|<body)", "an HTML page, as a failed download leaves it"),
    (rb"\s*<\?xml|\s*<svg", "XML or SVG text"),
    (rb"version https://git-lfs", "a Git LFS pointer, whose file was never fetched"),
    (rb"%PDF", "a PDF document"),
    (rb"PK\x03\x04", "a zip archive"),
    (rb"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (rb"....ftyp", "a film or a raw photograph"),
    (rb"\0\0\0\x0cjP  ", "a JPEG 2000 image"),
    (rb"8BPS", "a Photoshop document"),
    (_TEXT, "plain text"),
)


def identify_format(head: bytes) -> ImageFormat:
    r"""Name the format of a file by its first bytes.

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
        If it is none of them; the message says what it seems to be.

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
    """Whether a file is text in ASCII, by its first bytes.

    Parameters
    ----------
    head : bytes
        The first `HEAD_LENGTH` bytes, or all of a shorter file.

    Returns
    -------
    bool
        True also for an empty file.
    """
    return not head or re.match(_TEXT, head) is not None


def _describe(head: bytes) -> str:
    if not head:
        return "is empty"
    if not any(head):
        return "begins with zeros only, as an unfinished download leaves it"
    for pattern, description in _STRANGERS:
        if re.match(pattern, head, re.DOTALL | re.IGNORECASE):
            return f"is {description}"
    return f"begins with the bytes {head[:8].hex(' ')}, which no known format has"
