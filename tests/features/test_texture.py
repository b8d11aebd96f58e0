"""Co-occurrence and binary patterns against brute force; structures on drawn ones."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.feature import graycomatrix, graycoprops

from hybridlesion.features import abcd
from hybridlesion.features.texture import (
    DIRECTIONS,
    cooccurrence,
    haralick,
    local_binary_pattern,
    quantise,
)


@pytest.mark.parametrize("step", [*DIRECTIONS, (3, 0), (4, -4), (0, 30)])
def test_cooccurrence_equals_brute_force(step, rng):
    grey, mask = rng.integers(0, 5, (14, 11)), rng.random((14, 11)) < 0.7
    expected = np.zeros((5, 5), int)
    for y in range(14):
        for x in range(11):
            v, u = y + step[0], x + step[1]
            if 0 <= v < 14 and 0 <= u < 11 and mask[y, x] and mask[v, u]:
                expected[grey[y, x], grey[v, u]] += 1
                expected[grey[v, u], grey[y, x]] += 1
    np.testing.assert_array_equal(cooccurrence(grey, mask, step, 5), expected)


def test_haralick_equals_scikit_image_on_a_full_mask(rng):
    grey = rng.integers(0, 16, (30, 40)).astype(np.uint8)
    theirs = graycomatrix(grey, [1], [0], levels=16, symmetric=True, normed=True)
    ours = haralick(cooccurrence(grey, np.ones(grey.shape, bool), (0, 1)))
    for name in ("contrast", "homogeneity", "correlation", "energy"):
        assert ours[name] == pytest.approx(graycoprops(theirs, name)[0, 0]), name


def test_cooccurrence_does_not_see_outside(rng):
    grey, mask = rng.integers(0, 16, (20, 20)), np.zeros((20, 20), bool)
    mask[5:15, 5:15] = True
    changed = np.where(mask, grey, 15 - grey)
    same = cooccurrence(grey, mask, (1, 1)), cooccurrence(changed, mask, (1, 1))
    np.testing.assert_array_equal(*same)


def test_quantise_ignores_gain_and_offset(rng):
    values, mask = rng.random((20, 20)).astype(np.float32), np.ones((20, 20), bool)
    np.testing.assert_array_equal(quantise(values, mask), quantise(values * 4 + 2, mask))
    assert not quantise(values * 0, mask).any()


def test_local_binary_pattern_equals_brute_force(rng):
    grey = rng.integers(0, 6, (9, 8)).astype(np.uint8)
    ring = ((-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1))
    result = local_binary_pattern(grey)
    for y in range(1, 8):
        for x in range(1, 7):
            bits = [int(grey[y + v, x + u] >= grey[y, x]) for v, u in ring]
            changes = sum(bits[k] != bits[k - 1] for k in range(8))
            assert result[y, x] == (sum(bits) if changes <= 2 else 9)


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


def test_values_do_not_depend_on_where_arrays_lie_in_memory():
    rng = np.random.default_rng(0)
    image = rng.integers(60, 200, (150, 190, 3), dtype=np.uint8)
    mask = np.hypot(*(np.indices((150, 190)) - np.array([75, 95])[:, None, None])) < 60
    first, kept = abcd(image, mask), []
    for size in range(1, 16):
        kept.append(np.empty(40_001 * size, np.uint8))
        np.testing.assert_equal(abcd(image, mask), first)
