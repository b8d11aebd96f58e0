"""EXIF orientation: all eight, from every way in."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import PIL.Image
import PIL.ImageOps
import pytest

from hybridlesion.io import decode_image, image_size, read_image
from hybridlesion.io._decoding import apply_orientation, exif_orientation

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
