"""Thresholds on scores whose best cut is visible."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score

from hybridlesion.evaluation import (
    best_cost_threshold,
    choose_threshold,
    cost_threshold,
    threshold_at_sensitivity,
    threshold_interval,
)
from hybridlesion.evaluation._resamples import draw_multiplicities
from hybridlesion.exceptions import OptionError


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


def test_threshold_interval_is_that_of_repeated_rows():
    rng = np.random.default_rng(1)
    patient = rng.integers(40, size=500)
    y = rng.random(500) < 0.2
    score = (rng.normal(size=500) + y).round(1)
    found = threshold_interval(y, score, 0.9, groups=patient, n_bootstrap=60)
    assert found.value == threshold_at_sensitivity(y, score, 0.9)
    counts = np.concatenate(list(draw_multiplicities(40, 60, 0)), axis=1).astype(int)
    codes = pd.factorize(patient)[0]
    resampled = []
    for b in range(60):
        rows = np.repeat(np.arange(500), counts[codes, b])
        resampled.append(threshold_at_sensitivity(y[rows], score[rows], 0.9))
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(resampled, [0.025, 0.975])))
    assert found.low < found.high


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
    with pytest.raises(OptionError, match="how many needless calls"):
        best_cost_threshold([0, 1], [0, 1], ratio)
