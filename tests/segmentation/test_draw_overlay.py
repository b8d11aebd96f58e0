"""The contour is drawn where the mask ends, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

from hybridlesion.exceptions import ImageError
from hybridlesion.segmentation import draw_overlay


@pytest.fixture
def image() -> np.ndarray:
    return np.full((60, 80, 3), 180, dtype=np.uint8)


@pytest.fixture
def mask() -> np.ndarray:
    mask = np.zeros((60, 80), dtype=bool)
    mask[20:40, 30:60] = True
    return mask


def test_line_runs_along_the_edge_only(image, mask):
    changed = (draw_overlay(image, mask, width=1) != image).any(axis=2)
    assert changed[20, 30:60].all()
    assert changed[20:40, 59].all()
    assert not changed[25:35, 36:54].any()
    assert not changed[:16].any()


def test_colour_is_as_asked_in_rgb_order(image, mask):
    drawn = draw_overlay(image, mask, color=(255, 0, 10), width=3)
    np.testing.assert_array_equal(drawn[20, 45], [255, 0, 10])


def test_image_is_left_alone_and_empty_masks_draw_nothing(image, mask):
    before = image.copy()
    np.testing.assert_array_equal(draw_overlay(image, np.zeros_like(mask)), image)
    draw_overlay(image, mask)
    np.testing.assert_array_equal(image, before)


def test_sizes_must_agree(image):
    with pytest.raises(ImageError, match="same size"):
        draw_overlay(image, np.zeros((10, 10), dtype=bool))
