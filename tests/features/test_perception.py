"""Scales fitted to perceived strengths, and the ABCD scores made of them."""

from __future__ import annotations

import json
from importlib import resources

import numpy as np
import pytest

from hybridlesion.features import FEATURES, abcd, feature_names
from hybridlesion.features.scores import fit_perception, load_perception, scores


def test_fit_orders_as_people_do_and_leaves_noise_out(rng):
    x, noise = rng.random(300), rng.random(300)
    scale = fit_perception({"x": x, "noise": noise, "flat": 0 * x}, np.exp(x))
    assert [term.feature for term in scale.terms] == ["x"]
    ranks = [scale.rank({"x": v}) for v in (0.1, 0.5, 0.9)]
    assert ranks == sorted(ranks)
    assert ranks[1] == pytest.approx(0.5, abs=0.05)


def test_a_weight_never_works_against_its_own_feature(rng):
    # alone, both go with the strength; together, least squares would subtract the second
    x = rng.random(400)
    echo = x + rng.normal(0, 0.3, 400)
    strength = x - 0.3 * (echo - x)
    scale = fit_perception({"x": x, "echo": echo, "mirrored": -x}, strength)
    weights = {term.feature: term.weight for term in scale.terms}
    assert weights["x"] > 0 > weights["mirrored"]
    assert weights.get("echo", 0.0) >= 0


def test_missing_feature_counts_as_its_middle(rng):
    x = rng.random(100)
    scale = fit_perception({"x": x}, x)
    assert scale.rank({"x": np.nan}) == pytest.approx(scale.rank({"x": float(np.median(x))}))


def test_shipped_scales_use_features_of_the_catalogue():
    known = {feature.name: feature for feature in FEATURES}
    for name, scale in load_perception().items():
        assert scale.terms
        for term in scale.terms:
            assert known[term.feature].family not in ("score", "skin")
            assert name != "asymmetry" or "scale" in known[term.feature].invariance


def test_shipped_scales_have_a_card():
    text = resources.files("hybridlesion.features").joinpath("perception.json").read_text("utf-8")
    card = json.loads(text)["card"]
    assert {"fitted_to", "licence", "limits", "rank_correlation_in_10_folds"} <= set(card)


def test_total_dermoscopy_score_is_stolz_formula(drawn_values):
    a, b, c, d = (
        drawn_values[f"abcd__{k}"] for k in ("asymmetry", "border", "color", "structures")
    )
    assert drawn_values["abcd__tds"] == pytest.approx(1.3 * a + 0.1 * b + 0.5 * c + 0.5 * d)


def test_drawn_lesion_scores_above_a_plain_disc(disc, plain, drawn_values):
    plain_values = abcd(plain(disc), disc)
    for name in ("asymmetry", "border", "color", "structures", "tds"):
        assert plain_values[f"abcd__{name}"] < drawn_values[f"abcd__{name}"], name


def test_scores_stay_in_range_for_extreme_features():
    for extreme in (-1e9, 1e9, np.nan):
        values = dict.fromkeys(feature_names(), extreme)
        values |= {n: 0.0 for n in values if n.startswith("abcd__structure_")}
        result = scores(values)
        assert 0 <= result["asymmetry"] <= 2
        assert 0 <= result["border"] <= 8
        assert 1 <= result["color"] <= 6
        assert 1 <= result["structures"] <= 5
