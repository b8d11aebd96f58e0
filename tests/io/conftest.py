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
        if name == "DICOM":
            return _dicom(np.asarray(pixels), **options)
        image = pixels if isinstance(pixels, PIL.Image.Image) else PIL.Image.fromarray(pixels)
        file = io.BytesIO()
        if name == "HEIC":
            heif = pytest.importorskip("pillow_heif")
            heif.from_pillow(image).save(file, quality=95, **options)
        else:
            image.save(file, name, **options)
        return file.getvalue()

    return encode


def _dicom(
    pixels: np.ndarray, kind: str = "RGB", *, bits: int = 8, jpeg: bytes | None = None, **extra
) -> bytes:
    """DICOM file of a photograph; `jpeg` takes the place of the pixels."""
    pytest.importorskip("pydicom")
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.encaps import encapsulate
    from pydicom.uid import ExplicitVRLittleEndian, JPEGBaseline8Bit

    data, data.file_meta = Dataset(), FileMetaDataset()
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.77.1.4"
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    data.file_meta.TransferSyntaxUID = JPEGBaseline8Bit if jpeg else ExplicitVRLittleEndian
    data.Rows, data.Columns = pixels.shape[:2]
    data.SamplesPerPixel = 1 if pixels.ndim == 2 else 3
    data.PhotometricInterpretation = kind
    data.BitsAllocated, data.BitsStored, data.HighBit = 8 * pixels.dtype.itemsize, bits, bits - 1
    data.PixelRepresentation = 0
    if pixels.ndim == 3:
        data.PlanarConfiguration = 0
    data.PixelData = encapsulate([jpeg]) if jpeg else pixels.tobytes()
    for keyword, value in extra.items():
        setattr(data, keyword, value)
    file = io.BytesIO()
    data.save_as(file, enforce_file_format=True)
    return file.getvalue()


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
