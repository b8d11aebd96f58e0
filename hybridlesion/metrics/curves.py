"""ROC, precision-recall, reliability and decision curves as tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple

import numpy as np
import pandas as pd
from scipy.special import ndtri
from sklearn.metrics import precision_recall_curve as _precision_recall
from sklearn.metrics import roc_curve as _roc

from hybridlesion._validation import check_number
from hybridlesion.exceptions import OptionError
from hybridlesion.metrics._resampling import (
    Measure,
    Support,
    check_groups,
    check_probabilities,
    check_scores,
    interval_of,
    resample,
    wilson,
)
from hybridlesion.metrics.calibration import bin_scores
from hybridlesion.metrics.discrimination import Ranking


def roc_curve(y: np.ndarray, score: np.ndarray) -> pd.DataFrame:
    """Sensitivity against the false positive rate.

    Parameters
    ----------
    y : array-like of shape (n,), 0 or 1
        Truth; 1 is malignant.
    score : array-like of shape (n,)
        Scores.

    Returns
    -------
    DataFrame of shape (points, 3)
        ``false_positive_rate, sensitivity, threshold`` from (0, 0) to (1, 1); collinear points are
        omitted. The first threshold is infinite.

    Examples
    --------
    >>> roc_curve([0, 1], [0.2, 0.7])["sensitivity"].tolist()
    [0.0, 1.0, 1.0]
    """
    y, score = check_scores(y, score)
    false, true, threshold = _roc(y, score)
    return pd.DataFrame({"false_positive_rate": false, "sensitivity": true, "threshold": threshold})


def roc_band(
    y: np.ndarray,
    score: np.ndarray,
    *,
    groups: np.ndarray | None = None,
    n_bootstrap: int = 500,
    confidence: float = 0.95,
    random_state: int | None = 0,
) -> pd.DataFrame:
    """Specificity along the ROC curve, with an interval at each sensitivity.

    Parameters
    ----------
    y : array-like of shape (n,), 0 or 1
        Truth; 1 is malignant.
    score : array-like of shape (n,)
        Scores.
    groups : array-like of shape (n,), default=None
        Patient of each row. If None, each row is treated as its own patient.
    n_bootstrap : int, default=500
        Number of draws; if 0, the intervals are NaN.
    confidence : float, default=0.95
        Coverage of each interval.
    random_state : int or None, default=0
        Random seed.

    Returns
    -------
    DataFrame of shape (49, 4)
        ``sensitivity, specificity, low, high`` at sensitivities of 2 % to 98 %.

    Raises
    ------
    ValueError
        If `y` or `score` is invalid.

    Notes
    -----
    The intervals are those of `evaluate` for the specificity at a sensitivity. They hold for each
    sensitivity by itself, not for the whole curve.

    Examples
    --------
    >>> band = roc_band([0, 0, 1, 1] * 20, [0.1, 0.4, 0.35, 0.8] * 20)
    >>> band.loc[band["sensitivity"].between(0.49, 0.53), "specificity"].tolist()
    [1.0, 0.5]
    """
    y, score = check_scores(y, score)
    at = tuple(percent / 100 for percent in range(2, 100, 2))
    ranking = Ranking(y, score, check_groups(groups, len(y)), sensitivities=at)
    drawn = resample({"": [ranking]}, n_bootstrap, random_state)
    names = [f"specificity_at_{round(100 * one)}_sensitivity" for one in at]
    pairs = zip(at, names, strict=True)
    rows = [(one, *astuple(drawn[name].interval(confidence))) for one, name in pairs]
    return pd.DataFrame(rows, columns=["sensitivity", "specificity", "low", "high"])


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
        ``recall, precision, threshold`` by increasing threshold; the last point is recall 0 and
        precision 1, at an infinite threshold.

    Examples
    --------
    >>> precision_recall_curve([0, 1], [0.2, 0.7])["precision"].tolist()
    [0.5, 1.0, 1.0]
    """
    y, score = check_scores(y, score)
    precision, recall, threshold = _precision_recall(y, score, drop_intermediate=True)
    threshold = np.append(threshold, np.inf)
    return pd.DataFrame({"recall": recall, "precision": precision, "threshold": threshold})


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
        Number of bins of equal size; equal scores share a bin.
    confidence : float, default=0.95
        Coverage of the interval for the observed share.

    Returns
    -------
    DataFrame of shape (bins, 5)
        ``predicted, observed, low, high, n`` by increasing score.

    Notes
    -----
    Wilson's interval treats rows as independent, even those of the same patient.

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
    table = {"predicted": np.bincount(bins, weights=score) / n, "observed": observed}
    return pd.DataFrame(table | {"low": low, "high": high, "n": n})


