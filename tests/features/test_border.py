"""Border of shapes whose answer is visible."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.measure import perimeter_crofton

from hybridlesion.features._context import cut_out
from hybridlesion.features.border import border, box_counting_dimension, crofton_perimeter, cutoff


def test_star_has_bays():
    y, x = np.mgrid[-100:101, -100:101]
    star = np.hypot(x, y) < 60 + 20 * np.cos(5 * np.arctan2(y, x))
    image = np.full((201, 201, 3), 128, np.uint8)
    values = border(cut_out(image, star))
    assert values["bays"] == 5.0
    assert values["radius_lobes"] == pytest.approx(1 / 3, abs=0.05)  # points crowd on the flanks
    assert values["solidity"] < 0.9


@pytest.mark.parametrize("shape", [(17, 23), (1, 1), (3, 40)])
def test_crofton_perimeter_equals_scikit_image(shape, rng):
    mask = rng.random(shape) < 0.6
    padded = np.pad(mask, 2)
    assert crofton_perimeter(mask) == pytest.approx(perimeter_crofton(padded, 4))


def test_box_dimension_of_line_and_dust(rng):
    line = np.zeros((128, 128), bool)
    line[64] = True
    dust = rng.random((128, 128)) < 0.3
    assert box_counting_dimension(line) == pytest.approx(1.0, abs=0.02)
    assert box_counting_dimension(dust) > 1.6


def test_abrupt_cutoff_counts_the_sharp_octants():
    y, x = np.mgrid[-100:101, -100:101]
    radius = np.hypot(x, y)
    mask = radius <= 60
    soft = np.clip((radius - 36) / 48, 0, 1)
    sharp = (radius > 60).astype(float)
    # the right half ends abruptly, the left half fades
    share = np.where(x > 0, sharp, soft)[..., None]
    image = (np.array([90, 60, 45]) * (1 - share) + np.array([230, 200, 180]) * share).astype(
        np.uint8
    )
    full = np.where(sharp[..., None] > 0, [230, 200, 180], [90, 60, 45]).astype(np.uint8)
    half_values, full_values = cutoff(cut_out(image, mask)), cutoff(cut_out(full, mask))
    assert full_values["abrupt"] == pytest.approx(8.0, abs=0.2)
    assert 3.0 < half_values["abrupt"] < 6.0
    assert full_values["width"] < half_values["width"]
