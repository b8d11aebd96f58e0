"""Curves as tables, ready to be plotted or saved."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import ndtri
from sklearn.metrics import precision_recall_curve as _precision_recall
from sklearn.metrics import roc_curve as _roc

from hybridlesion._validation import check_number
from hybridlesion.metrics._resampling import check_scores, wilson
from hybridlesion.metrics.calibration import bin_scores

__all__ = ["precision_recall_curve", "reliability_curve", "roc_curve"]


def roc_curve(y: np.ndarray, score: np.ndarray) -> pd.DataFrame:
    """Sensitivity against false positive rate.

    Parameters
    ----------
    y : array-like of shape (n,), 0 or 1
        Truth; 1 is malignant.
    score : array-like of shape (n,)
        Scores.

    Returns
    -------
    DataFrame of shape (points, 3)
        ``false_positive_rate, sensitivity, threshold`` from (0, 0) to (1, 1); points on a
        straight line are left out. The first threshold is infinite.

    Examples
    --------
    >>> roc_curve([0, 1], [0.2, 0.7])["sensitivity"].tolist()
    [0.0, 1.0, 1.0]
    """
    y, score = check_scores(y, score)
    false, true, threshold = _roc(y, score)
    return pd.DataFrame({"false_positive_rate": false, "sensitivity": true, "threshold": threshold})


def precision_recall_curve(y: np.ndarray, score: np.ndarray) -> pd.DataFrame:
    """Precision against recall.

    Parameters
    ----------
    y : array-like of shape (n,), 0 or 1
        Truth; 1 is malignant.
    score : array-like of shape (n,)
        Scores.

    Returns
    -------
    DataFrame of shape (points, 3)
        ``recall, precision, threshold`` by rising threshold; the last point is recall 0 and
        precision 1, at an infinite threshold.

    Examples
    --------
    >>> precision_recall_curve([0, 1], [0.2, 0.7])["precision"].tolist()
    [0.5, 1.0, 1.0]
    """
    y, score = check_scores(y, score)
    precision, recall, threshold = _precision_recall(y, score, drop_intermediate=True)
    return pd.DataFrame(
        {"recall": recall, "precision": precision, "threshold": np.append(threshold, np.inf)}
    )


def reliability_curve(
    y: np.ndarray, score: np.ndarray, *, n_bins: int = 10, confidence: float = 0.95
) -> pd.DataFrame:
    """Observed share of positives against the mean score, in bins of equal size.

    Parameters
    ----------
    y : array-like of shape (n,), 0 or 1
        Truth; 1 is malignant.
    score : array-like of shape (n,), 0 to 1
        Probabilities.
    n_bins : int, default=10
        Bins of equal size; equal scores share one.
    confidence : float, default=0.95
        Coverage of the interval of the observed share.

    Returns
    -------
    DataFrame of shape (bins, 5)
        ``predicted, observed, low, high, n`` by rising score.

    Notes
    -----
    The interval is Wilson's, row by row; it does not know of patients.

    References
    ----------
    .. [1] E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
       Journal of the American Statistical Association 22, 209-212, 1927.

    Examples
    --------
    >>> reliability_curve([0, 0, 0, 1], [0.1, 0.1, 0.4, 0.4], n_bins=2)["observed"].tolist()
    [0.0, 0.5]
    """
    check_number("n_bins", n_bins, low=1, integer=True)
    check_number("confidence", confidence, low=0, high=1)
    y, score = check_scores(y, score)
    bins = bin_scores(score, n_bins)
    n = np.bincount(bins)
    observed = np.bincount(bins, weights=y) / n
    low, high = wilson(observed, n, ndtri((1 + confidence) / 2))
    return pd.DataFrame(
        {
            "predicted": np.bincount(bins, weights=score) / n,
            "observed": observed,
            "low": low,
            "high": high,
            "n": n,
        }
    )
