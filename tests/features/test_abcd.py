"""`abcd` as a whole: odd masks, bad input, hair, and what leaves its values alone."""

from __future__ import annotations

import numpy as np
import pytest

from hybridlesion._optional_imports import cv2
from hybridlesion.exceptions import ImageError
from hybridlesion.features import FEATURES, abcd, feature_names

UNDEFINED = {feature.name for feature in FEATURES if feature.undefined}


def _odd_masks() -> dict[str, np.ndarray]:
    masks = {
        name: np.zeros((120, 160), bool)
        for name in ("one pixel", "corner pixel", "line", "half frame", "hole", "two parts")
    }
    masks["one pixel"][60, 80] = True
    masks["corner pixel"][0, 0] = True
    masks["line"][60] = True
    masks["half frame"][:, :70] = True
    masks["hole"][20:100, 30:130] = True
    masks["hole"][50:70, 60:100] = False
    masks["two parts"][10:40, 10:40] = masks["two parts"][80:115, 100:150] = True
    masks["whole frame"] = np.ones((120, 160), bool)
    return masks


@pytest.mark.parametrize("name", _odd_masks())
def test_odd_masks_are_defined(name, rng):
    image = rng.integers(60, 200, (120, 160, 3), dtype=np.uint8)
    structures = rng.random((5, 32, 32), np.float32)
    values = abcd(image, _odd_masks()[name], structures=structures)
    assert list(values) == feature_names()
    missing = {key for key, value in values.items() if not np.isfinite(value)}
    assert missing <= UNDEFINED
    assert bool(missing) == (name == "whole frame")
    for feature in FEATURES:
        if feature.name not in missing:
            assert feature.low <= values[feature.name] <= feature.high, feature.name


def test_empty_mask_is_all_nan():
    values = abcd(np.zeros((20, 30, 3), np.uint8), np.zeros((20, 30), bool))
    assert list(values) == feature_names()
    assert np.isnan(list(values.values())).all()


def test_one_pixel_image():
    values = abcd(np.full((1, 1, 3), 90, np.uint8), np.ones((1, 1), bool))
    assert values["abcd__dimension_area"] == 1.0
    assert np.isnan(values["abcd__skin_ita"])


@pytest.mark.parametrize("change", ["rot90", "fliplr", "flipud"])
def test_turning_and_mirroring_leave_the_values(drawn, drawn_values, change):
    image, mask = (np.ascontiguousarray(getattr(np, change)(array)) for array in drawn)
    turned = abcd(image, mask)
    for feature in FEATURES:
        if not {"rotation", "mirror"} <= set(feature.invariance):
            continue
        expected = drawn_values[feature.name]
        loose = 0.02 + 0.02 * abs(expected)
        if "coherence" in feature.name or "anisotropy" in feature.name:
            loose += 0.05
        if feature.unit == "count":
            loose += 2.0
        assert turned[feature.name] == pytest.approx(expected, abs=loose), feature.name


def test_shift_leaves_the_values(draw_lesion, drawn_values):
    image, mask = draw_lesion()
    moved = abcd(np.roll(image, (9, -14), (0, 1)), np.roll(mask, (9, -14), (0, 1)))
    for feature in FEATURES:
        if feature.family not in {"skin", "score"} and "shift" in feature.invariance:
            expected = drawn_values[feature.name]
            close = pytest.approx(expected, rel=1e-3, abs=1e-3)
            assert moved[feature.name] == close, feature.name


def test_resolution_leaves_shape_color_and_size(draw_lesion, drawn_values):
    for size in (720, 1500):
        values = abcd(*draw_lesion(size))
        for name in (
            "abcd__asymmetry_shape_min",
            "abcd__asymmetry_pigment_mean",
            "abcd__border_compactness",
            "abcd__border_solidity",
            "abcd__border_box_dimension",
            "abcd__color_share_blue_gray",
            "abcd__dimension_feret_max",
            "abcd__dimension_area",
        ):
            assert values[name] == pytest.approx(drawn_values[name], abs=0.02), name
        assert values["abcd__color_spread"] == pytest.approx(
            drawn_values["abcd__color_spread"], rel=0.05
        )


