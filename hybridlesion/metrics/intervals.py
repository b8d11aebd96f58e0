"""Intervals over patients, of one score and of the difference of two."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hybridlesion._validation import check_choice
from hybridlesion.metrics._decisions import Decisions
from hybridlesion.metrics._ranking import Ranking
from hybridlesion.metrics._resampling import (
    Drawn,
    check_groups,
    check_scores,
    compare_draws,
    interval_of,
    resample,
)
from hybridlesion.metrics.calibration import Reliability

__all__ = [
    "METRICS",
    "Interval",
    "PairedDifference",
    "bootstrap_interval",
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
    """A value with its interval.

    Parameters
    ----------
    value : float
        The measure on the data.
    low, high : float
        Ends of the interval.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class PairedDifference:
    """Two scores of the same rows, compared on the same draws.

    Parameters
    ----------
    value_a, value_b : float
        The measure of each score on the data.
    difference : float
        ``value_b - value_a``.
    low, high : float
        Ends of the interval of the difference.
    p_value : float
        Two-sided, see `compare_scores`; NaN for ``calibration_error``.
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
    """Measure a score, with an interval over patients.

    Parameters
    ----------
    y : array-like of shape (n,), 0 or 1
        Truth; 1 is malignant.
    score : array-like of shape (n,)
        Scores; probabilities for ``brier`` and the calibration measures.
    metric : str, default="auc"
        One of `METRICS`.
    groups : array-like of shape (n,), default=None
        Patient of each row; None takes each row for a patient.
    n_bootstrap : int, default=1000
        Number of draws.
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
    See `evaluate` for the kinds of interval.

    Examples
    --------
    >>> interval = bootstrap_interval([0, 0, 1, 1] * 20, [0.1, 0.4, 0.35, 0.8] * 20)
    >>> interval.value, interval.low < 0.75 < interval.high
    (0.75, True)
    """
    check_choice("metric", metric, METRICS)
    y, score = check_scores(y, score)
    codes = check_groups(groups, len(y))
    drawn = _draw(metric, y, score, codes, n_bootstrap, random_state)
    return Interval(drawn.value, *interval_of(drawn, confidence))


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
    """Compare two scores of the same rows on the same patients.

    Parameters
    ----------
    y : array-like of shape (n,), 0 or 1
        Truth; 1 is malignant.
    score_a, score_b : array-like of shape (n,)
        The two scores.
    metric : str, default="auc"
        One of `METRICS`.
    groups : array-like of shape (n,), default=None
        Patient of each row; None takes each row for a patient.
    n_bootstrap : int, default=1000
        Number of draws.
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
        _draw(metric, y, score, codes, n_bootstrap, random_state) for score in (score_a, score_b)
    )
    return PairedDifference(a.value, b.value, *compare_draws(b, a, confidence))


def _draw(
    metric: str,
    y: np.ndarray,
    score: np.ndarray,
    codes: np.ndarray,
    n_bootstrap: int,
    random_state: int | None,
) -> Drawn:
    if metric in ("brier", "calibration_in_the_large"):
        measure = Decisions(y, score, codes, threshold=0.5)
    elif metric.startswith("calibration"):
        measure = Reliability(y, score, codes)
    else:
        measure = Ranking(y, score, codes)
    return resample([measure], int(codes.max()) + 1, n_bootstrap, random_state)[metric]
