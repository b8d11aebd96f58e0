"""Bootstrap intervals over patients, of one score and of the difference of two."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hybridlesion._validation import check_choice
from hybridlesion.evaluation._decisions import Decisions
from hybridlesion.evaluation._ranking import Ranking
from hybridlesion.evaluation._reliability import Reliability
from hybridlesion.evaluation._resamples import (
    interval_of,
    percentiles,
    reach_interval,
    resample,
)
from hybridlesion.evaluation._scores import check_groups, check_scores

__all__ = [
    "METRICS",
    "Interval",
    "PairedDifference",
    "bootstrap_interval",
    "bootstrap_p_value",
    "paired_bootstrap",
]

METRICS = (
    "auc",
    "average_precision",
    "pauc",
    "brier",
    "specificity_at_80_sensitivity",
    "specificity_at_90_sensitivity",
    "specificity_at_95_sensitivity",
    "calibration_slope",
    "calibration_in_the_large",
    "calibration_error",
)


@dataclass(frozen=True)
class Interval:
    """A value with its bootstrap interval.

    Parameters
    ----------
    value : float
        The measure on the data.
    low, high : float
        Ends of the percentile interval; for ``calibration_error`` another, see `evaluate`.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class PairedDifference:
    """Two scores of the same rows, compared on the same resamples.

    Parameters
    ----------
    value_a, value_b : float
        The measure of each score on the data.
    difference : float
        ``value_b - value_a``.
    low, high : float
        Ends of the percentile interval of the difference; for ``calibration_error`` another, see
        `evaluate`.
    p_value : float
        Two-sided: twice the smaller share of resamples on one side of zero, at least
        ``2 / (n_bootstrap + 1)``; NaN for ``calibration_error``.
    """

    value_a: float
    value_b: float
    difference: float
    low: float
    high: float
    p_value: float


def bootstrap_interval(
    y: np.ndarray,
    score: np.ndarray,
    metric: str = "auc",
    *,
    groups: np.ndarray | None = None,
    n_bootstrap: int = 1000,
    confidence: float = 0.95,
    random_state: int | None = 0,
) -> Interval:
    """Measure a score, with an interval from resampled patients.

    Parameters
    ----------
    y : array-like of shape (n,), 0 or 1
        Truth; 1 is malignant.
    score : array-like of shape (n,)
        Scores; probabilities for ``brier`` and the calibration measures.
    metric : str, default="auc"
        One of `METRICS`.
    groups : array-like of shape (n,), default=None
        Patient of each row; None resamples rows.
    n_bootstrap : int, default=1000
        Number of resamples.
    confidence : float, default=0.95
        Coverage of the interval.
    random_state : int or None, default=0
        Seed.

    Returns
    -------
    Interval
        Value, low and high.

    Raises
    ------
    ValueError
        If the metric is unknown, or `y` or `score` cannot be used.

    Notes
    -----
    Whole groups are drawn with replacement, as many as there are. Resamples in which the
    measure is undefined (one class only) are passed over.

    References
    ----------
    .. [1] C. A. Field, A. H. Welsh, "Bootstrapping clustered data", Journal of the Royal
       Statistical Society B 69, 369-390, 2007.

    Examples
    --------
    >>> interval = bootstrap_interval([0, 0, 1, 1] * 20, [0.1, 0.4, 0.35, 0.8] * 20)
    >>> interval.value, interval.low < 0.75 < interval.high
    (0.75, True)
    """
    check_choice("metric", metric, METRICS)
    y, score = check_scores(y, score)
    codes = check_groups(groups, len(y))
    values = resample(
        [_measure(metric, y, score, codes)], codes.max() + 1, n_bootstrap, random_state
    )
    return Interval(float(values[metric][0]), *interval_of(metric, values, confidence))


