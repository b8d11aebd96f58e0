"""Reading, shrinking and writing of images and masks."""

from __future__ import annotations

import os

import numpy as np
import PIL.Image
import pytest

from hybridlesion.exceptions import ImageError, SourceError
from hybridlesion.io import (
    image_size,
    read_image,
    read_mask,
    resize_long_side,
    scan_images,
    write_image,
    write_mask,
)


def test_read_image_takes_strings_and_paths(tmp_path, encode, photograph):
    path = tmp_path / "a.png"
    path.write_bytes(encode(photograph))
    np.testing.assert_array_equal(read_image(path), photograph)
    np.testing.assert_array_equal(read_image(str(path)), photograph)
    np.testing.assert_array_equal(read_image(f"file://{path}"), photograph)


@pytest.mark.parametrize("read", [read_image, read_mask, image_size])
def test_missing_files_and_folders_are_image_errors(tmp_path, read):
    with pytest.raises(ImageError, match=r"gone\.jpg: No such file"):
        read(tmp_path / "gone.jpg")
    with pytest.raises(ImageError, match=r"Is a directory"):
        read(tmp_path)
    with pytest.raises(ImageError, match=r"gone\.zip: No such file"):
        read(f"zip://a.jpg::{tmp_path}/gone.zip")


def test_image_size_needs_the_header_only(tmp_path, encode, photograph):
    path = tmp_path / "a.jpg"
    data = encode(photograph, "JPEG")
    path.write_bytes(data[: data.index(b"\xff\xda") + 20])
    assert image_size(path) == (64, 96)
    with pytest.raises(ImageError, match=r"a\.jpg: truncated JPEG"):
        read_image(path)


def test_mask_is_above_128(tmp_path):
    PIL.Image.fromarray(np.array([[0, 127, 128, 129, 255]], np.uint8)).save(tmp_path / "m.png")
    assert read_mask(tmp_path / "m.png").tolist() == [[False, False, False, True, True]]


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA"])
def test_masks_of_any_mode(tmp_path, mode):
    mask = np.zeros((4, 6), bool)
    mask[1:3, 2:5] = True
    PIL.Image.fromarray(mask).convert(mode).save(tmp_path / "m.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png"), mask)


def test_transparent_pixels_are_outside_a_mask(tmp_path):
    pixels = np.full((1, 2, 4), 255, np.uint8)
    pixels[0, 1, 3] = 0
    PIL.Image.fromarray(pixels).save(tmp_path / "m.png")
    assert read_mask(tmp_path / "m.png").tolist() == [[True, False]]


def test_a_mask_of_ones_is_refused_and_not_read_as_empty(tmp_path):
    PIL.Image.fromarray(np.array([[0, 1]], np.uint8)).save(tmp_path / "m.png")
    with pytest.raises(ImageError, match="only 0 and 1"):
        read_mask(tmp_path / "m.png")


def test_an_empty_mask_is_empty(tmp_path):
    PIL.Image.new("L", (3, 2)).save(tmp_path / "m.png")
    assert not read_mask(tmp_path / "m.png").any()


@pytest.mark.real
def test_real_images_of_every_set_are_read(real_data):
    for folder in ("ph2", "isic2017-hires", "isic-archive", "isic2020"):
        images = scan_images(real_data / folder).images
        for path in images["path"][:5]:
            image = read_image(path)
            assert image.shape[:2] == image_size(path)
            assert image.std() > 5


@pytest.mark.real
def test_the_real_image_with_orientation_is_turned(real_data):
    turned = []
    for path in scan_images(real_data / "isic-archive").images["path"]:
        with PIL.Image.open(path) as stored:
            orientation = stored.getexif().get(0x0112, 1)
            if orientation >= 5:
                turned.append(path)
                assert image_size(path) == stored.size
                assert read_image(path, long_side=256).shape[0] < stored.width
    assert turned


