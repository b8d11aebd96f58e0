"""Measures in the terms of total-body photography, on lesions whose answer is visible."""

from __future__ import annotations

import numpy as np
import pytest

from hybridlesion.features import abcd


def test_a_plain_disc_is_smooth_symmetric_and_of_one_colour(disc, plain):
    values = abcd(plain(disc), disc)
    assert values["abcd__border_area_perimeter"] == pytest.approx(4 * np.pi, rel=0.05)
    assert values["abcd__border_norm"] < 1.0
    # its rim alone is mixed with skin
    assert values["abcd__color_norm"] < 2.0


def test_rings_of_colour_are_even_within_each_ring_and_halves_are_not(disc, plain):
    y, x = np.mgrid[-100:101, -100:101]
    rings, halves = plain(disc), plain(disc)
    dark = (60, 40, 30)
    rings[np.hypot(x, y) < 30] = dark
    halves[disc & (x > 0)] = dark
    ring_values, half_values = abcd(rings, disc), abcd(halves, disc)
    # 15 L* apart, half of each ring: a deviation of about 8, over three channels
    assert half_values["abcd__color_radial_sd"] > 3.0
    assert half_values["abcd__color_radial_sd"] > 1.3 * ring_values["abcd__color_radial_sd"]


def test_contrast_is_the_distance_in_lightness_and_b(disc):
    image = np.full((*disc.shape, 3), 200, np.uint8)
    image[disc] = 100
    values = abcd(image, disc)
    # greys have no b: only lightness counts
    assert values["abcd__color_contrast"] == pytest.approx(
        -values["abcd__color_lightness_delta"], rel=0.02
    )


def test_contrast_needs_skin_and_the_rest_does_not(plain):
    whole = np.ones((80, 80), bool)
    values = abcd(plain(whole), whole)
    assert np.isnan(values["abcd__color_contrast"])
    assert np.isfinite([values["abcd__color_norm"], values["abcd__border_norm"]]).all()


def test_a_thread_and_a_pixel_are_defined(plain):
    for rows, columns in ((slice(50, 51), slice(50, 51)), (slice(50, 51), slice(5, 95))):
        mask = np.zeros((100, 100), bool)
        mask[rows, columns] = True
        values = abcd(plain(mask), mask)
        assert 0.0 <= values["abcd__border_norm"] <= 10.0
        assert values["abcd__color_radial_sd"] >= 0.0
