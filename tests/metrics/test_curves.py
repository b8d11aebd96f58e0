"""Curves as tables, on scores whose points can be counted."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import auc

from hybridlesion.metrics import precision_recall_curve, reliability_curve, roc_auc, roc_curve


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
