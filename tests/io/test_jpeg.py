"""JPEG data that ends before its picture does."""

from __future__ import annotations

import numpy as np
import pytest

from hybridlesion.exceptions import ImageError
from hybridlesion.io import decode_image
from hybridlesion.io._formats import scale_divisor

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
    with pytest.raises(ImageError, match="no end mark"):
        decode_image(data[: len(data) - 400])


def test_scale_divisor_without_need_is_one():
    assert scale_divisor(6000, None) == 1
