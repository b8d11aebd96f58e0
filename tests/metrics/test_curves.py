"""Curves as tables, on scores whose points can be counted."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t as student
from sklearn.metrics import auc

from hybridlesion.exceptions import OptionError
from hybridlesion.metrics import (
    decision_curve,
    evaluate,
    net_benefit,
    precision_recall_curve,
    reliability_curve,
    roc_auc,
    roc_band,
    roc_curve,
    selective_risk,
    wilson,
)


@pytest.fixture
def truth_and_score(rng):
    y = (rng.random(500) < 0.2).astype(int)
    return y, 1 / (1 + np.exp(-(rng.normal(size=500) + 2 * y - 2)))


def test_roc_curve_runs_from_corner_to_corner_and_holds_the_auc(truth_and_score):
    curve = roc_curve(*truth_and_score)
    assert curve.iloc[0, :2].tolist() == [0, 0]
    assert curve.iloc[-1, :2].tolist() == [1, 1]
    area = auc(curve["false_positive_rate"], curve["sensitivity"])
    assert area == pytest.approx(roc_auc(*truth_and_score))


def test_the_band_of_the_roc_curve_holds_the_intervals_of_the_summary(truth_and_score):
    y, score = truth_and_score
    groups = np.arange(500) // 3
    band = roc_band(y, score, groups=groups, n_bootstrap=200).set_index("sensitivity")
    found = evaluate(y, score, groups=groups, n_bootstrap=200).set_index("metric")
    for percent in (80, 90):
        row = found.loc[f"specificity_at_{percent}_sensitivity"]
        same = band.loc[percent / 100, ["specificity", "low", "high"]]
        assert same.tolist() == row[["value", "low", "high"]].tolist()
    assert (band["low"] <= band["specificity"]).all()
    assert (band["specificity"] <= band["high"]).all()


def test_precision_recall_points_by_hand():
    curve = precision_recall_curve([1, 0, 1], [0.9, 0.5, 0.1])
    assert curve["recall"].tolist() == [1.0, 0.5, 0.5, 0.0]
    assert curve["precision"].tolist() == pytest.approx([2 / 3, 0.5, 1.0, 1.0])
    assert curve["threshold"].tolist() == [0.1, 0.5, 0.9, np.inf]


def test_reliability_bins_by_hand():
    curve = reliability_curve([0, 0, 0, 1], [0.1, 0.3, 0.4, 0.6], n_bins=2)
    assert curve["predicted"].tolist() == pytest.approx([0.2, 0.5])
    assert curve["observed"].tolist() == [0.0, 0.5]
    assert curve["n"].tolist() == [2, 2]
    # Wilson's interval of 0 of 2: 0 to z^2 / (2 + z^2).
    assert curve["high"][0] == pytest.approx(1.96**2 / (2 + 1.96**2), abs=1e-4)


def test_reliability_interval_holds_the_observed_share(truth_and_score):
    curve = reliability_curve(*truth_and_score)
    assert (curve["low"] <= curve["observed"]).all()
    assert (curve["observed"] <= curve["high"]).all()
    assert curve["n"].sum() == 500
    assert curve["predicted"].is_monotonic_increasing


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


def test_error_of_the_rows_kept_and_left_out():
    # The five rows of lowest applicability of twenty are wrong: two missed, three false positives.
    y = np.array([1, 1, 0, 0, 0] + [0, 1, 1] * 5)
    score = np.array([0.1, 0.2, 0.8, 0.9, 0.5] + [0.1, 0.9, 0.5] * 5)
    curve = selective_risk(y, score, np.arange(20), threshold=0.5).set_index("coverage")
    assert curve["n"].tolist() == [20, 19, 18, 16, 14, 12, 10, 8, 6, 4, 2]
    assert curve.loc[[1.0, 0.8, 0.7], "error"].tolist() == pytest.approx([5 / 20, 1 / 16, 0])
    assert curve.loc[[0.9, 0.7], "error_left_out"].tolist() == pytest.approx([1, 5 / 6])
    assert curve.loc[1.0, "sensitivity"] == pytest.approx(10 / 12)
    assert curve.loc[1.0, "specificity"] == pytest.approx(5 / 8)
    assert curve.loc[0.7, "certainty"] == 6
    low, high = wilson(1 / 16, 16, 1.959964)
    assert curve.loc[0.8, ["low", "high"]].tolist() == pytest.approx([low, high])
    assert np.isnan(curve.loc[1.0, "error_left_out"])


def test_missing_certainty_is_refused():
    with pytest.raises(OptionError, match="one known value for each of 2 rows"):
        selective_risk([0, 1], [0.1, 0.9], [0.5, np.nan], threshold=0.5)
