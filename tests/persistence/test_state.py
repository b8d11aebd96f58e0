"""Boosters as text, checked before LightGBM reads it."""

from __future__ import annotations

import lightgbm
import numpy as np
import pytest

from hybridlesion.exceptions import ArtifactError
from hybridlesion.persistence._state import booster_from_text, checked_text

PARAMETERS = {"objective": "binary", "num_leaves": 5, "verbosity": -1, "num_threads": 1}


def _grow(rng, n_trees=3, **parameters) -> tuple[lightgbm.Booster, np.ndarray]:
    X = rng.normal(size=(300, 4))
    X[::7, 2] = np.nan
    y = X[:, 0] + np.nan_to_num(X[:, 2]) > 0
    data = lightgbm.Dataset(X, y.astype(np.float32), params=PARAMETERS | parameters)
    return lightgbm.train(PARAMETERS | parameters, data, n_trees), X


@pytest.mark.parametrize(
    "parameters", [{}, {"min_data_in_leaf": 200}, {"monotone_constraints": "1,0,0,0"}]
)
def test_scores_are_equal_to_the_last_bit(rng, parameters):
    booster, X = _grow(rng, **parameters)
    text = checked_text(booster.model_to_string())
    again = booster_from_text(text)
    np.testing.assert_array_equal(again.predict(X), booster.predict(X))
    for kind in ("gain", "split"):
        expected = booster.feature_importance(kind)
        np.testing.assert_allclose(again.feature_importance(kind), expected, rtol=1e-4)
    contributions = [b.predict(X, pred_contrib=True) for b in (again, booster)]
    np.testing.assert_allclose(*contributions, atol=1e-12)
    assert checked_text(again.model_to_string()) == text


def test_texts_of_lightgbm_3_are_read(rng):
    booster, X = _grow(rng)
    old = booster.model_to_string().replace("version=v4", "version=v3").replace("is_linear=0\n", "")
    np.testing.assert_array_equal(booster_from_text(old).predict(X), booster.predict(X))


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("left_child=", "left_child=99999999 ", "values of left_child"),
        ("num_leaves=5", "num_leaves=2000000000", "num_leaves"),
        ("num_leaves=5", "num_leaves=0", "no leaves"),
        ("num_leaves=5", "num_leaves=5\nnum_leaves=9", "occurs twice"),
        ("num_cat=0", "num_cat=1", "splits by category"),
        ("is_linear=0", "is_linear=1", "is linear"),
        ("decision_type=2", "decision_type=1", "unknown way"),
        ("num_class=1", "num_class=50", "number of classes"),
        ("num_tree_per_iteration=1", "num_tree_per_iteration=2", "number of classes"),
        ("max_feature_idx=3", "max_feature_idx=0", "a column that does not exist"),
        ("max_feature_idx=3", "max_feature_idx=-1", "max_feature_idx"),
        ("max_feature_idx=3", "max_feature_idx=999999999", "max_feature_idx"),
        ("objective=binary", "objective=multiclass", "unknown version"),
        ("version=v4", "version=w4", "unknown version"),
        ("leaf_value=", "leaf_value=0x10\r", "values of leaf_value|not made of numbers"),
        ("shrinkage=1", "shrinkage=1;", "shrinkage"),
        ("tree\n", "nothing\n\0", "unknown version"),
    ],
)
def test_texts_that_are_no_trees(rng, old, new, reason):
    text = _grow(rng)[0].model_to_string()
    assert old in text
    if old == "tree\n":
        text = new
    with pytest.raises(ArtifactError, match=reason):
        booster_from_text(text.replace(old, new, 1))


def _grow_three(rng) -> tuple[lightgbm.Booster, np.ndarray]:
    parameters = PARAMETERS | {"objective": "multiclass", "num_class": 3}
    X = rng.normal(size=(300, 4))
    data = lightgbm.Dataset(X, np.digitize(X[:, 0], [-0.5, 0.5]), params=parameters)
    return lightgbm.train(parameters, data, 3), X


def test_three_classes_score_equally_to_the_last_bit(rng):
    booster, X = _grow_three(rng)
    again = booster_from_text(checked_text(booster.model_to_string()))
    np.testing.assert_array_equal(again.predict(X), booster.predict(X))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("num_class=3\n", "num_class=4\n"),
        ("num_class:3", "num_class:0"),
        ("num_tree_per_iteration=3", "num_tree_per_iteration=1"),
        ("Tree=8\n", "Treetop=8\n"),
        ("num_class", "num_class=99999999999\nother"),
    ],
)
def test_numbers_of_classes_that_do_not_fit(rng, old, new):
    text = _grow_three(rng)[0].model_to_string()
    assert old in text
    with pytest.raises(ArtifactError, match=r"cannot be trusted"):
        booster_from_text(text.replace(old, new))


@pytest.mark.parametrize("child", ["100000", "0", "-100000", "-1", "x"])
@pytest.mark.parametrize("side", ["left_child", "right_child"])
def test_children_that_lead_out_of_the_tree_or_in_a_circle(rng, side, child):
    lines = _grow(rng)[0].model_to_string().split("\n")
    at = next(k for k, line in enumerate(lines) if line.startswith(side))
    *rest, last = lines[at].partition("=")[2].split()
    assert last != child
    lines[at] = f"{side}={' '.join([*rest, child])}"
    with pytest.raises(ArtifactError, match=r"points to a missing|a cycle|not made of"):
        booster_from_text("\n".join(lines))


@pytest.mark.parametrize("value", [None, 5, b"tree", ["tree"]])
def test_values_that_are_no_text(value):
    with pytest.raises(ArtifactError, match="they are not text"):
        booster_from_text(value)
