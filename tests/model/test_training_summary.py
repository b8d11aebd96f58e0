"""Distributions of the training rows."""

import numpy as np
import pandas as pd
import pytest

from hybridlesion import HybridLesionClassifier, load_artifact, save_artifact
from hybridlesion.model import LEVELS, Distribution, group_weights


def test_each_group_counts_once():
    values, groups = np.array([1.0, 9, 9, 9, 9, 2, 3]), [0, 1, 1, 1, 1, 2, 3]
    found = Distribution.of(values, *group_weights(groups))
    assert found.n_groups == 4
    shares = [np.mean(found.quantiles == value) for value in (1, 2, 3, 9)]
    np.testing.assert_allclose(shares, 0.25, atol=0.005)


def test_quantiles_are_those_of_numpy_and_missing_values_are_counted():
    values = np.random.default_rng(0).normal(size=303)
    found = Distribution.of(np.r_[values, [np.nan] * 101], np.ones(404), 404)
    expected = np.quantile(values, LEVELS, method="inverted_cdf")
    np.testing.assert_allclose(found.quantiles, expected)
    assert found.missing == pytest.approx(0.25)
    assert Distribution.of([np.nan] * 3, np.ones(3), 3).quantiles is None


def test_values_beyond_almost_all_rows():
    found = Distribution.of(np.arange(1000.0), np.ones(1000), 1000)
    values = np.array([0.0, 3, 10, 990, 999, np.nan])
    low, high = (found.beyond(values, 0.005, high=high).tolist() for high in (False, True))
    assert low == [True, True, False, False, False, False]
    assert high == [False, False, False, False, True, False]
    assert not Distribution.of(np.zeros(9), np.ones(9), 9).beyond([0.0], 0.005, high=True).any()


def test_a_model_keeps_the_summary_in_its_file(tmp_path):
    rng = np.random.default_rng(0)
    y = np.arange(90) % 3 == 0
    table = pd.DataFrame({"meta__age": 50 + 20.0 * y + rng.normal(0, 9, 90)})
    table["qa__mask_share"] = rng.uniform(0.1, 0.5, 90)
    table.loc[:8, "meta__age"] = np.nan
    model = HybridLesionClassifier(n_splits=3, max_trees=20).fit(table, y)
    save_artifact(tmp_path / "m.joblib", model)
    kept = load_artifact(tmp_path / "m.joblib").training_summary_
    assert list(kept) == ["score", "qa__mask_share", "meta__age"]
    assert kept["meta__age"].missing == pytest.approx(0.1)
    assert kept["qa__mask_share"].quantiles[-1] == table["qa__mask_share"].max()
    np.testing.assert_array_equal(
        kept["score"].quantiles[[0, -1]], np.sort(model.oof_score_)[[0, -1]]
    )
    assert (
        HybridLesionClassifier(n_splits=3, max_trees=20).fit(table.to_numpy(), y).training_summary_
        is None
    )
