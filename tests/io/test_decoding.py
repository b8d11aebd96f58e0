"""Decoding bytes: scale, limits and refusals."""

from __future__ import annotations

import io
import os

import numpy as np
import PIL.Image
import PIL.ImageFile
import pytest

from hybridlesion.exceptions import ImageError
from hybridlesion.io import decode_image
from hybridlesion.io._decoding import shown_size

FORMATS = ["JPEG", "PNG", "BMP", "TIFF", "GIF", "WebP"]


@pytest.mark.parametrize(
    ("long_side", "shape"),
    [
        (None, (300, 401)),
        (402, (300, 401)),
        (401, (300, 401)),
        (202, (300, 401)),
        (201, (150, 201)),
        (102, (150, 201)),
        (101, (75, 101)),
        (51, (38, 51)),
        (1, (38, 51)),
    ],
)
def test_jpeg_is_decoded_at_the_smallest_sufficient_scale(encode, long_side, shape):
    data = encode(np.full((300, 401, 3), 60, np.uint8), "JPEG")
    assert decode_image(data, long_side=long_side).shape == (*shape, 3)


def test_scaled_decoding_is_close_to_shrinking(encode, photograph):
    large = np.kron(photograph, np.ones((4, 4, 1), np.uint8))
    data = encode(large, "JPEG", quality=95, subsampling=0)
    scaled = decode_image(data, long_side=96).astype(int)
    assert np.abs(scaled - photograph).mean() < 3


def test_other_formats_come_whole(encode, photograph):
    np.testing.assert_array_equal(decode_image(encode(photograph), long_side=10), photograph)


@pytest.mark.parametrize("name", ["PNG", "BMP", "TIFF"])
def test_lossless_formats_come_back_exactly(encode, photograph, name):
    np.testing.assert_array_equal(decode_image(encode(photograph, name)), photograph)


@pytest.mark.parametrize("progressive", [False, True])
def test_jpeg_equals_pillow(encode, photograph, progressive):
    data = encode(photograph, "JPEG", progressive=progressive)
    expected = np.asarray(PIL.Image.open(io.BytesIO(data)))
    np.testing.assert_array_equal(decode_image(data), expected)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_truncated_files_are_refused(encode, photograph, capfd, name, share):
    data = encode(photograph, name)
    with pytest.raises(ImageError, match=f"(truncated|damaged) {name}"):
        decode_image(data[: int(len(data) * share)])
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("missing", [1, 2, 50])
def test_a_jpeg_without_its_last_bytes_is_refused(encode, photograph, progressive, missing):
    data = encode(photograph, "JPEG", progressive=progressive)
    with pytest.raises(ImageError, match="truncated JPEG"):
        decode_image(data[:-missing])


@pytest.mark.parametrize("name", ["JPEG", "PNG"])
def test_truncation_is_found_though_pillow_was_told_to_ignore_it(
    encode, photograph, monkeypatch, name
):
    monkeypatch.setattr(PIL.ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    data = encode(photograph, name)
    with pytest.raises(ImageError, match=f"truncated {name}"):
        decode_image(data[: len(data) * 9 // 10])


@pytest.mark.parametrize("name", FORMATS)
def test_damaged_files_raise_nothing_else_and_say_nothing(encode, photograph, capfd, rng, name):
    data = encode(photograph, name)
    for _ in range(60):
        damaged = bytearray(data)
        for place in rng.integers(8, len(data), 6):
            damaged[place] = rng.integers(256)
        try:
            image = decode_image(bytes(damaged), max_pixels=1_000_000)
        except ImageError:
            continue
        assert image.dtype == np.uint8
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_deflate", "jpeg"])
def test_libtiff_says_nothing_either(encode, photograph, capfd, rng, compression):
    data = encode(photograph, "TIFF", compression=compression)
    refused = 0
    for _ in range(20):
        damaged = bytearray(data)
        for place in rng.integers(8, len(data), 20):
            damaged[place] = rng.integers(256)
        try:
            decode_image(bytes(damaged), max_pixels=1_000_000)
        except ImageError:
            refused += 1
    assert refused
    assert capfd.readouterr() == ("", "")
    # Standard error is there again.
    os.write(2, b"heard")
    assert capfd.readouterr().err == "heard"


@pytest.mark.parametrize("name", FORMATS)
def test_pixel_limit_is_checked_in_the_header(encode, name):
    data = encode(np.zeros((100, 200, 3), np.uint8), name)
    with pytest.raises(ImageError, match=r"200 x 100 is 0\.0 megapixels, above the limit"):
        decode_image(data, max_pixels=19_999)
    assert decode_image(data, max_pixels=20_000).shape == (100, 200, 3)


def test_a_header_that_promises_gigapixels_is_refused_at_once(encode):
    data = encode(np.zeros((1, 1, 3), np.uint8), "JPEG")
    start = data.index(b"\xff\xc0") + 5
    huge = data[:start] + bytes.fromhex("ffdcffdc") + data[start + 4 :]
    with pytest.raises(ImageError, match=r"65500 x 65500 is 4,290\.2 megapixels"):
        decode_image(huge)


def test_sizes_between_pillows_limit_and_ours_are_accepted(tmp_path):
    image = PIL.Image.new("1", (19_000, 10_000))
    image.save(tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    assert shown_size(io.BytesIO(data)) == (10_000, 19_000)
    with pytest.raises(ImageError, match=r"190\.0 megapixels, above the limit of 189\.0"):
        decode_image(data, max_pixels=189_000_000)


@pytest.mark.parametrize("name", ["PNG", "BMP", "TIFF"])
def test_absurd_shapes_are_read_as_they_are(encode, name):
    data = encode(np.zeros((1, 100_000, 3), np.uint8), name)
    assert decode_image(data, long_side=512).shape == (1, 100_000, 3)


def test_a_narrow_jpeg_is_not_scaled_below_one_pixel(encode):
    image = decode_image(encode(np.full((1, 60_000, 3), 40, np.uint8), "JPEG"), long_side=512)
    assert image.shape[0] == 1
    assert image.shape[1] >= 512


def test_damaged_exif_does_not_matter(encode, photograph, capfd):
    data = encode(photograph, "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\xfe" * 40)
    assert decode_image(data).shape == photograph.shape
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("name", "value"), [("long_side", 0), ("long_side", 1.5), ("max_pixels", 0)]
)
def test_parameters_are_checked(encode, photograph, name, value):
    with pytest.raises(ValueError, match=f"{name} must be"):
        decode_image(encode(photograph), **{name: value})
