"""Scales fitted to perceived strengths, and the ABCD scores made of them."""

from __future__ import annotations

import json
from importlib import resources

import numpy as np
import pytest

from hybridlesion.features import abcd, feature_names
from hybridlesion.features.perception import fit_perception, load_perception
from hybridlesion.features.scores import PERCEIVED, scores


def test_fit_orders_as_people_do_and_respects_signs(rng):
    x, noise = rng.random(300), rng.random(300)
    features = {"x": x, "noise": noise, "against": -x}
    scale = fit_perception(features, {"x": 1, "noise": 1, "against": 1}, np.exp(x))
    assert "against" not in {term.feature for term in scale.terms}
    ranks = [scale.rank({"x": v, "noise": 0.5}) for v in (0.1, 0.5, 0.9)]
    assert ranks == sorted(ranks)
    assert ranks[1] == pytest.approx(0.5, abs=0.05)


def test_missing_feature_counts_as_its_middle(rng):
    x = rng.random(100)
    scale = fit_perception({"x": x}, {"x": 1}, x)
    assert scale.rank({"x": np.nan}) == pytest.approx(scale.rank({"x": float(np.median(x))}))


def test_shipped_scales_use_the_declared_features_with_the_declared_signs():
    for name, scale in load_perception().items():
        assert scale.terms
        for term in scale.terms:
            assert term.weight * PERCEIVED[name][term.feature] > 0
            assert term.feature in feature_names()


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
