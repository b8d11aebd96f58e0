"""Probabilities moved to another prevalence, against Bayes' rule."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from hybridlesion.exceptions import OptionError
from hybridlesion.metrics import calibration_in_the_large, roc_auc, shift_prevalence


def _posterior(x, prevalence):
    malignant, benign = prevalence * norm.pdf(x, 1), (1 - prevalence) * norm.pdf(x, 0)
    return malignant / (malignant + benign)


@pytest.mark.parametrize(("trained", "wanted"), [(0.5, 0.02), (0.02, 0.5), (0.1, 0.1)])
def test_it_is_the_posterior_of_the_other_prevalence(trained, wanted):
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


def test_certainty_and_missing_values_stay():
    shifted = shift_prevalence([[0.0, 1.0], [np.nan, 0.3]], 0.3, 0.1)
    assert shifted[0].tolist() == [0, 1]
    assert np.isnan(shifted[1, 0])
    assert shifted[1, 1] == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"trained": 0, "wanted": 0.1}, "trained must be a share .* got 0"),
        ({"trained": 0.1, "wanted": 2}, "wanted must be a share .* got 2. Two per cent are 0.02"),
        ({"trained": "a", "wanted": 0.1}, "trained must be a number"),
    ],
)
def test_prevalences_without_odds_are_refused(options, message):
    with pytest.raises(OptionError, match=message):
        shift_prevalence([0.5], **options)


def test_scores_that_are_no_probabilities_are_refused():
    with pytest.raises(OptionError, match="between 0 and 1, got 3 and 1 more"):
        shift_prevalence([0.2, 3, -1], 0.1, 0.2)
