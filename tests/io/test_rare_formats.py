"""HEIC, AVIF and DICOM files, whose answer is visible in the pixels they were made of."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from hybridlesion.exceptions import ImageError
from hybridlesion.io import decode_image, image_size, read_image
from hybridlesion.io._decoding import apply_orientation


def _near(image, expected, tolerance):
    return image.shape == expected.shape and np.abs(image.astype(int) - expected).max() <= tolerance


@pytest.mark.parametrize("name", ["HEIC", "AVIF"])
@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_phones_turn_their_photographs(tmp_path, encode, corners, oriented_exif, name, orientation):
    # The name is that of a JPEG, as phones' exports have it.
    path = tmp_path / "photo.jpg"
    path.write_bytes(encode(corners, name, exif=oriented_exif(orientation)[6:]))
    shown = apply_orientation(corners, orientation)
    assert np.abs(read_image(path)[4::16, 4::16].astype(int) - shown[4::16, 4::16]).max() < 30
    assert image_size(path) == shown.shape[:2]


def test_dicom_colours(encode, photograph):
    ycbcr = np.asarray(_pillow(photograph).convert("YCbCr"))
    assert _near(decode_image(encode(photograph, "DICOM")), photograph, 0)
    assert _near(decode_image(encode(photograph, "DICOM", NumberOfFrames=1)), photograph, 0)
    assert _near(decode_image(encode(ycbcr, "DICOM", kind="YBR_FULL")), photograph, 3)


def test_dicom_around_a_jpeg(tmp_path, encode, photograph):
    jpeg = encode(photograph, "JPEG", quality=95)
    path = tmp_path / "scan"
    path.write_bytes(encode(photograph, "DICOM", kind="YBR_FULL_422", jpeg=jpeg))
    assert _near(read_image(path), decode_image(jpeg), 2)
    assert image_size(path) == (64, 96)


def test_dicom_grey_and_palette(encode, photograph):
    grey = photograph[:, :, 1]
    shown = np.repeat(grey[:, :, np.newaxis], 3, axis=2)
    assert _near(decode_image(encode(grey, "DICOM", kind="MONOCHROME2")), shown, 0)
    assert _near(decode_image(encode(grey, "DICOM", kind="MONOCHROME1")), 255 - shown, 0)
    deep = grey.astype(np.uint16) * 16
    assert _near(decode_image(encode(deep, "DICOM", kind="MONOCHROME2", bits=12)), shown, 1)
    ramps = np.stack([np.arange(256), 255 - np.arange(256), np.arange(256) // 2], axis=1)
    tables = {}
    for name, ramp in zip(("Red", "Green", "Blue"), ramps.T, strict=True):
        tables[f"{name}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
        tables[f"{name}PaletteColorLookupTableData"] = (ramp * 257).astype("<u2").tobytes()
    palette = encode(grey, "DICOM", kind="PALETTE COLOR", **tables)
    assert _near(decode_image(palette), ramps[grey], 0)


def test_dicom_without_one_image(encode, photograph):
    pair = np.concatenate([photograph, photograph]).tobytes()
    with pytest.raises(ImageError, match=r"holds 2 images \(VL Photographic Image Storage\)"):
        decode_image(encode(photograph, "DICOM", NumberOfFrames=2, PixelData=pair))
    with pytest.raises(ImageError, match="damaged DICOM file"):
        decode_image(encode(photograph, "DICOM")[:5000])
    with pytest.raises(ImageError, match="megapixels, above the limit"):
        decode_image(encode(photograph, "DICOM"), max_pixels=100)


@pytest.mark.parametrize(
    ("module", "name", "cure"),
    [
        ("pillow_heif", "HEIC", r'pip install "hybridlesion\[heif\]"'),
        ("pydicom", "DICOM", r'pip install "hybridlesion\[dicom\]"'),
        ("PIL._avif", "AVIF", "pip install -U pillow"),
    ],
)
def test_a_missing_library_is_named(monkeypatch, encode, photograph, module, name, cure):
    data = encode(photograph, name)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImageError, match=cure):
        decode_image(data)


def _pillow(pixels):
    import PIL.Image

    return PIL.Image.fromarray(pixels)
