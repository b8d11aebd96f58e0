"""Masks by the id of their image."""

from __future__ import annotations

import numpy as np
import pytest

from hybridlesion.exceptions import SourceError
from hybridlesion.io import find_masks, write_image, write_mask


def test_all_three_names_are_known_and_images_are_not(tmp_path):
    names = ("b_segmentation", "a_Segmentation", "sub/c_lesion", "d", "e_superpixels")
    for name in names:
        write_mask(tmp_path / f"{name}.png", np.eye(2) > 0)
    (tmp_path / "f_lesion.txt").write_text("no mask")
    assert list(find_masks(tmp_path)) == ["a", "b", "c"]
    assert find_masks(tmp_path)["c"] == str(tmp_path / "sub" / "c_lesion.png")


@pytest.mark.parametrize(
    "name", ["a_mask.png", "a-mask.png", "mask_a.png", "a_gt.bmp", "a_Mask.PNG", "sub/a.png"]
)
def test_other_names_of_masks(tmp_path, name):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    write_mask(path, np.eye(9) > 0)
    assert find_masks(tmp_path) == {"a": str(path)}
    # The image is called otherwise but for case.
    assert find_masks(tmp_path, ["A", "b"]) == {"A": str(path)}


def test_photographs_under_their_own_names_are_no_masks(tmp_path, photograph):
    write_image(tmp_path / "a.png", photograph)
    with pytest.raises(SourceError, match="no masks in"):
        find_masks(tmp_path)


def test_two_masks_of_one_image_and_none_at_all_are_refused(tmp_path):
    with pytest.raises(SourceError, match="no masks in"):
        find_masks(tmp_path)
    with pytest.raises(SourceError, match="is not a folder"):
        find_masks(tmp_path / "absent")
    for name in ("a_segmentation", "a_lesion"):
        write_mask(tmp_path / f"{name}.png", np.eye(2) > 0)
    with pytest.raises(SourceError, match="masks of one image"):
        find_masks(tmp_path)


def test_linked_folders_are_searched(tmp_path):
    write_mask(tmp_path / "disk" / "a_mask.png", np.eye(9) > 0)
    (tmp_path / "masks").mkdir()
    (tmp_path / "masks" / "link").symlink_to(tmp_path / "disk")
    assert list(find_masks(tmp_path / "masks")) == ["a"]
