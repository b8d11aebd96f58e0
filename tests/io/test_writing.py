"""Pixels to files and back."""

from __future__ import annotations

import os

import numpy as np
import PIL.Image
import pytest

from hybridlesion.exceptions import ImageError, SourceError
from hybridlesion.io import read_image, read_mask, write_image, write_mask


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