def paired_bootstrap(
    y: np.ndarray,
    score_a: np.ndarray,
    score_b: np.ndarray,
    metric: str = "auc",
    *,
    groups: np.ndarray | None = None,
    n_bootstrap: int = 1000,
    confidence: float = 0.95,
    random_state: int | None = 0,
) -> PairedDifference:
    """Compare two scores of the same rows on the same resampled patients.

    Parameters
    ----------
    y : array-like of shape (n,), 0 or 1
        Truth; 1 is malignant.
    score_a, score_b : array-like of shape (n,)
        The two scores.
    metric : str, default="auc"
        One of `METRICS`.
    groups : array-like of shape (n,), default=None
        Patient of each row; None resamples rows.
    n_bootstrap : int, default=1000
        Number of resamples.
    confidence : float, default=0.95
        Coverage of the interval.
    random_state : int or None, default=0
        Seed.

    Returns
    -------
    PairedDifference
        Both values, b minus a, its interval and a p-value.

    Raises
    ------
    ValueError
        If the metric is unknown, or `y` or a score cannot be used.

    Examples
    --------
    >>> y = [0, 0, 1, 1] * 20
    >>> result = paired_bootstrap(y, [0.1, 0.4, 0.35, 0.8] * 20, [0.1, 0.2, 0.7, 0.8] * 20)
    >>> result.difference, result.low > 0
    (0.25, True)
    """
    check_choice("metric", metric, METRICS)
    y, score_a = check_scores(y, score_a)
    _, score_b = check_scores(y, score_b)
    codes = check_groups(groups, len(y))
    # The same seed draws the same patients for both.
    a, b = (
        resample([_measure(metric, y, score, codes)], codes.max() + 1, n_bootstrap, random_state)
        for score in (score_a, score_b)
    )
    return PairedDifference(
        float(a[metric][0]), float(b[metric][0]), *difference_of(metric, b, a, confidence)
    )


def difference_of(
    metric: str, one: dict[str, np.ndarray], other: dict[str, np.ndarray], confidence: float
) -> tuple[float, float, float, float]:
    """Compare a measure of two scores on the same resamples.

    Parameters
    ----------
    metric : str
        Name of the measure.
    one, other : dict of str to ndarray of shape (1 + B,)
        Values of each score on the data, then on the resamples.
    confidence : float
        Coverage of the interval.

    Returns
    -------
    difference, low, high, p_value : float
        ``one - other`` on the data, its interval, and its two-sided p-value, which
        ``calibration_error`` does not have.

    Examples
    --------
    >>> one, other = {"auc": np.array([0.9, 0.8, 1.0])}, {"auc": np.array([0.7, 0.7, 0.7])}
    >>> [round(value, 2) for value in difference_of("auc", one, other, 1.0)]
    [0.2, 0.1, 0.3, 0.67]
    """
    difference = one[metric] - other[metric]
    if metric != "calibration_error":
        bounds = percentiles(difference[1:], confidence)
        return float(difference[0]), *bounds, bootstrap_p_value(difference[1:])
    reach = one["calibration_error_reach"] + other["calibration_error_reach"]
    bounds = reach_interval(difference[0], reach[1:], confidence)
    return float(difference[0]), *bounds, float("nan")


def _measure(metric: str, y: np.ndarray, score: np.ndarray, codes: np.ndarray):
    if metric in ("brier", "calibration_in_the_large"):
        return Decisions(y, score, codes, threshold=0.5)
    if metric.startswith("calibration"):
        return Reliability(y, score, codes)
    return Ranking(y, score, codes)


def bootstrap_p_value(differences: np.ndarray) -> float:
    """Two-sided p-value of a difference from its resamples.

    Parameters
    ----------
    differences : ndarray of shape (B,)
        Difference on each resample; NaN is passed over.

    Returns
    -------
    float
        Twice the smaller share of resamples on one side of zero, zero itself on both; at least
        ``2 / (B + 1)`` and at most 1. NaN if no resample has a value.

    Examples
    --------
    >>> bootstrap_p_value(np.linspace(-1, 9, 199))
    0.21
    """
    known = differences[~np.isnan(differences)]
    if not len(known):
        return float("nan")
    side = min((known <= 0).sum(), (known >= 0).sum())
    return float(min(1.0, 2 * (side + 1) / (len(known) + 1)))
