"""Thresholds by rule, and what they do to the rows."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from hybridlesion.metrics import (
    best_cost_threshold,
    operating_points,
    threshold_at_sensitivity,
    threshold_interval,
)


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
