"""Masks by the id of their image."""

from __future__ import annotations

import numpy as np
import pytest

from hybridlesion.exceptions import SourceError
from hybridlesion.images import find_masks, write_mask


def test_all_three_names_are_known_and_images_are_not(tmp_path):
    names = ("b_segmentation", "a_Segmentation", "sub/c_lesion", "d", "e_superpixels")
    for name in names:
        write_mask(tmp_path / f"{name}.png", np.eye(2) > 0)
    (tmp_path / "f_lesion.txt").write_text("no mask")
    assert list(find_masks(tmp_path)) == ["a", "b", "c"]
    assert find_masks(tmp_path)["c"] == str(tmp_path / "sub" / "c_lesion.png")


def test_two_masks_of_one_image_and_none_at_all_are_refused(tmp_path):
    with pytest.raises(SourceError, match="no masks in"):
        find_masks(tmp_path)
    with pytest.raises(SourceError, match="is no folder"):
        find_masks(tmp_path / "absent")
    for name in ("a_segmentation", "a_lesion"):
        write_mask(tmp_path / f"{name}.png", np.eye(2) > 0)
    with pytest.raises(SourceError, match="masks of one image"):
        find_masks(tmp_path)
