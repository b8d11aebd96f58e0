"""Thresholds on scores whose best cut is visible."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from hybridlesion.evaluation import choose_threshold, threshold_at_sensitivity


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
