"""Structures on drawn lesions."""

from __future__ import annotations

import numpy as np
import pytest

from hybridlesion.features import abcd


def _spots(disc, plain, radius, step):
    image = plain(disc, inside=(170, 120, 90))
    y, x = np.indices(disc.shape)
    count = 0
    for cy in range(60, 145, step):
        for cx in range(60, 145, step):
            if np.hypot(cy - 100, cx - 100) < 45:
                image[np.hypot(y - cy, x - cx) <= radius] = (60, 35, 30)
                count += 1
    return abcd(image, disc), count


def test_dots_are_counted(disc, plain):
    values, count = _spots(disc, plain, radius=1.5, step=20)
    assert values["abcd__structure_dots_count"] == pytest.approx(count, abs=2)
    assert values["abcd__structure_globules_count"] == 0.0


def test_globules_are_counted(disc, plain):
    values, count = _spots(disc, plain, radius=3.4, step=24)
    assert values["abcd__structure_globules_count"] == pytest.approx(count, abs=2)
    assert values["abcd__structure_dots_count"] == 0.0


@pytest.mark.parametrize("core", [(30, 20, 15), (75, 50, 40)])
def test_a_dot_in_a_globule_counts_once(core, disc, plain):
    image, y, x = plain(disc, inside=(170, 120, 90)), *np.indices(disc.shape)
    centers = [(cy, cx) for cy in (76, 100, 124) for cx in (76, 100, 124)]
    for cy, cx in centers:
        image[np.hypot(y - cy, x - cx) <= 3.4] = (60, 35, 30)
        image[np.hypot(y - cy, x - cx) <= 1.5] = core
    values = abcd(image, disc)
    count = values["abcd__structure_dots_count"] + values["abcd__structure_globules_count"]
    assert count == len(centers)


def test_net_has_network_and_plain_is_structureless(disc, plain):
    net = plain(disc, inside=(170, 120, 90))
    y, x = np.indices(disc.shape)
    net[disc & ((y % 8 < 2) | (x % 8 < 2))] = (120, 75, 50)
    with_net, without = abcd(net, disc), abcd(plain(disc), disc)
    assert with_net["abcd__structure_network_share"] > 0.5
    assert without["abcd__structure_network_share"] < 0.05
    assert without["abcd__structure_structureless_share"] > 0.7
    assert with_net["abcd__structure_structureless_share"] < 0.1


def test_radial_lines_in_the_rim_are_streaks(disc, plain):
    y, x = np.mgrid[-100:101, -100:101]
    lines = disc & (np.cos(24 * np.arctan2(y, x)) > 0.6) & (np.hypot(x, y) > 42)
    rings = disc & (np.abs(np.hypot(x, y) - 53) < 1.2)
    image, other = plain(disc, inside=(170, 120, 90)), plain(disc, inside=(170, 120, 90))
    image[lines], other[rings] = (80, 50, 40), (80, 50, 40)
    radial, tangential = abcd(image, disc), abcd(other, disc)
    assert radial["abcd__structure_streaks_excess"] > 0.03
    assert tangential["abcd__structure_streaks_excess"] < 0.0
    assert radial["abcd__structure_streaks_octants"] >= 7.0


def test_blue_patch_is_veil(disc, plain):
    brown, blue = plain(disc), plain(disc, inside=(90, 95, 115))
    assert abcd(blue, disc)["abcd__structure_veil_share"] > 0.8
    assert abcd(brown, disc)["abcd__structure_veil_share"] < 0.1