_COVERAGES = (1.0, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)


def selective_risk(
    y: np.ndarray,
    score: np.ndarray,
    certainty: np.ndarray,
    *,
    threshold: float,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Error among the rows of highest certainty, against their share.

    Parameters
    ----------
    y : array-like of shape (n,), 0 or 1
        Truth; 1 is malignant.
    score : array-like of shape (n,)
        Scores.
    certainty : array-like of shape (n,)
        Confidence in each row, or applicability of the model; rows of low certainty are left out
        first.
    threshold : float
        Scores from here on count as malignant.
    confidence : float, default=0.95
        Coverage of the interval of the error.

    Returns
    -------
    DataFrame of shape (11, 9)
        ``coverage``, the share of rows kept, from 1 to 0.1; ``certainty``, the lowest kept;
        ``n``; ``error``, the share of wrong labels, and its interval ``low, high``;
        ``sensitivity`` and ``specificity``; and ``error_left_out``, that of the rows left out. A
        figure without rows is NaN.

    Raises
    ------
    ValueError
        If `y` or `score` is invalid, or `certainty` has missing values or another length.

    Notes
    -----
    The risk-coverage curve of a classifier with a reject option [1]_. Wilson's interval treats rows
    as independent, even those of the same patient.

    References
    ----------
    .. [1] R. El-Yaniv, Y. Wiener, "On the foundations of noise-free selective classification",
       Journal of Machine Learning Research 11, 1605-1641, 2010.

    Examples
    --------
    >>> curve = selective_risk([0, 0, 1, 1], [0.1, 0.9, 0.8, 0.7], [1, 0, 1, 1], threshold=0.5)
    >>> curve.set_index("coverage").loc[[1.0, 0.7], "error"].tolist()
    [0.25, 0.0]
    """
    y, score = check_scores(y, score)
    certainty = np.asarray(certainty, dtype=float)
    if certainty.shape != y.shape or np.isnan(certainty).any():
        raise OptionError(f"certainty must have one known value for each of {len(y)} rows.")
    order = np.argsort(-certainty, kind="stable")
    y, wrong = y[order], ((score >= threshold) != y)[order]
    rows = []
    for coverage in _COVERAGES:
        n = max(round(coverage * len(y)), 1)
        kept, out = wrong[:n], wrong[n:]
        low, high = wilson(kept.mean(), n, ndtri((1 + confidence) / 2))
        right = [1 - kept[own].mean() if own.any() else np.nan for own in (y[:n], ~y[:n])]
        left_out = out.mean() if len(out) else np.nan
        cut = certainty[order[n - 1]]
        rows.append((coverage, cut, n, kept.mean(), low, high, *right, left_out))
    names = "coverage certainty n error low high sensitivity specificity error_left_out"
    return pd.DataFrame(rows, columns=names.split())


def net_benefit(y: np.ndarray, score: np.ndarray, threshold: float) -> float:
    """True positives per row minus false positives weighted by the odds of the threshold.

    Parameters
    ----------
    y : array-like of shape (n,), 0 or 1
        Truth; 1 is malignant.
    score : array-like of shape (n,), 0 to 1
        Probabilities.
    threshold : float
        Lowest probability at which to act, above 0 and below 1.

    Returns
    -------
    float
        Net benefit, at most the prevalence; 0 is that of never acting.

    Raises
    ------
    ValueError
        If `threshold` is not between 0 and 1, or `y` or `score` is invalid.

    Notes
    -----
    ``TP / n - FP / n * t / (1 - t)`` at threshold t [1]_: acting at 5 % or more weights one missed
    malignant lesion like 19 unnecessary excisions.

    References
    ----------
    .. [1] A. J. Vickers, E. B. Elkin, "Decision curve analysis: a novel method for evaluating
       prediction models", Medical Decision Making 26, 565-574, 2006.

    Examples
    --------
    >>> net_benefit([0, 0, 1, 1], [0.1, 0.6, 0.7, 0.9], 0.5)
    0.25
    """
    check_number("threshold", threshold)
    return float(decision_curve(y, score, thresholds=[threshold])["net_benefit"].iloc[0])


def decision_curve(
    y: np.ndarray,
    score: np.ndarray,
    *,
    thresholds: Sequence[float] | None = None,
    groups: np.ndarray | None = None,
    n_bootstrap: int = 0,
    confidence: float = 0.95,
    random_state: int | None = 0,
) -> pd.DataFrame:
    """Net benefit of acting by the score, on all rows and on none.

    Parameters
    ----------
    y : array-like of shape (n,), 0 or 1
        Truth; 1 is malignant.
    score : array-like of shape (n,), 0 to 1
        Probabilities.
    thresholds : sequence of float, default=None
        Lowest probabilities at which to act, above 0 and below 1. If None, 50 values from a tenth
        of the prevalence to 0.5, evenly spaced on a log scale.
    groups : array-like of shape (n,), default=None
        Patient of each row. If None, each row is treated as its own patient.
    n_bootstrap : int, default=0
        Number of draws; if 0, no interval is computed.
    confidence : float, default=0.95
        Coverage of the interval.
    random_state : int or None, default=0
        Random seed.

    Returns
    -------
    DataFrame of shape (thresholds, 4) or (thresholds, 6)
        ``threshold, net_benefit, act_on_all, act_on_none``, in true positives per row; with draws,
        also ``low, high``, the interval of the net benefit.

    Raises
    ------
    ValueError
        If a threshold is not between 0 and 1, or `y` or `score` is invalid.

    Notes
    -----
    See `net_benefit`. Acting on all rows gives ``prevalence - (1 - prevalence) t / (1 - t)``.

    References
    ----------
    .. [1] A. J. Vickers, E. B. Elkin, "Decision curve analysis: a novel method for evaluating
       prediction models", Medical Decision Making 26, 565-574, 2006.

    Examples
    --------
    >>> decision_curve([0, 0, 1, 1], [0.1, 0.6, 0.7, 0.9], thresholds=[0.5]).iloc[0].to_dict()
    {'threshold': 0.5, 'net_benefit': 0.25, 'act_on_all': 0.0, 'act_on_none': 0.0}
    """
    y, score = check_probabilities(y, score)
    prevalence = y.mean()
    if thresholds is None:
        thresholds = np.geomspace(min(prevalence / 10, 0.05), 0.5, 50)
    t = np.asarray(thresholds, dtype=float)
    if t.ndim != 1 or not ((t > 0) & (t < 1)).all():
        allowed = "must lie between 0 and 1, both excluded"
        raise OptionError(f"thresholds {allowed}, got {thresholds!r}.")
    benefit = _NetBenefit(y, score, check_groups(groups, len(y)), t)
    points = resample({"": [benefit]}, n_bootstrap, random_state).values()
    table = {"threshold": t, "net_benefit": [point.value for point in points]}
    table |= {"act_on_all": prevalence - (1 - prevalence) * t / (1 - t), "act_on_none": 0.0}
    if n_bootstrap:
        bounds = [interval_of(point, confidence) for point in points]
        table["low"], table["high"] = np.array(bounds).reshape(-1, 2).T
    return pd.DataFrame(table)


class _NetBenefit(Measure):
    """Net benefit at many thresholds, as sums over groups."""

    def __init__(self, y: np.ndarray, score: np.ndarray, codes: np.ndarray, thresholds: np.ndarray):
        odds = thresholds / (1 - thresholds)
        self._rows = np.bincount(codes).astype(np.float64)
        self.n_groups = len(self._rows)
        self._sums = np.empty((len(thresholds), self.n_groups))
        for k, threshold in enumerate(thresholds):
            gains = np.where(y, 1.0, -odds[k]) * (score >= threshold)
            self._sums[k] = np.bincount(codes, weights=gains)
        malignant = len(np.unique(codes[y]))
        names = map(str, range(len(thresholds)))
        self.support = dict.fromkeys(names, Support("number", malignant, malignant - 1))

    def values(self) -> dict[str, float]:
        curve = self._sums.sum(axis=1) / self._rows.sum()
        return dict(zip(self.support, curve, strict=True))

    def draws(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        curves = self._sums @ weights[:-1] / (self._rows @ weights[:-1])
        return dict(zip(self.support, curves, strict=True))
