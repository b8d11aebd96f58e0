"""The pictures behind the numbers and the numbers are one: each feature follows from its map."""

from __future__ import annotations

import numpy as np
import pytest

from hybridlesion._optional_imports import cv2
from hybridlesion.features import COLORS, abcd
from hybridlesion.features.asymmetry import LIMITS
from hybridlesion.features.border import ABRUPT
from hybridlesion.features.maps import NOT_MEASURED, lesion_maps
from hybridlesion.features.scores import present_structures


def _lesions(drawn, rng):
    """The baseline's lesion; one with noise, hair and a dark corner; one that leaves the frame."""
    image, mask = drawn
    yield image, mask, None, None
    noisy = (image + rng.normal(0, 14, image.shape)).clip(0, 255).astype(np.uint8)
    seen, hair = np.ones(mask.shape, bool), np.zeros(mask.shape, bool)
    seen[:150, :150] = False
    hair[170:174] = True
    yield noisy, mask, seen, hair
    yield noisy[100:, 150:], mask[100:, 150:], None, None


@pytest.fixture(params=range(3), ids=["drawn", "noisy", "cut"])
def case(request, drawn):
    image, mask, seen, hair = list(_lesions(drawn, np.random.default_rng(0)))[request.param]
    image, mask = np.ascontiguousarray(image), np.ascontiguousarray(mask)
    options = {"field_of_view": seen, "hair": hair}
    return abcd(image, mask, **options), lesion_maps(image, mask, **options)


def test_what_is_not_mirrored_is_the_asymmetry(case):
    values, maps = case
    mirror = maps.mirror
    share = np.abs(mirror.own - mirror.mirrored).sum() / (2 * mirror.own.sum())
    assert share == pytest.approx(mirror.shape[0], rel=2e-3)
    assert np.nanmean(mirror.difference) == pytest.approx(mirror.color[0], rel=2e-3)
    for kind, found in (("shape", mirror.shape), ("color", mirror.color)):
        curve = [values[f"abcd__asymmetry_{kind}_{end}"] for end in ("min", "max")]
        assert curve[0] - 1e-9 <= min(found) <= max(found) <= curve[1] + 1e-9
    pairs = zip(mirror.shape, mirror.color, strict=True)
    asymmetric = [one > LIMITS["shape"] or other > LIMITS["color"] for one, other in pairs]
    assert values["abcd__asymmetry"] == sum(asymmetric)


def test_octants_count_as_the_feature_counts_them(case):
    values, maps = case
    octants = maps.octants
    count = np.nanmean(octants.weight) * 8
    assert count == pytest.approx(values["abcd__border_abrupt"], rel=1e-6)
    assert np.nanmax(octants.slope) == pytest.approx(values["abcd__border_slope_max"], rel=1e-6)
    assert np.array_equal(octants.abrupt, np.nan_to_num(octants.slope) >= ABRUPT)
    assert values["abcd__border"] == octants.abrupt.sum()


def test_colours_have_the_shares_of_the_features(case):
    values, maps = case
    measured = maps.colors[maps.colors != NOT_MEASURED]
    for index, name in enumerate(COLORS):
        share = np.mean(measured == index)
        assert share == pytest.approx(values[f"abcd__color_share_{name}"], abs=1e-6)


def test_structures_have_the_shares_and_counts_of_the_features(case):
    values, maps = case
    found, inside = maps.structures, maps.lesion.inside
    measured = {
        "network_share": found.network.sum() / found.core.sum(),
        "dots_count": found.dots.sum(),
        "globules_count": found.globules.sum(),
        "streaks_share": found.streaks.sum() / max(found.rim.sum(), 1),
        "structureless_share": found.structureless[inside].mean(),
        "veil_share": found.veil[inside].mean(),
    }
    for name, value in measured.items():
        assert value == pytest.approx(values[f"abcd__structure_{name}"], rel=1e-4), name
    assert not (found.lines & ~found.network).any()


def test_presence_adds_up_to_the_score(case):
    values, _ = case
    present = present_structures(values)
    assert list(present) == ["network", "structureless", "streaks", "dots", "globules"]
    assert max(sum(present.values()), 1) == values["abcd__structures"]


def test_a_sharp_half_is_abrupt_in_four_octants(disc, plain):
    y, x = np.mgrid[-100:101, -100:101]
    image = plain(disc).astype(float)
    far = np.clip((np.hypot(x, y) - 30) / 40, 0, 1)[..., None]
    faded = (1 - far) * (120, 80, 60) + far * np.array((225, 190, 170))
    image[x < 0] = faded[x < 0]
    octants = lesion_maps(image.astype(np.uint8), disc).octants
    assert octants.abrupt.sum() == 4


def test_an_octant_is_abrupt_from_the_limit_on(drawn):
    image, mask = drawn
    slopes = []
    for sigma in range(4, 24):
        octants = lesion_maps(cv2.GaussianBlur(image, (0, 0), sigma), mask).octants
        assert np.array_equal(octants.abrupt, octants.slope >= ABRUPT)
        slopes.extend(octants.slope)
    # some lie close to the limit on either side, or nothing was tested
    assert min(np.abs(slope - ABRUPT) for slope in slopes if slope < ABRUPT) < 2
    assert min(slope - ABRUPT for slope in slopes if slope >= ABRUPT) < 2


@pytest.mark.parametrize("where", [np.s_[5:6, 7:8], np.s_[:, :], np.s_[3:4, :]])
def test_tiny_and_frame_filling_masks(where, rng):
    image = rng.integers(0, 255, (40, 50, 3), dtype=np.uint8)
    mask = np.zeros((40, 50), bool)
    mask[where] = True
    maps = lesion_maps(image, mask)
    assert maps.colors.shape == maps.lesion.mask.shape
