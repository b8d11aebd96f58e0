"""Files of every kind, made in memory."""

from __future__ import annotations

import io
import struct

import numpy as np
import PIL.Image
import pytest


@pytest.fixture
def encode():
    """Function from an array (or Pillow image) and a format to the bytes of a file."""

    def encode(pixels, name="PNG", **options) -> bytes:
        image = pixels if isinstance(pixels, PIL.Image.Image) else PIL.Image.fromarray(pixels)
        file = io.BytesIO()
        image.save(file, name, **options)
        return file.getvalue()

    return encode


@pytest.fixture
def photograph() -> np.ndarray:
    """Smooth picture of 64 x 96 pixels with a little noise, so that JPEG has work to do."""
    rows, columns = np.mgrid[:64, :96]
    picture = np.stack([rows * 3, columns * 2, rows + columns], axis=2)
    noise = np.random.default_rng(0).integers(0, 12, picture.shape)
    return (picture + noise).clip(0, 255).astype(np.uint8)


@pytest.fixture
def corners() -> np.ndarray:
    """Picture of 32 x 48 pixels: red, green over blue, white; blocks wide enough for JPEG."""
    picture = np.zeros((32, 48, 3), np.uint8)
    picture[:16, :24] = 255, 0, 0
    picture[:16, 24:] = 0, 255, 0
    picture[16:, :24] = 0, 0, 255
    picture[16:, 24:] = 255, 255, 255
    return picture


@pytest.fixture
def oriented_exif():
    """Function from an orientation to the EXIF block that says so."""

    def oriented_exif(orientation: int, *, order: str = "<") -> bytes:
        mark = b"II*\0" if order == "<" else b"MM\0*"
        entry = struct.pack(f"{order}HHIHH", 0x0112, 3, 1, orientation, 0)
        ifd = struct.pack(f"{order}IH", 8, 1) + entry + bytes(4)
        return b"Exif\0\0" + mark + ifd

    return oriented_exif
