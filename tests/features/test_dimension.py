"""Size of a rectangle, and Feret diameters against scikit-image's."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.measure import regionprops

from hybridlesion.features._abcd import dimension


def test_dimension_of_a_rectangle():
    mask = np.zeros((60, 80), bool)
    mask[10:40, 20:60] = True  # 30 x 40, diagonal 50; frame diagonal 100
    values = dimension(mask)
    assert values["feret_max"] == pytest.approx(0.5)
    assert values["feret_min"] == pytest.approx(0.3)
    assert values["area"] == pytest.approx(1200 / 4800)
    assert values["equivalent_diameter"] == pytest.approx(2 * np.sqrt(1200 / np.pi) / 100)
    assert values["frame_contact"] == 0.0


def test_feret_agrees_with_regionprops(draw_lesion):
    _, mask = draw_lesion(300)
    longest = dimension(mask)["feret_max"] * np.hypot(300, 300)
    props = regionprops(mask.astype(np.uint8))[0]
    assert longest == pytest.approx(props.feret_diameter_max, rel=0.01)
