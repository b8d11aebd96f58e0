"""Net benefit, on scores whose calls can be counted."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t as student

from hybridlesion.exceptions import OptionError
from hybridlesion.metrics import decision_curve, evaluate, net_benefit


@pytest.fixture
def truth_and_score(rng):
    y = (rng.random(500) < 0.2).astype(int)
    return y, 1 / (1 + np.exp(-(rng.normal(size=500) + 2 * y - 2)))


def test_net_benefit_by_hand():
    curve = decision_curve([0, 0, 0, 1], [0.1, 0.3, 0.1, 0.6], thresholds=[0.2])
    assert curve["net_benefit"][0] == pytest.approx(1 / 4 - 1 / 4 * 0.25)
    assert curve["act_on_all"][0] == pytest.approx(1 / 4 - 3 / 4 * 0.25)
    assert curve["act_on_none"][0] == 0


def test_acting_from_a_threshold_below_all_scores_is_acting_on_all(truth_and_score):
    y, score = truth_and_score
    curve = decision_curve(y, score, thresholds=[score.min() / 2])
    assert curve["net_benefit"][0] == pytest.approx(curve["act_on_all"][0])


@pytest.mark.parametrize("thresholds", [[0.0], [1.0], [0.5, 2]])
def test_thresholds_without_odds_are_refused(thresholds):
    with pytest.raises(OptionError, match="between 0 and 1"):
        decision_curve([0, 1], [0.1, 0.9], thresholds=thresholds)


def test_one_point_of_the_curve_is_the_measure(truth_and_score):
    y, score = truth_and_score
    table = evaluate(y, score, threshold=0.3, n_bootstrap=0).set_index("metric")
    called = score >= 0.3
    expected = (called & (y == 1)).mean() - (called & (y == 0)).mean() * 0.3 / 0.7
    assert net_benefit(y, score, 0.3) == pytest.approx(expected)
    assert table.loc["net_benefit", "value"] == pytest.approx(expected)


def test_interval_is_students_over_patients(truth_and_score):
    y, score = truth_and_score
    patient = np.arange(500) // 5
    curve = decision_curve(y, score, thresholds=[0.2, 0.4], groups=patient, n_bootstrap=4000)
    gained = np.where(y == 1, 1.0, -0.4 / 0.6) * (score >= 0.4)
    means = gained.reshape(100, 5).mean(axis=1)
    malignant = len(set(patient[y == 1]))
    reach = student.ppf(0.975, malignant - 1) * means.std() / 10
    row = curve.loc[1]
    assert row["low"] == pytest.approx(means.mean() - reach, abs=0.1 * reach)
    assert row["high"] == pytest.approx(means.mean() + reach, abs=0.1 * reach)
    assert list(curve) == ["threshold", "net_benefit", "act_on_all", "act_on_none", "low", "high"]


def test_scores_that_are_no_probabilities_are_refused():
    with pytest.raises(ValueError, match="probabilities from 0 to 1, got -1 to 2"):
        decision_curve([0, 1], [-1, 2])
