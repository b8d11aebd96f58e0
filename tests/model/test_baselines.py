"""Baselines in the folds of a model."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from hybridlesion.metrics import roc_auc
from hybridlesion.model import HybridLesionClassifier
from hybridlesion.model._fold_model import score_baselines

NAMES = ["meta__age", "meta__sex_male", "meta__tbp_lv_area", "abcd__tds", "cnn__score"]


def _rows(rng, n=300):
    y = np.arange(n) % 3 == 0
    encoded = rng.normal(size=(n, 5)).astype(np.float32)
    encoded[:, [0, 3]] += y[:, None]
    encoded[:, 4] = np.where(y, 0.8, 0.1)
    return encoded, y, np.arange(n) % 5


def test_each_fold_is_scored_by_a_regression_on_the_others(rng):
    encoded, y, folds = _rows(rng)
    found = score_baselines(encoded, NAMES, y, folds, "cnn__score")
    assert list(found) == ["metadata", "logistic", "cnn"]
    held = folds == 2
    X = np.clip((encoded - encoded[~held].mean(0)) / encoded[~held].std(0), -5, 5)
    for name, columns in (("metadata", [0, 1]), ("logistic", [0, 1, 2, 3, 4])):
        model = LogisticRegression(C=0.1).fit(X[~held][:, columns], y[~held])
        expected = model.predict_proba(X[held][:, columns])[:, 1]
        np.testing.assert_allclose(found[name][held], expected, atol=1e-3)
    np.testing.assert_array_equal(found["cnn"], encoded[:, 4].astype(float))


def test_labels_of_a_fold_do_not_change_its_own_scores(rng):
    encoded, y, folds = _rows(rng)
    other = np.where(folds == 2, ~y, y)
    before, after = (score_baselines(encoded, NAMES, one, folds, None) for one in (y, other))
    pd.testing.assert_frame_equal(before[folds == 2], after[folds == 2])
    assert not np.allclose(before[folds == 1], after[folds == 1])


def test_noise_is_not_learned(rng):
    encoded, y, folds = _rows(rng)
    found = score_baselines(rng.permutation(encoded), NAMES, y, folds, None)
    assert roc_auc(y, found["logistic"]) < 0.6


def test_without_the_columns_there_is_no_such_baseline(rng):
    encoded, y, folds = _rows(rng)
    assert list(score_baselines(encoded[:, [3]], ["abcd__tds"], y, folds, None)) == ["logistic"]
    assert list(score_baselines(encoded[:, [0]], ["meta__age"], y, folds, None)) == ["metadata"]
    encoded[:, 0] = np.nan
    only = score_baselines(encoded[:, [0, 3]], ["meta__age", "abcd__tds"], y, folds, None)
    assert list(only) == ["logistic"]


def test_a_classifier_keeps_them_with_unknown_scores_of_the_network(rng):
    encoded, y, _ = _rows(rng, 90)
    table = pd.DataFrame(encoded, columns=NAMES).assign(patient_id=np.arange(90) // 2)
    table.loc[:9, "cnn__score"] = np.nan
    model = HybridLesionClassifier(3, max_trees=5, min_trees=5).fit(table, y)
    assert model.oof_baselines_ is None
    found = model.fit_baselines(table).oof_baselines_
    assert found["cnn"].isna().sum() == 10
    assert list(found) == ["metadata", "logistic", "cnn"]
    with pytest.raises(ValueError, match="of 90 rows; got 4"):
        model.fit_baselines(table[:4])
