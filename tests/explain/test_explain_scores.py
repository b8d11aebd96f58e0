"""Reasons add up to the score, whatever the model is made of."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from hybridlesion.exceptions import OptionError
from hybridlesion.explain import explain_scores, family_of, family_shares
from hybridlesion.model import HybridLesionClassifier


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"calibration": "platt", "n_bags": 3, "n_seeds": 2},
        {"calibration": "isotonic"},
        {"calibration": "beta", "imbalance": "class_weight"},
        {"linear_weight": 0.0, "imbalance": "none"},
        {"linear_weight": 1.0},
    ],
    ids=str,
)
@pytest.mark.parametrize("n_embedding", [0, 4])
def test_base_and_parts_sum_to_the_score(make_table, fit, parameters, n_embedding):
    table, y = make_table(n_embedding=n_embedding)
    model = fit(table, y, **parameters)
    fresh, _ = make_table(n=50, seed=1, n_embedding=n_embedding)
    parts = explain_scores(model, fresh)
    expected = model.predict_proba(fresh)[:, 1]
    np.testing.assert_allclose(parts.drop(columns="score").sum(axis=1), expected, atol=1e-9)
    np.testing.assert_array_equal(parts["score"], expected)
    np.testing.assert_allclose(
        parts["base"] + family_shares(parts).sum(axis=1), expected, atol=1e-9
    )
    # Lesions with and without siblings have members of their own; missing metadata are part of it.
    missing = fresh.filter(like="meta__").isna()
    assert parts.loc[~missing.any(axis=1), "base"].nunique() <= 2
    assert not parts[missing.columns].to_numpy()[missing.to_numpy()].any()
    assert ("emb__" in parts) == bool(n_embedding)


def test_columns_are_those_of_the_table_and_the_index_is_kept(explained):
    model, table, _ = explained
    parts = explain_scores(model, table.iloc[5:9])
    assert parts.index.tolist() == [5, 6, 7, 8]
    names = [name for name in table if "__" in name]
    assert parts.columns.tolist()[:2] == ["score", "base"]
    assert [name for name in parts if name in names] == names
    assert all(name.startswith("ctx__") for name in parts.columns[2 + len(names) :])


def test_what_made_the_truth_has_the_largest_parts(explained):
    model, table, _ = explained
    mean = explain_scores(model, table).drop(columns=["score", "base"]).abs().mean()
    given = mean[[name for name in mean.index if not name.startswith("ctx__")]]
    assert set(given.nlargest(2).index) == {"meta__age", "abcd__border"}


def test_a_part_rises_with_a_column_that_raises_the_score(explained):
    model, table, _ = explained
    low, high = (table.head(20).assign(abcd__border=value) for value in (0.5, 7.5))
    low, high = low.drop(columns="patient_id"), high.drop(columns="patient_id")
    rise = explain_scores(model, high)["abcd__border"] - explain_scores(model, low)["abcd__border"]
    assert (rise > 0).all()


def test_matrices_are_explained_by_column_number(explained):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 3))
    y = X[:, 1] + rng.normal(size=120) > 0
    model = HybridLesionClassifier(n_splits=3, max_trees=20).fit(X, y)
    parts = model.contributions(X)
    assert parts.columns.tolist() == ["base", "0", "1", "2"]
    np.testing.assert_allclose(parts.sum(axis=1), model.predict_proba(X)[:, 1], atol=1e-9)
    assert parts.abs().mean().drop("base").idxmax() == "1"


def test_other_classifiers_are_refused():
    model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    with pytest.raises(OptionError, match="cannot explain the scores of a LogisticRegression"):
        explain_scores(model, pd.DataFrame({"meta__age": [1.0]}))


@pytest.mark.parametrize(
    ("column", "family"),
    [
        ("abcd__asymmetry_shape_min", "asymmetry"),
        ("abcd__structures", "structure"),
        ("abcd__tds", "tds"),
        ("cnn__score", "cnn"),
        ("emb__", "emb"),
        ("ctx__abcd__border", "ctx"),
        ("abcd__A [0, 1]", "other"),
        ("2", "other"),
    ],
)
def test_families(column, family):
    assert family_of(column) == family
