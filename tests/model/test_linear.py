"""The linear part: missing values, outliers, large tables."""

import numpy as np
import pytest

from hybridlesion.model import _fold_model as _linear
from hybridlesion.model._fold_model import LinearModel


def _rows(n, seed=0, share=0.02):
    rng = np.random.default_rng(seed)
    y = rng.random(n) < share
    return (rng.normal(size=(n, 4)) + y[:, None]).astype(np.float32), y


def test_a_row_scores_the_same_alone_and_among_many():
    X, y = _rows(20_000)
    X[::7, 1] = np.nan
    part = LinearModel().fit(X, y)
    whole = part.logit(X)
    np.testing.assert_allclose(part.logit(X[9000:9001]), whole[9000:9001], rtol=1e-12)
    np.testing.assert_allclose(np.r_[part.logit(X[:50]), part.logit(X[50:])], whole, rtol=1e-12)


def test_drawn_negatives_leave_prior_and_ranking(monkeypatch):
    X, y = _rows(30_000)
    whole = LinearModel().fit(X, y)
    monkeypatch.setattr(_linear, "_MOST_ROWS", 6000)
    drawn = LinearModel().fit(X, y)
    fresh, _ = _rows(5000, seed=1)
    assert np.corrcoef(whole.logit(fresh), drawn.logit(fresh))[0, 1] > 0.99
    share = (1 / (1 + np.exp(-drawn.logit(fresh)))).mean()
    assert share == pytest.approx((1 / (1 + np.exp(-whole.logit(fresh)))).mean(), rel=0.15)


def test_one_broken_measurement_does_not_decide():
    X, y = _rows(2000)
    part = LinearModel().fit(X, y)
    row = X[:1].copy()
    row[0, 0] = 1e6
    far = part.logit(row)
    row[0, 0] = 5 * part.scale_[0] + part.mean_[0]
    np.testing.assert_allclose(far, part.logit(row), rtol=1e-5)