def test_hair_is_left_out_of_color(disc, plain):
    clean = plain(disc)
    hair = np.zeros_like(disc)
    hair[:, 98:103] = True
    hairy = clean.copy()
    hairy[hair] = (10, 10, 10)
    expected = abcd(clean, disc)
    seen, told = abcd(hairy, disc), abcd(hairy, disc, hair=hair)
    assert seen["abcd__color_lightness_sd"] > 5.0
    assert told["abcd__color_lightness_sd"] == pytest.approx(
        expected["abcd__color_lightness_sd"], abs=0.7
    )
    assert told["abcd__color_lightness_mean"] == pytest.approx(
        expected["abcd__color_lightness_mean"], abs=0.5
    )


def test_field_of_view_keeps_dark_corners_out_of_the_skin(disc, plain):
    image = plain(disc)
    view = np.ones_like(disc)
    view[:, :45] = False
    image[~view] = 0
    told = abcd(image, disc, field_of_view=view)
    assert told["abcd__color_lightness_delta"] == pytest.approx(
        abcd(plain(disc), disc)["abcd__color_lightness_delta"], abs=0.5
    )


def test_bad_input_is_refused():
    image, mask = np.zeros((10, 12, 3), np.uint8), np.ones((10, 12), bool)
    with pytest.raises(ImageError, match="same size"):
        abcd(image, mask.T)
    with pytest.raises(ImageError, match="uint8"):
        abcd(image / 255.0, mask)
    with pytest.raises(ImageError, match="raw must be"):
        abcd(image, mask, raw=image[:5])


def test_values_do_not_depend_on_where_arrays_lie_in_memory():
    rng = np.random.default_rng(0)
    image = rng.integers(60, 200, (150, 190, 3), dtype=np.uint8)
    mask = np.hypot(*(np.indices((150, 190)) - np.array([75, 95])[:, None, None])) < 60
    first, kept = abcd(image, mask), []
    for size in range(1, 16):
        kept.append(np.empty(40_001 * size, np.uint8))
        np.testing.assert_equal(abcd(image, mask), first)


def test_maps_of_structures_are_cut_where_the_lesion_lies(draw_lesion):
    image, mask = draw_lesion()
    rows, columns = np.nonzero(mask)
    inside = np.zeros((1, *mask.shape), np.float32)
    inside[0, rows, columns] = 1
    square = cv2.resize(inside[0], (128, 128), interpolation=cv2.INTER_AREA)
    values = abcd(image, mask, structures=np.stack([square, 1 - square, *np.zeros((3, 128, 128))]))
    assert values["abcd__structure_mapped_pigment_network_extent"] > 0.95
    assert values["abcd__structure_mapped_negative_network_extent"] < 0.05
    assert values["abcd__structure_mapped_globules_extent"] < 1e-3


def test_one_side_of_a_structure_is_uneven_and_its_shade_is_measured(disc, plain):
    image = plain(disc)
    image[:, 100:][disc[:, 100:]] = (60, 40, 30)
    right = np.zeros((5, 201, 201), np.float32)
    right[:2, :, 100:] = 1
    right[1] = 1
    values = abcd(image, disc, structures=right)
    name = "abcd__structure_mapped_{}_{}".format
    assert values[name("pigment_network", "extent")] == pytest.approx(0.5, abs=0.02)
    assert values[name("pigment_network", "unevenness")] > 0.9
    assert values[name("negative_network", "unevenness")] < 0.01
    assert values[name("pigment_network", "darkness")] > 8
    assert abs(values[name("negative_network", "darkness")]) < 0.1


def test_without_maps_their_features_are_missing(disc, plain):
    values = abcd(plain(disc), disc)
    missing = {name for name, value in values.items() if np.isnan(value)}
    assert missing == {name for name in values if "_mapped_" in name}
