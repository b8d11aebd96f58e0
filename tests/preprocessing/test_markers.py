"""Markers by colour."""

from __future__ import annotations

import numpy as np
import pytest

from hybridlesion.preprocessing import marker_mask


@pytest.mark.parametrize("color", [(20, 130, 220), (100, 200, 190), (90, 40, 130), (40, 160, 60)])
def test_stickers_and_ink_are_marked(color):
    image = np.full((20, 30, 3), (215, 170, 150), np.uint8)
    image[5:15, 5:10] = color
    expected = np.zeros((20, 30), bool)
    expected[5:15, 5:10] = True
    assert np.array_equal(marker_mask(image), expected)


@pytest.mark.parametrize(
    "color", [(215, 170, 150), (90, 50, 30), (30, 20, 20), (190, 60, 60), (110, 115, 130)]
)
def test_skin_pigment_blood_and_veil_are_not(color):
    assert not marker_mask(np.full((4, 4, 3), color, np.uint8)).any()


def test_tinted_light_is_no_marker():
    assert not marker_mask(np.full((4, 4, 3), (100, 150, 255), np.uint8)).any()
