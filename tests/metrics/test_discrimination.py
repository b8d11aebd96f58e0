"""Ranking measures against hand cases and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from hybridlesion.metrics import average_precision, partial_auc, roc_auc, specificity_at_sensitivity


def _scores(seed, n=600, share=0.1, decimals=None):
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < share).astype(int)
    score = rng.normal(size=n) + 1.2 * y
    return y, score if decimals is None else score.round(decimals)


def _isic2024_pauc(y, score, min_sensitivity):
    """The organisers' definition: flip classes and scores, then undo McClish's scaling."""
    width = 1 - min_sensitivity
    scaled = metrics.roc_auc_score(1 - y, -score, max_fpr=width)
    lowest = 0.5 * width**2
    return lowest + (width - lowest) / 0.5 * (scaled - 0.5)


@pytest.mark.parametrize("decimals", [None, 1, 0])
@pytest.mark.parametrize("seed", range(4))
def test_measures_equal_scikit_learn(seed, decimals):
    y, score = _scores(seed, decimals=decimals)
    assert roc_auc(y, score) == pytest.approx(metrics.roc_auc_score(y, score))
    assert average_precision(y, score) == pytest.approx(metrics.average_precision_score(y, score))
    for low in (0.5, 0.8, 0.95):
        expected = _isic2024_pauc(y, score, low)
        assert partial_auc(y, score, min_sensitivity=low) == pytest.approx(expected)


def test_partial_auc_of_perfect_random_and_reversed_scores():
    y = np.array([0] * 50 + [1] * 50)
    assert partial_auc(y, y) == pytest.approx(0.2)
    assert partial_auc(y, np.zeros(100)) == pytest.approx(0.02)
    assert partial_auc(y, -y) == 0


def test_partial_auc_by_hand():
    # The fifth positive lies below one of two negatives: above sensitivity 0.8 specificity is 0.5.
    y, score = [1, 1, 1, 1, 0, 1, 0], [7, 6, 5, 4, 3, 2, 1]
    assert partial_auc(y, score) == pytest.approx(0.2 * 0.5)
    assert roc_auc(y, score) == pytest.approx(0.9)


def test_partial_auc_of_the_whole_range_is_the_auc():
    y, score = _scores(9)
    assert partial_auc(y, score, min_sensitivity=0) == pytest.approx(roc_auc(y, score))


@pytest.mark.parametrize(("sensitivity", "expected"), [(0.5, 1.0), (0.51, 2 / 3), (1.0, 2 / 3)])
def test_specificity_at_sensitivity_by_hand(sensitivity, expected):
    y, score = [1, 0, 1, 0, 0], [5, 4, 3, 2, 1]
    assert specificity_at_sensitivity(y, score, sensitivity) == pytest.approx(expected)


def test_specificity_counts_ties_as_called():
    assert specificity_at_sensitivity([1, 0, 0, 0], [2, 2, 1, 1], 1.0) == pytest.approx(2 / 3)


@pytest.mark.parametrize("sensitivity", [0.8, 0.9, 0.95])
def test_specificity_equals_the_best_point_of_the_roc_curve(sensitivity):
    y, score = _scores(3, decimals=1)
    false, true, _ = metrics.roc_curve(y, score, drop_intermediate=False)
    expected = (1 - false[true >= sensitivity]).max()
    assert specificity_at_sensitivity(y, score, sensitivity) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("y", "score", "message"),
    [
        ([0, 0, 0], [1, 2, 3], "both classes"),
        ([0, 1], [1, 2, 3], "same length"),
        ([0, 1, 2], [1, 2, 3], "0 and 1 only"),
        ([0, 1, np.nan], [1, np.inf, np.nan], "1 missing values and score 2"),
    ],
)
def test_unusable_truth_and_scores_are_refused(y, score, message):
    with pytest.raises(ValueError, match=message):
        roc_auc(y, score)
