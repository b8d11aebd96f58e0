"""Calibration slope and error against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from hybridlesion.metrics import (
    brier_score,
    calibration_error,
    calibration_in_the_large,
    calibration_slope,
    evaluate,
)


def test_brier_by_hand():
    assert brier_score([1, 0], [0.9, 0.2]) == pytest.approx((0.01 + 0.04) / 2)


def test_slope_of_true_halved_and_doubled_logits(rng):
    x = rng.normal(-3, 1.5, 40_000)
    y = rng.random(40_000) < expit(x)
    slope = calibration_slope(y, expit(x))
    assert slope == pytest.approx(1, abs=0.05)
    assert calibration_slope(y, expit(2 * x)) == pytest.approx(slope / 2, abs=0.005)
    assert calibration_slope(y, expit(x / 2)) == pytest.approx(slope * 2, abs=0.01)


def test_slope_equals_an_unpenalised_logistic_regression(rng):
    x = rng.normal(-2, 1, 5000)
    y = rng.random(5000) < expit(1 + 0.7 * x)
    model = LogisticRegression(C=np.inf, tol=1e-8, max_iter=1000).fit(x[:, None], y)
    assert calibration_slope(y, expit(x)) == pytest.approx(model.coef_[0, 0], abs=2e-3)


def test_slope_is_undefined_for_constant_and_separating_scores():
    y = [0, 0, 1, 1]
    assert np.isnan(calibration_slope(y, [0.5] * 4))
    assert np.isnan(calibration_slope(y, [0.1, 0.2, 0.8, 0.9]))


def test_slope_bears_zero_and_one():
    assert np.isfinite(calibration_slope([0, 1, 0, 1] * 5, [0.0, 0.0, 1.0, 1.0] * 5))


def test_error_by_hand():
    # Two bins of four: predicted 0.25 and 0.75, observed 0.5 and 0.75.
    y, score = [1, 1, 0, 0, 1, 1, 1, 0], [0.25] * 4 + [0.75] * 4
    assert calibration_error(y, score, n_bins=2) == pytest.approx(0.25 / 2)


def test_error_follows_a_shift_of_all_scores(rng):
    score = rng.uniform(0.1, 0.5, 20_000)
    y = rng.random(20_000) < score
    assert calibration_error(y, score) < 0.02
    assert calibration_error(y, score + 0.2) == pytest.approx(0.2, abs=0.01)
    assert calibration_error(y, expit(logit(score))) == pytest.approx(calibration_error(y, score))


def test_calibration_in_the_large_is_observed_over_expected(rng):
    score = rng.uniform(0, 0.5, 3000)
    y = rng.random(3000) < score
    found = calibration_in_the_large(y, score / 2)
    assert found == pytest.approx(y.sum() / score.sum() * 2)
    row = (
        evaluate(y, score / 2, n_bootstrap=200).set_index("metric").loc["calibration_in_the_large"]
    )
    assert row["value"] == pytest.approx(found)
    assert 1.5 < row["low"] < found < row["high"] < 2.5


@pytest.mark.parametrize(
    "measure", [brier_score, calibration_error, calibration_in_the_large, calibration_slope]
)
def test_scores_that_are_no_probabilities_are_refused(measure):
    with pytest.raises(ValueError, match="probabilities from 0 to 1, got -1 to 2"):
        measure([0, 1], [-1, 2])
