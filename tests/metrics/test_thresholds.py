"""Thresholds on scores whose best cut is visible."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import binom, norm
from sklearn.metrics import f1_score

from hybridlesion.exceptions import OptionError
from hybridlesion.metrics import (
    best_cost_threshold,
    choose_threshold,
    cost_threshold,
    decision_intervals,
    operating_points,
    threshold_at_sensitivity,
    threshold_interval,
    wilson,
)
from hybridlesion.metrics._resampling import Drawn, Support, interval_of
from hybridlesion.metrics.discrimination import Cutoffs


@pytest.mark.parametrize(("sensitivity", "threshold"), [(0.25, 8), (0.5, 6), (0.51, 3), (1.0, 1)])
def test_threshold_at_sensitivity(sensitivity, threshold):
    y, score = [1, 0, 1, 0, 1, 0, 1, 0], [8, 7, 6, 5, 3, 2, 1, 0]
    assert threshold_at_sensitivity(y, score, sensitivity) == threshold


@pytest.mark.parametrize("sensitivity", [0.1, 0.7, 0.9])
def test_rounding_asks_for_no_positive_too_many(sensitivity):
    score = np.arange(11.0)
    y = score > 0
    called = score >= threshold_at_sensitivity(y, score, sensitivity)
    assert called[y].sum() == round(10 * sensitivity)


def test_f1_threshold_beats_every_other(rng):
    y = rng.random(300) < 0.1
    score = rng.normal(size=300).round(1) + y
    best = f1_score(y, score >= choose_threshold(y, score, "f1"))
    assert best == pytest.approx(max(f1_score(y, score >= t) for t in score))


def test_youden_weighs_classes_alike():
    y = [0] * 8 + [1, 1]
    score = [0, 1, 2, 3, 4, 5, 6, 8, 7, 9]
    assert choose_threshold(y, score, "youden") == 7
    assert choose_threshold(y, score, "f1") == 7


def test_the_highest_of_equal_thresholds_is_taken():
    assert choose_threshold([0, 1, 0, 1], [1, 2, 3, 4], "youden") == 4


def test_unknown_rule_is_refused():
    with pytest.raises(ValueError, match="rule must be one of 'f1', 'youden', got 'fone'"):
        choose_threshold([0, 1], [0, 1], "fone")


def test_few_groups_widen_the_percentiles_of_a_quantile():
    draws = np.linspace(0, 1, 10_001)
    widths = []
    for groups in (5, 13, 100, 10**6):
        low, high = interval_of(Drawn(0.5, draws, Support("quantile", groups)), 0.95)
        widths.append(high - low)
    # 13 groups: 2.179 sqrt(13 / 12) = 2.268 standard deviations, which hold 97.67 %.
    assert widths[1] == pytest.approx(0.9767, abs=1e-4)
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] == pytest.approx(0.95, abs=1e-4)
    assert interval_of(Drawn(0.5, draws, Support("quantile", 1)), 0.95) == (0, 1)


@pytest.mark.parametrize(("n", "kind"), [(9, "drawn"), (10, "quantile")])
def test_two_positives_below_a_threshold_make_it_a_quantile(n, kind):
    y = np.arange(2 * n) < n
    cutoffs = Cutoffs(y, np.linspace(1, 0, 2 * n), np.arange(2 * n), sensitivities=(0.8,))
    assert cutoffs.support["sensitivity_0.8"].kind == kind


@pytest.mark.parametrize(("n", "sensitivity"), [(40, 0.8), (100, 0.9), (400, 0.95)])
def test_threshold_interval_of_single_rows_is_that_of_order_statistics(rng, n, sensitivity):
    """The positives between whose ranks the quantile lies with the stated probability."""
    score = rng.normal(size=2 * n)
    y = np.arange(2 * n) < n
    found = threshold_interval(y, score, sensitivity, n_bootstrap=4000)
    below = binom(n, 1 - sensitivity)
    low, high = int(below.ppf(0.05 / 3)), int(below.ppf(1 - 0.1 / 3)) + 1
    ordered = np.sort(score[y])
    assert ordered[max(low - 2, 0)] <= found.low <= ordered[low]
    assert ordered[high - 2] <= found.high <= ordered[high]
    assert found.low <= found.value == threshold_at_sensitivity(y, score, sensitivity) <= found.high


def test_thresholds_lie_further_apart_where_lesions_of_a_patient_are_alike(rng):
    alike = np.repeat(rng.normal(size=60), 5)
    score, y = alike + rng.normal(0, 0.1, 300), np.arange(300) < 150
    rows, whole = (threshold_interval(y, score, 0.8, groups=g) for g in (None, alike))
    assert whole.high - whole.low > 1.5 * (rows.high - rows.low)


def test_below_the_lowest_positive_the_threshold_lies_among_negatives():
    """Of 13 positives none lies below the threshold for 95 % sensitivity in half of all samples."""
    y = np.arange(113) < 13
    score = np.r_[np.linspace(0.5, 0.9, 13), np.linspace(0, 0.6, 100)]
    found = threshold_interval(y, score, 0.95)
    assert 0 < found.low < 0.2
    assert found.value == 0.5 < found.high < 0.7


def test_one_positive_leaves_nearly_all_scores_possible():
    y = np.arange(50) < 1
    score = np.r_[0.5, np.linspace(0.1, 0.9, 49)]
    found = threshold_interval(y, score, 0.8)
    assert 0.1 <= found.low < 0.2
    assert 0.5 <= found.high <= 0.9


@pytest.mark.parametrize("ratio", [0.5, 1, 9, 99])
def test_cost_threshold_is_where_both_costs_meet(ratio):
    p = cost_threshold(ratio)
    assert p * ratio == pytest.approx(1 - p)


def test_cost_threshold_is_best_for_true_probabilities():
    rng = np.random.default_rng(0)
    p = rng.uniform(0, 0.4, 400_000)
    y = rng.random(400_000) < p
    assert best_cost_threshold(y, p, 9) == pytest.approx(cost_threshold(9), abs=0.02)


@pytest.mark.parametrize("ratio", [0.3, 1, 5, 40])
@pytest.mark.parametrize("decimals", [1, 9])
def test_best_cost_threshold_beats_every_other(ratio, decimals):
    rng = np.random.default_rng(3)
    y = rng.random(300) < 0.15
    score = (rng.normal(size=300) + y).round(decimals)

    def cost(threshold):
        called = score >= threshold
        return ratio * (y & ~called).sum() + (~y & called).sum()

    best = best_cost_threshold(y, score, ratio)
    assert cost(best) == pytest.approx(min(cost(t) for t in [*score, np.inf]))


def test_calling_nothing_may_be_best():
    y, score = [1, 0, 0, 0], [0.1, 0.9, 0.9, 0.9]
    threshold = best_cost_threshold(y, score, 1)
    assert 0.9 < threshold < 0.9 + 1e-9


@pytest.mark.parametrize("ratio", [0, -1, np.inf])
def test_cost_ratios_without_a_meaning_are_refused(ratio):
    with pytest.raises(OptionError, match="above 0"):
        cost_threshold(ratio)
    with pytest.raises(OptionError, match="in false positives"):
        best_cost_threshold([0, 1], [0, 1], ratio)


@pytest.fixture
def cases(rng):
    patient = rng.integers(60, size=900)
    x = rng.normal(-2, 1.2, 900)
    return (rng.random(900) < expit(x)).astype(int), expit(x), patient


def test_thresholds_and_their_figures(cases):
    y, score, patient = cases
    points = operating_points(
        y, score, cost_ratio=9, threshold=0.2, groups=patient, n_bootstrap=100
    )
    assert points["rule"].tolist() == ["given", *["sensitivity"] * 3, "cost_formula", "cost_best"]
    assert points["threshold"].tolist() == [
        0.2,
        *(threshold_at_sensitivity(y, score, s) for s in (0.8, 0.9, 0.95)),
        0.1,
        best_cost_threshold(y, score, 9),
    ]
    for point in points.itertuples():
        called = score >= point.threshold
        assert point.sensitivity == pytest.approx(called[y == 1].mean())
        assert point.specificity == pytest.approx(1 - called[y == 0].mean())
        assert point.precision == pytest.approx(y[called].mean())
        assert point.called == pytest.approx(called.mean())
        assert point.sensitivity_low < point.sensitivity < point.sensitivity_high
        assert point.specificity_low < point.specificity < point.specificity_high


def test_intervals_of_thresholds_are_those_of_one_alone(cases):
    y, score, patient = cases
    points = operating_points(y, score, groups=patient, n_bootstrap=100, threshold=0.2)
    alone = threshold_interval(y, score, 0.9, groups=patient, n_bootstrap=100)
    row = points.query("at == 0.9").iloc[0]
    assert (row["threshold_low"], row["threshold_high"]) == (alone.low, alone.high)
    assert np.isnan(points.loc[0, "threshold_low"])


def test_formula_is_left_out_for_scores_that_are_no_probabilities(cases):
    y, score, _ = cases
    points = operating_points(y, score * 10, cost_ratio=9, n_bootstrap=0)
    assert "cost_formula" not in set(points["rule"])
    assert points["threshold_low"].isna().all()


def test_intervals_at_many_thresholds_are_those_of_operating_points(cases):
    y, score, groups = cases
    points = operating_points(y, score, groups=groups, sensitivities=[0.8, 0.95], n_bootstrap=4000)
    found = decision_intervals(y, score, points["threshold"], groups=groups)
    for name in ("sensitivity", "specificity", "precision"):
        for end in ("", "_low", "_high"):
            np.testing.assert_allclose(found[name + end], points[name + end], atol=0.015)


def test_single_rows_have_wilson_intervals(rng):
    y, score = np.arange(200) % 4 == 0, rng.random(200)
    row = decision_intervals(y, score, [0.5]).iloc[0]
    called = score >= 0.5
    shares = {
        "sensitivity": called[y],
        "specificity": ~called[~y],
        "precision": y[called],
        "npv": ~y[~called],
    }
    for name, hits in shares.items():
        expected = (hits.mean(), *wilson(hits.mean(), len(hits), norm.ppf(0.975)))
        assert row[[name, f"{name}_low", f"{name}_high"]].tolist() == pytest.approx(expected)
    # Of independent shares a / n, the variance of the logarithm is 1 / a - 1 / n.
    (tp, p), (fp, n) = ((hits.sum(), len(hits)) for hits in (called[y], called[~y]))
    assert row["positive_sd"] ** 2 == pytest.approx(1 / tp - 1 / p + 1 / fp - 1 / n)


def test_lesions_of_a_patient_that_agree_count_once():
    y, score = np.tile([0, 1], 60), np.tile([0.1, 0.9, 0.6, 0.4], 30)
    once = decision_intervals(y, score, [0.5]).iloc[0]
    y, score, groups = np.repeat(y, 3), np.repeat(score, 3), np.repeat(np.arange(120), 3)
    found = decision_intervals(y, score, [0.5], groups=groups).iloc[0]
    width = {
        name: one["sensitivity_high"] - one["sensitivity_low"]
        for name, one in (("once", once), ("thrice", found))
    }
    assert width["thrice"] == pytest.approx(width["once"], rel=0.05)


def test_shares_without_rows_are_undefined():
    row = decision_intervals([0, 1] * 5, [0.1, 0.9] * 5, [0.95]).iloc[0]
    assert row["sensitivity"] == 0
    assert np.isnan(row[["precision", "precision_low", "positive_sd"]].astype(float)).all()
