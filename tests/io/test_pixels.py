"""Colour modes to RGB."""

from __future__ import annotations

import io

import numpy as np
import PIL.Image
import pytest

from hybridlesion.exceptions import ImageError
from hybridlesion.io import decode_image
from hybridlesion.io._decoding import rgb_array


def test_grayscale_becomes_three_equal_channels(encode):
    assert decode_image(encode(np.array([[0, 7, 255]], np.uint8))).tolist() == [
        [[0] * 3, [7] * 3, [255] * 3]
    ]


def test_grayscale_jpeg(encode):
    image = decode_image(encode(np.full((16, 16), 90, np.uint8), "JPEG"))
    assert image.shape == (16, 16, 3)
    assert np.unique(image).tolist() == [90]


def test_one_bit(encode):
    image = PIL.Image.new("1", (2, 1))
    image.putpixel((1, 0), 1)
    assert decode_image(encode(image))[0, :, 0].tolist() == [0, 255]


def test_palette(encode):
    image = PIL.Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((1, 0), 1)
    assert decode_image(encode(image)).tolist() == [[[10, 20, 30], [40, 50, 60]]]


def test_palette_with_transparent_entry(encode):
    image = PIL.Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((1, 0), 1)
    data = encode(image, transparency=b"\x00\xff")
    assert decode_image(data).tolist() == [[[255, 255, 255], [40, 50, 60]]]


def test_alpha_is_put_on_white(encode):
    rgba = np.array([[[100, 0, 0, 255], [100, 0, 0, 0], [100, 0, 0, 51]]], np.uint8)
    # 51 is a fifth: 0.2 * 100 + 0.8 * 255 = 224 and 0.8 * 255 = 204.
    assert decode_image(encode(rgba)).tolist() == [[[100, 0, 0], [255, 255, 255], [224, 204, 204]]]
    assert decode_image(encode(rgba), background=0)[0, 1].tolist() == [0, 0, 0]


def test_gray_with_alpha(encode):
    image = PIL.Image.new("LA", (1, 1), (10, 0))
    assert decode_image(encode(image)).tolist() == [[[255, 255, 255]]]


def test_sixteen_bit_gray_keeps_its_range(encode):
    values = np.array([[0, 257, 128 * 257, 65535, 128, 129]], np.uint16)
    assert decode_image(encode(values))[0, :, 0].tolist() == [0, 1, 128, 255, 0, 1]


def test_sixteen_bit_rgb_png():
    import zlib

    values = np.array([[[0, 0x80FF, 0xFFFF]]], ">u2")

    def chunk(kind: bytes, body: bytes) -> bytes:
        return len(body).to_bytes(4) + kind + body + zlib.crc32(kind + body).to_bytes(4)

    header = (1).to_bytes(4) + (1).to_bytes(4) + bytes([16, 2, 0, 0, 0])
    data = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" + values.tobytes()))
        + chunk(b"IEND", b"")
    )
    image = decode_image(data)
    assert image.dtype == np.uint8
    np.testing.assert_allclose(image[0, 0], [0, 128.5, 255], atol=1)


def _cmyk_jpeg(encode) -> bytes:
    # Cyan 200, no black: R = 55, G = B = 255.
    return encode(PIL.Image.new("CMYK", (32, 32), (200, 0, 0, 0)), "JPEG", quality=100)


def test_cmyk_inverted_by_adobe(encode):
    data = _cmyk_jpeg(encode)
    assert b"Adobe" in data
    np.testing.assert_allclose(decode_image(data)[5, 5], [55, 255, 255], atol=2)


def test_cmyk_without_adobe_marker_is_not_inverted(encode):
    data = _cmyk_jpeg(encode)
    start = data.index(b"\xff\xee")
    length = int.from_bytes(data[start + 2 : start + 4])
    plain = data[:start] + data[start + 2 + length :]
    # The stored values are 55, 255, 255, 255: with full black nothing is left.
    assert decode_image(plain).max() <= 2


def test_ycck_jpeg(encode):
    data = _cmyk_jpeg(encode)
    start = data.index(b"Adobe")
    # Transform 2 (YCCK): the first three stored values are read as Y, Cb and Cr.
    image = decode_image(data[: start + 11] + b"\x02" + data[start + 12 :])
    assert image.shape == (32, 32, 3)


def test_cmyk_tiff_is_not_inverted(encode):
    data = encode(PIL.Image.new("CMYK", (4, 4), (200, 0, 0, 0)), "TIFF")
    assert decode_image(data)[0, 0].tolist() == [55, 255, 255]


def test_floats_are_refused(encode):
    with pytest.raises(ImageError, match="of kind F, which is not a photograph"):
        decode_image(encode(np.ones((2, 2), np.float32), "TIFF"))


def test_wide_integers_are_refused():
    with pytest.raises(ImageError, match="32-bit integers from 70000 to 70000"):
        rgb_array(PIL.Image.new("I", (2, 2), 70_000))


def test_strips_join_without_seam():
    # More pixels than one strip holds, each row different.
    gray = (np.arange(900 * 1000) // 1000 % 251).astype(np.uint8).reshape(900, 1000)
    image = rgb_array(PIL.Image.fromarray(gray))
    np.testing.assert_array_equal(image, np.repeat(gray[:, :, np.newaxis], 3, axis=2))
    assert image.flags.writeable


def test_animations_give_their_first_frame(encode):
    frames = [PIL.Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    for name, options in (("GIF", {}), ("PNG", {}), ("WebP", {"lossless": True}), ("TIFF", {})):
        data = encode(frames[0], name, save_all=True, append_images=frames[1:], **options)
        assert PIL.Image.open(io.BytesIO(data)).n_frames == 2, name
        assert decode_image(data)[0, 0].tolist() == [255, 0, 0], name
