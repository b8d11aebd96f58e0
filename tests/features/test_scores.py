"""The ABCD rule, perceived scales and the terms of total-body photography."""

from __future__ import annotations

import json
import runpy
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from hybridlesion.features import FEATURES, abcd, feature_names
from hybridlesion.features.scores import POINTS, load_scales, perceived, seven_points

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
fit_scale = runpy.run_path(str(BENCHMARKS / "monotone_scale.py"))["fit_scale"]


def test_fit_orders_as_people_do_and_leaves_noise_out(rng):
    x, noise = rng.random(300), rng.random(300)
    scale = fit_scale({"x": x, "noise": noise, "flat": 0 * x}, np.exp(x))
    assert [term.feature for term in scale.terms] == ["x"]
    ranks = [scale.rank({"x": v}) for v in (0.1, 0.5, 0.9)]
    assert ranks == sorted(ranks)
    assert ranks[1] == pytest.approx(0.5, abs=0.05)


def test_a_weight_never_works_against_its_own_feature(rng):
    # alone, both go with the strength; together, least squares would subtract the second
    x = rng.random(400)
    echo = x + rng.normal(0, 0.3, 400)
    strength = x - 0.3 * (echo - x)
    scale = fit_scale({"x": x, "echo": echo, "mirrored": -x}, strength)
    weights = {term.feature: term.weight for term in scale.terms}
    assert weights["x"] > 0 > weights["mirrored"]
    assert weights.get("echo", 0.0) >= 0


def test_missing_feature_counts_as_its_middle(rng):
    x = rng.random(100)
    scale = fit_scale({"x": x}, x)
    assert scale.rank({"x": np.nan}) == pytest.approx(scale.rank({"x": float(np.median(x))}))


def test_shipped_scales_use_features_of_the_catalogue():
    known = {feature.name: feature for feature in FEATURES}
    for name, scale in load_scales("perception").items():
        assert scale.terms
        for term in scale.terms:
            assert known[term.feature].family not in ("score", "skin")
            assert name != "asymmetry" or "scale" in known[term.feature].invariance


@pytest.mark.parametrize("name", ["perception", "seven_point"])
def test_shipped_scales_have_a_card(name):
    text = resources.files("hybridlesion.features").joinpath(f"{name}.json").read_text("utf-8")
    card = json.loads(text)["card"]
    assert {"what", "fitted_to", "images", "licence", "limits", "command"} <= set(card)


def test_the_checklist_has_a_scale_for_each_criterion_on_features_that_never_miss():
    scales = load_scales("seven_point")
    assert list(scales) == list(POINTS)
    known = {feature.name: feature for feature in FEATURES}
    for scale in scales.values():
        assert scale.terms
        assert all(known[term.feature].family != "score" for term in scale.terms)


def test_grades_add_up_to_the_total_with_major_criteria_twice(drawn_values):
    grades = {name: drawn_values[f"abcd__seven_point_{name}"] for name in POINTS}
    assert all(0 <= grade <= 1 for grade in grades.values())
    majors = grades["network"] + grades["veil"] + grades["vascular"]
    total = 2 * majors + sum(grades[n] for n in ("streaks", "dots", "pigmentation", "regression"))
    assert drawn_values["abcd__seven_point"] == pytest.approx(total)
    assert sum(POINTS.values()) == 10


def test_more_of_a_structure_never_lowers_its_grade(drawn_values):
    for name, scale in load_scales("seven_point").items():
        for term in scale.terms:
            step = np.sign(term.weight) * (term.high - term.low)
            changed = drawn_values | {term.feature: drawn_values[term.feature] + step}
            column = f"abcd__seven_point_{name}"
            assert seven_points(changed)[column] >= seven_points(drawn_values)[column]


def test_total_dermoscopy_score_is_stolz_formula(drawn_values):
    a, b, c, d = (
        drawn_values[f"abcd__{k}"] for k in ("asymmetry", "border", "color", "structures")
    )
    assert drawn_values["abcd__tds"] == pytest.approx(1.3 * a + 0.1 * b + 0.5 * c + 0.5 * d)


def test_drawn_lesion_scores_above_a_plain_disc(disc, plain, drawn_values):
    plain_values = abcd(plain(disc), disc)
    for name in ("color", "structures", "tds"):
        assert plain_values[f"abcd__{name}"] < drawn_values[f"abcd__{name}"], name
    for name in load_scales("perception"):
        assert plain_values[f"perceived__{name}"] < drawn_values[f"perceived__{name}"], name


def test_counts_are_whole_numbers_within_the_rule(drawn_values):
    for name, most in (("asymmetry", 2), ("border", 8), ("color", 6), ("structures", 5)):
        assert drawn_values[f"abcd__{name}"] in range(most + 1)


def test_a_disc_is_symmetric_and_a_half_dark_one_about_a_single_axis(disc, plain):
    image = plain(disc)
    assert abcd(image, disc)["abcd__asymmetry"] == 0
    image[:, : image.shape[1] // 2][disc[:, : image.shape[1] // 2]] = (60, 40, 30)
    assert abcd(image, disc)["abcd__asymmetry"] == 1


def test_no_visible_border_means_no_count_and_no_total(plain):
    whole = np.ones((80, 80), bool)
    values = abcd(plain(whole), whole)
    assert np.isnan([values["abcd__border"], values["abcd__tds"]]).all()
    assert values["abcd__asymmetry"] == 0


def test_perceived_ranks_stay_in_range_for_extreme_features():
    for extreme in (-1e9, 1e9, np.nan):
        ranks = perceived(dict.fromkeys(feature_names(), extreme))
        assert set(ranks) == {f"perceived__{name}" for name in ("asymmetry", "border", "color")}
        assert all(0 <= rank <= 1 for rank in ranks.values())


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
