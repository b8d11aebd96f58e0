"""Locators to pixels: files, masks, sizes and the messages when it fails."""

from __future__ import annotations

import numpy as np
import PIL.Image
import pytest

from hybridlesion.exceptions import ImageError
from hybridlesion.io import image_size, read_image, read_mask, scan_images


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
