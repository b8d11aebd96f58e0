"""Decoding to RGB arrays: sizes, orientation, pixel modes, agreement with OpenCV."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import zipfile

import numpy as np
import PIL.Image
import PIL.ImageFile
import PIL.ImageOps
import pytest

from hybridlesion.exceptions import ImageError
from hybridlesion.io import decode_image, image_size, read_image
from hybridlesion.io._decoding import apply_orientation, exif_orientation, rgb_array, shown_size

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


STORED = np.array([[1, 2, 3], [4, 5, 6]])

SHOWN = {
    1: [[1, 2, 3], [4, 5, 6]],
    2: [[3, 2, 1], [6, 5, 4]],
    3: [[6, 5, 4], [3, 2, 1]],
    4: [[4, 5, 6], [1, 2, 3]],
    5: [[1, 4], [2, 5], [3, 6]],
    6: [[4, 1], [5, 2], [6, 3]],
    7: [[6, 3], [5, 2], [4, 1]],
    8: [[3, 6], [2, 5], [1, 4]],
}


@pytest.mark.parametrize("orientation", range(1, 9))
def test_apply_orientation(orientation):
    shown = apply_orientation(STORED, orientation)
    assert shown.tolist() == SHOWN[orientation]
    assert shown.flags.c_contiguous


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(oriented_exif, orientation, order):
    exif = oriented_exif(orientation, order=order)
    assert exif_orientation(exif) == orientation
    assert exif_orientation(exif.removeprefix(b"Exif\0\0")) == orientation


@pytest.mark.parametrize(
    "exif",
    [
        None,
        b"",
        b"Exif\0\0",
        b"Exif\0\0II*\0",
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        b"no EXIF at all",
    ],
)
def test_damaged_exif_means_as_stored(exif):
    assert exif_orientation(exif) == 1


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_orientation_out_of_range_means_as_stored(oriented_exif, value):
    assert exif_orientation(oriented_exif(value)) == 1


def test_truncated_directory_means_as_stored(oriented_exif):
    assert exif_orientation(oriented_exif(6)[:-10]) == 1


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WebP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_format_is_shown_as_pillow_shows_it(
    encode, corners, oriented_exif, name, orientation
):
    if name == "TIFF":
        data = encode(corners, name, tiffinfo={0x0112: orientation})
    else:
        data = encode(corners, name, exif=oriented_exif(orientation))
    expected = PIL.ImageOps.exif_transpose(PIL.Image.open(io.BytesIO(data))).convert("RGB")
    np.testing.assert_array_equal(decode_image(data), np.asarray(expected))


@pytest.mark.parametrize("name", ["JPEG", "TIFF"])
def test_orientation_six_puts_the_stored_left_column_on_top(encode, corners, oriented_exif, name):
    options = {"tiffinfo": {0x0112: 6}} if name == "TIFF" else {"exif": oriented_exif(6)}
    image = decode_image(encode(corners, name, **options))
    assert image.shape == (48, 32, 3)
    # Shown on top from left to right: blue, red; below: white, green.
    found = image[[8, 8, 40, 40], [8, 24, 8, 24]].astype(int)
    wanted = np.array([[0, 0, 255], [255, 0, 0], [255, 255, 255], [0, 255, 0]])
    assert np.abs(found - wanted).max() < 12


def test_scaled_decoding_is_oriented_too(encode, corners, oriented_exif):
    large = np.kron(corners, np.ones((8, 8, 1), np.uint8))
    image = decode_image(encode(large, "JPEG", exif=oriented_exif(6)), long_side=96)
    assert image.shape == (96, 64, 3)
    assert image[10, 50, 0] > 240
    assert image[10, 50, 1:].max() < 15


def test_file_zip_and_hdf5_are_oriented(tmp_path, encode, corners, oriented_exif):
    h5py = pytest.importorskip("h5py")
    data = encode(corners, "JPEG", exif=oriented_exif(8))
    (tmp_path / "a.jpg").write_bytes(data)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.jpg", data)
    with h5py.File(tmp_path / "a.hdf5", "w") as archive:
        archive["a"] = np.void(data)
    expected = decode_image(data)
    assert expected.shape == (48, 32, 3)
    for locator in ("{0}/a.jpg", "zip://a.jpg::{0}/a.zip", "hdf5://a::{0}/a.hdf5"):
        path = locator.format(tmp_path)
        np.testing.assert_array_equal(read_image(path), expected)
        assert image_size(path) == (48, 32)


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WebP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_image_size_agrees_with_the_pixels(
    tmp_path, encode, corners, oriented_exif, name, orientation
):
    if name == "TIFF":
        data = encode(corners, name, tiffinfo={0x0112: orientation})
    else:
        data = encode(corners, name, exif=oriented_exif(orientation))
    path = tmp_path / "image"
    path.write_bytes(data)
    assert image_size(path) == decode_image(data).shape[:2]


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
    with pytest.raises(ImageError, match="pixel mode F is not that of a photograph"):
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


NO_LIBGL = "libGL.so.1: cannot open shared object file: No such file or directory"


@pytest.mark.parametrize(
    ("failing_import", "cure"),
    [
        (f'raise ImportError("{NO_LIBGL}")', "opencv-python-headless"),
        ("raise ModuleNotFoundError(\"No module named 'cv2'\")", "pip install opencv-python"),
    ],
)
def test_a_failing_import_names_the_cure(tmp_path, failing_import, cure):
    (tmp_path / "cv2.py").write_text(failing_import)
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "try:\n    import hybridlesion.io\n"
        "except ImportError as error:\n    print(type(error).__name__, error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("MissingDependencyError OpenCV could not be imported")
    assert cure in done.stdout
