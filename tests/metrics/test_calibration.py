"""Calibration metrics against their definitions, and prevalence shifts against Bayes' rule."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression

from hybridlesion.exceptions import OptionError
from hybridlesion.metrics import (
    brier_score,
    calibration_error,
    calibration_in_the_large,
    calibration_slope,
    evaluate,
    roc_auc,
    shift_prevalence,
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


def _posterior(x, prevalence):
    malignant, benign = prevalence * norm.pdf(x, 1), (1 - prevalence) * norm.pdf(x, 0)
    return malignant / (malignant + benign)


@pytest.mark.parametrize(("trained", "wanted"), [(0.5, 0.02), (0.02, 0.5), (0.1, 0.1)])
def test_shifted_probabilities_are_posteriors_of_the_other_prevalence(trained, wanted):
    x = np.linspace(-3, 4, 15)
    shifted = shift_prevalence(_posterior(x, trained), trained, wanted)
    assert shifted == pytest.approx(_posterior(x, wanted))
    assert shift_prevalence(shifted, wanted, trained) == pytest.approx(_posterior(x, trained))


def test_shifted_probabilities_are_calibrated_where_malignancy_is_rarer():
    rng = np.random.default_rng(0)
    y = rng.random(200_000) < 0.02
    p = _posterior(rng.normal(size=len(y)) + y, 0.3)
    assert calibration_in_the_large(y, p) < 0.2
    shifted = shift_prevalence(p, 0.3, 0.02)
    assert calibration_in_the_large(y, shifted) == pytest.approx(1, abs=0.05)
    assert roc_auc(y, shifted) == pytest.approx(roc_auc(y, p))


def test_shifts_leave_certainty_and_missing_values():
    shifted = shift_prevalence([[0.0, 1.0], [np.nan, 0.3]], 0.3, 0.1)
    assert shifted[0].tolist() == [0, 1]
    assert np.isnan(shifted[1, 0])
    assert shifted[1, 1] == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"trained": 0, "wanted": 0.1}, "trained must be a share .* got 0"),
        ({"trained": 0.1, "wanted": 2}, "wanted must be a share .* got 2. Two per cent is 0.02"),
        ({"trained": "a", "wanted": 0.1}, "trained must be a number"),
    ],
)
def test_prevalences_without_odds_are_refused(options, message):
    with pytest.raises(OptionError, match=message):
        shift_prevalence([0.5], **options)


def test_shifts_of_scores_that_are_no_probabilities_are_refused():
    with pytest.raises(OptionError, match="between 0 and 1, got 3 and 1 more"):
        shift_prevalence([0.2, 3, -1], 0.1, 0.2)
