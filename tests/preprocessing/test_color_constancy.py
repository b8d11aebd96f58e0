"""Colour constancy on patches whose light is known."""

from __future__ import annotations

import numpy as np
import pytest

from hybridlesion.preprocessing import max_rgb, shades_of_gray


@pytest.mark.parametrize("correct", [shades_of_gray, max_rgb])
def test_a_neutral_image_stays(correct, rng):
    gray = rng.integers(0, 256, (20, 30, 1), dtype=np.uint8).repeat(3, axis=2)
    assert np.array_equal(correct(gray), gray)


@pytest.mark.parametrize("correct", [shades_of_gray, max_rgb])
def test_a_colored_light_is_divided_out(correct, rng):
    scene = rng.integers(20, 150, (40, 40, 1)).repeat(3, axis=2)
    lit = np.rint(scene * [1.5, 1.0, 0.75]).astype(np.uint8)
    corrected = correct(lit).reshape(-1, 3).astype(int)
    assert np.ptp(corrected, axis=1).max() <= 3


def test_the_grey_world_equalises_means():
    image = np.zeros((1, 2, 3), np.uint8)
    image[0, 0], image[0, 1] = (100, 40, 10), (20, 20, 50)
    assert shades_of_gray(image, power=1.0).reshape(-1, 3).sum(axis=0).tolist() == [80, 80, 80]


@pytest.mark.parametrize("correct", [shades_of_gray, max_rgb])
def test_only_masked_pixels_tell_the_light(correct):
    image = np.full((4, 4, 3), 100, np.uint8)
    image[:, 2:] = (250, 0, 0)
    mask = np.zeros((4, 4), bool)
    mask[:, :2] = True
    assert np.array_equal(correct(image, mask=mask), image)


@pytest.mark.parametrize("correct", [shades_of_gray, max_rgb])
@pytest.mark.parametrize("color", [(0, 0, 0), (255, 255, 255), (0, 255, 0)])
def test_black_channels_are_no_division_by_zero(correct, color):
    image = np.full((3, 3, 3), color, np.uint8)
    assert (correct(image)[..., np.array(color) == 0] == 0).all()


def test_reflections_do_not_decide_max_rgb():
    image = np.full((20, 20, 3), (120, 60, 90), np.uint8)
    image[0, 0] = 255
    assert max_rgb(image)[5, 5].tolist() == [90, 90, 90]


def test_parameters_are_checked():
    image = np.zeros((2, 2, 3), np.uint8)
    with pytest.raises(ValueError, match="power must be a number at least 1"):
        shades_of_gray(image, power=0.5)
    with pytest.raises(ValueError, match="percentile must be"):
        max_rgb(image, percentile=101)
