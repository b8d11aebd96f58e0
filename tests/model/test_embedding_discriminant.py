"""The probe finds a direction in many columns, and shows no row to its own fold."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from hybridlesion.metrics import roc_auc
from hybridlesion.model import EmbeddingDiscriminant


def _embedding(n=600, d=50, shift=0.4, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.random(n) < 0.2
    X = rng.normal(3, 1, (n, d)).astype(np.float32)
    X[:, :5] += shift * y[:, None]
    return X, y, np.arange(n) % 5


def test_direction_is_that_of_scikit_learn():
    X, y, folds = _embedding(d=10)
    probe, _ = EmbeddingDiscriminant.cross_fit(X, y, folds, shrinkages=(1e-12,))[0]
    train = folds != 0
    expected = LinearDiscriminantAnalysis(solver="lsqr").fit(X[train], y[train]).coef_[0]
    assert np.corrcoef(probe.coef_, expected)[0, 1] == pytest.approx(1, abs=1e-6)


def test_a_row_scores_the_same_alone_and_among_many():
    X, y, folds = _embedding(n=601, d=133)
    probe, _ = EmbeddingDiscriminant.cross_fit(X, y, folds)[0]
    whole = probe.score(X)
    assert probe.score(X[17:18])[0] == whole[17]
    np.testing.assert_array_equal(probe.score(X[5:98]), whole[5:98])


def test_score_of_the_fold_left_out_ranks():
    X, y, folds = _embedding(shift=1.0)
    scores = np.empty(len(y))
    for fold, (probe, _) in enumerate(EmbeddingDiscriminant.cross_fit(X, y, folds)):
        scores[folds == fold] = probe.score(X[folds == fold])
    assert roc_auc(y, scores) > 0.85


def test_scores_of_noise_are_noise_for_training_rows_and_for_the_fold_left_out():
    # One draw of 60 positives strays by 0.05; the mean of 20 by 0.01.
    inner_auc, held_auc, seen_auc = [], [], []
    for seed in range(20):
        X, y, folds = _embedding(n=300, d=40, shift=0, seed=seed)
        probe, inner = EmbeddingDiscriminant.cross_fit(X, y, folds, shrinkages=(0.5,))[0]
        train = folds != 0
        assert np.isnan(inner[~train]).all()
        inner_auc.append(roc_auc(y[train], inner[train]))
        held_auc.append(roc_auc(y[~train], probe.score(X[~train])))
        seen_auc.append(roc_auc(y[train], probe.score(X[train])))
    assert np.mean(inner_auc) == pytest.approx(0.5, abs=0.04)
    assert np.mean(held_auc) == pytest.approx(0.5, abs=0.06)
    # What a probe says of rows that it was fitted on is no score: hence the cross-fitting.
    assert np.mean(seen_auc) > 0.75


def test_inner_scores_do_not_depend_on_the_fold_left_out():
    X, y, folds = _embedding()
    _, before = EmbeddingDiscriminant.cross_fit(X, y, folds)[0]
    changed = y.copy()
    changed[folds == 0] = ~changed[folds == 0]
    _, after = EmbeddingDiscriminant.cross_fit(X, changed, folds)[0]
    np.testing.assert_allclose(before, after, rtol=1e-6, atol=1e-8)


def test_missing_embeddings_score_nan_and_teach_nothing():
    X, y, folds = _embedding()
    X[7] = np.nan
    probe, inner = EmbeddingDiscriminant.cross_fit(X, y, folds)[0]
    assert np.isnan(inner[7])
    assert np.isnan(probe.score(X[7:8])[0])
    assert np.isfinite(probe.coef_).all()


def test_constant_columns_get_no_weight():
    X, y, folds = _embedding()
    X[:, 9] = 4.2
    probe, _ = EmbeddingDiscriminant.cross_fit(X, y, folds)[1]
    assert probe.coef_[9] == 0


def test_two_folds_and_folds_without_positives_are_refused():
    X, y, folds = _embedding()
    with pytest.raises(ValueError, match="at least 3 folds, got 2"):
        EmbeddingDiscriminant.cross_fit(X, y, folds % 2)
    with pytest.raises(ValueError, match="two folds contain every usable row of a class"):
        EmbeddingDiscriminant.cross_fit(X, folds < 2, folds)