@pytest.mark.real
def test_real_masks_have_the_size_of_their_image(real_data):
    masks = sorted((real_data / "ph2").rglob("*_lesion.png"))[:10]
    assert masks
    for path in masks:
        mask = read_mask(path)
        assert 0.005 < mask.mean() < 1
        image = next(path.parent.parent.rglob(path.name.replace("_lesion.png", ".[jb]*")))
        assert mask.shape == image_size(image)


def test_each_pixel_is_the_mean_of_its_area():
    image = np.zeros((2, 4, 3), np.uint8)
    image[:, 0] = 100
    image[:, 3] = 40
    assert resize_long_side(image, 2)[0, :, 0].tolist() == [50, 20]


@pytest.mark.parametrize(
    ("shape", "long_side", "expected"),
    [
        ((300, 400), 200, (150, 200)),
        ((400, 300), 200, (200, 150)),
        ((767, 575), 512, (512, 384)),
        ((1, 100_000), 512, (1, 512)),
        ((100_000, 1), 512, (512, 1)),
        ((3, 3), 1, (1, 1)),
    ],
)
def test_shape(shape, long_side, expected):
    assert resize_long_side(np.zeros((*shape, 3), np.uint8), long_side).shape == (*expected, 3)


@pytest.mark.parametrize("long_side", [8, 9, 10_000])
def test_images_are_never_enlarged(long_side):
    image = np.arange(8 * 6 * 3, dtype=np.uint8).reshape(8, 6, 3)
    assert resize_long_side(image, long_side) is image


def test_parameters_are_checked():
    with pytest.raises(ValueError, match="long_side must be a whole number at least 1, got 0"):
        resize_long_side(np.zeros((2, 2, 3), np.uint8), 0)
    with pytest.raises(ImageError, match="image must be an RGB array"):
        resize_long_side(np.zeros((2, 2)), 1)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".tiff"])
def test_masks_come_back(tmp_path, suffix):
    mask = np.zeros((5, 7), bool)
    mask[1:4, 2:6] = True
    path = tmp_path / "new" / f"ISIC_1_segmentation{suffix}"
    write_mask(path, mask)
    np.testing.assert_array_equal(read_mask(path), mask)
    with PIL.Image.open(path) as stored:
        assert stored.mode == "L"
        assert np.unique(np.asarray(stored)).tolist() == [0, 255]


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".PNG"])
def test_images_come_back(tmp_path, photograph, suffix):
    write_image(tmp_path / f"ü{suffix}", photograph)
    np.testing.assert_array_equal(read_image(tmp_path / f"ü{suffix}"), photograph)


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".webp"])
def test_lossy_images_come_back_nearly(tmp_path, corners, suffix):
    write_image(tmp_path / f"a{suffix}", corners)
    back = read_image(tmp_path / f"a{suffix}").astype(int)
    assert np.abs(back - corners).mean() < 6


def test_nothing_but_the_file_is_left(tmp_path, corners):
    write_image(tmp_path / "a.png", corners)
    write_mask(tmp_path / "b.png", corners[:, :, 0] > 0)
    assert sorted(os.listdir(tmp_path)) == ["a.png", "b.png"]


def test_a_failed_write_keeps_the_old_file(tmp_path, corners):
    write_image(tmp_path / "a.png", corners)
    with pytest.raises(ImageError, match="image must be an RGB array"):
        write_image(tmp_path / "a.png", corners[:, :, 0])
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), corners)


def test_suffixes_are_checked(tmp_path, corners):
    with pytest.raises(ImageError, match=r"must end in one of \.png, \.bmp.* got '\.jpg'"):
        write_mask(tmp_path / "a.jpg", corners[:, :, 0] > 0)
    with pytest.raises(ImageError, match=r"got '\.gif'"):
        write_image(tmp_path / "a.gif", corners)
    assert os.listdir(tmp_path) == []


def test_a_folder_that_cannot_be_made(tmp_path, corners):
    (tmp_path / "file").touch()
    with pytest.raises(SourceError, match="is a file; name a folder"):
        write_image(tmp_path / "file" / "a.png", corners)
