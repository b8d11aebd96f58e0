"""Shrinking to a long side."""

from __future__ import annotations

import numpy as np
import pytest

from hybridlesion.exceptions import ImageError
from hybridlesion.io import resize_long_side


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
