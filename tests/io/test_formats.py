"""Formats by their first bytes, JPEG scales, HEIC, AVIF and DICOM."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from hybridlesion.exceptions import ImageError
from hybridlesion.io import decode_image, image_size, read_image
from hybridlesion.io._decoding import apply_orientation
from hybridlesion.io._formats import FORMATS, identify_format, scale_divisor


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is empty"),
        (b"\0" * 200, "begins with only zeros"),
        (b"<!DOCTYPE html>\n<html><body>404</body></html>", "an HTML page"),
        (b"\n  <html lang='en'>", "an HTML page"),
        (b"<?xml version='1.0'?><Error/>", "XML"),
        (b"image_id,target\nISIC_1,0\n", "plain text"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
        (b"PK\x03\x04" + bytes(9), "a zip archive"),
        (b"%PDF-1.7", "a PDF"),
        (b"\0\0\0\x18ftypcrx ", "a video or a raw photograph"),
        (b"\x01\x02\x03\x04", "begins with the bytes 01 02 03 04"),
    ],
)
def test_strangers_are_named(tmp_path, data, reason):
    path = tmp_path / "ISIC_1.jpg"
    path.write_bytes(data)
    with pytest.raises(ImageError, match=rf"ISIC_1\.jpg: not an image: the file (is )?{reason}"):
        read_image(path)


def test_the_name_does_not_matter(tmp_path, encode, photograph):
    path = tmp_path / "image.jpg"
    path.write_bytes(encode(photograph, "PNG"))
    assert read_image(path).tolist() == photograph.tolist()


@pytest.mark.parametrize("image_format", FORMATS, ids=lambda image_format: image_format.name)
def test_formats_are_known_by_their_first_bytes(encode, photograph, image_format):
    assert identify_format(encode(photograph, image_format.name)[:132]) is image_format


@pytest.mark.parametrize("image_format", FORMATS, ids=lambda image_format: image_format.name)
def test_a_signature_alone_is_refused(tmp_path, encode, photograph, image_format):
    path = tmp_path / "image"
    length = 132 if image_format.name == "DICOM" else 12
    path.write_bytes(encode(photograph, image_format.name)[:length])
    with pytest.raises(ImageError, match=f"(damaged|truncated) {image_format.name}|DICOM object"):
        read_image(path)


END = b"\xff\xd9"


@pytest.mark.parametrize("long_side", [None, 48, 24, 12])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_an_end_mark_set_too_early_is_found(encode, photograph, mode, long_side):
    import PIL.Image

    data = encode(PIL.Image.fromarray(photograph).convert(mode), "JPEG", quality=95)
    short = data[: len(data) * 2 // 3] + END
    with pytest.raises(ImageError, match="ends before the last block"):
        decode_image(short, long_side=long_side)
    assert decode_image(data, long_side=long_side).shape[2] == 3


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("gray", [127, 128])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_gray_picture_is_not_taken_for_a_cut_one(encode, mode, gray, progressive):
    shape = (40, 56, 3) if mode == "RGB" else (40, 56)
    data = encode(np.full(shape, gray, np.uint8), "JPEG", progressive=progressive)
    assert np.unique(decode_image(data)).tolist() == [gray]


def test_a_gray_lower_half_is_kept(encode, photograph):
    photograph[32:] = 128
    assert decode_image(encode(photograph, "JPEG"))[-1, -1].tolist() == [128] * 3


def test_bytes_behind_the_end_are_ignored(encode, photograph):
    data = encode(photograph, "JPEG")
    np.testing.assert_array_equal(decode_image(data + b"more" * 50), decode_image(data))


def test_a_thumbnail_does_not_lend_its_end_mark(encode, photograph):
    thumbnail = encode(photograph[::4, ::4].copy(), "JPEG")
    data = encode(photograph, "JPEG", exif=b"Exif\0\0" + thumbnail)
    with pytest.raises(ImageError, match="lack an end marker"):
        decode_image(data[: len(data) - 400])


def test_scale_divisor_without_need_is_one():
    assert scale_divisor(6000, None) == 1


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
    with pytest.raises(ImageError, match=r"contains 2 images \(VL Photographic Image Storage\)"):
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
