"""How far predicted probabilities can be believed."""

from __future__ import annotations

import numpy as np

from hybridlesion._validation import check_number
from hybridlesion.evaluation._reliability import Reliability
from hybridlesion.evaluation._scores import check_probabilities, check_scores

__all__ = [
    "brier_score",
    "calibration_error",
    "calibration_in_the_large",
    "calibration_slope",
]


def brier_score(y: np.ndarray, score: np.ndarray) -> float:
    """Mean squared difference between probability and truth.

    Parameters
    ----------
    y : array-like of shape (n,), 0 or 1
        Truth; 1 is malignant.
    score : array-like of shape (n,), 0 to 1
        Probabilities.

    Returns
    -------
    float
        0 (best) to 1.

    Raises
    ------
    ValueError
        If a score lies outside 0 to 1.

    Examples
    --------
    >>> brier_score([0, 1], [0.5, 0.5])
    0.25
    """
    y, score = check_probabilities(*check_scores(y, score))
    return float(np.mean((score - y) ** 2))


def calibration_slope(y: np.ndarray, score: np.ndarray) -> float:
    """Slope of the logistic regression of the truth on the score's logit.

    Parameters
    ----------
    y : array-like of shape (n,), 0 or 1
        Truth; 1 is malignant.
    score : array-like of shape (n,), 0 to 1
        Probabilities.

    Returns
    -------
    float
        1 is right, below 1 the scores are too extreme, above 1 too timid. NaN where no finite
        slope exists: constant scores, or scores that separate the classes.

    Raises
    ------
    ValueError
        If a score lies outside 0 to 1.

    References
    ----------
    .. [1] D. R. Cox, "Two further applications of a model for binary regression", Biometrika
       45, 562-565, 1958.

    Examples
    --------
    >>> y = [1] * 2 + [0] * 8 + [1] * 8 + [0] * 2
    >>> round(calibration_slope(y, [0.2] * 10 + [0.8] * 10), 3)
    1.0
    """
    return _measure(y, score, "calibration_slope")


def calibration_in_the_large(y: np.ndarray, score: np.ndarray) -> float:
    """Share of malignant rows over the mean probability.

    Parameters
    ----------
    y : array-like of shape (n,), 0 or 1
        Truth; 1 is malignant.
    score : array-like of shape (n,), 0 to 1
        Probabilities.

    Returns
    -------
    float
        1 is right, above 1 malignancy is more frequent than the scores say, below 1 rarer.
        Infinite where all probabilities are 0.

    Raises
    ------
    ValueError
        If a score lies outside 0 to 1.

    Notes
    -----
    Observed over expected, O/E. A ratio rather than a difference: at 1 % prevalence a difference
    of 0.01 would mean half as many or twice as many.

    References
    ----------
    .. [1] B. Van Calster, D. J. McLernon, M. van Smeden, L. Wynants, E. W. Steyerberg,
       "Calibration: the Achilles heel of predictive analytics", BMC Medicine 17, 230, 2019.

    Examples
    --------
    >>> calibration_in_the_large([0, 0, 0, 1], [0.125] * 4)
    2.0
    """
    y, score = check_probabilities(*check_scores(y, score))
    with np.errstate(divide="ignore"):
        return float(y.mean() / score.mean())


def calibration_error(y: np.ndarray, score: np.ndarray, *, n_bins: int = 10) -> float:
    """Expected calibration error over bins of equal size.

    Parameters
    ----------
    y : array-like of shape (n,), 0 or 1
        Truth; 1 is malignant.
    score : array-like of shape (n,), 0 to 1
        Probabilities.
    n_bins : int, default=10
        Bins of equal size; equal scores share one.

    Returns
    -------
    float
        Mean over rows of the gap between a bin's mean score and its share of positives.

    Raises
    ------
    ValueError
        If a score lies outside 0 to 1.

    Notes
    -----
    Bins of equal size rather than equal width: at 1 % prevalence nearly all rows would share
    the lowest bin of equal width. The error is never negative, hence biased upward on few rows.

    Examples
    --------
    >>> calibration_error([0, 0, 0, 1], [0.25] * 4)
    0.0
    """
    check_number("n_bins", n_bins, low=1, integer=True)
    return _measure(y, score, "calibration_error", n_bins=n_bins)


def _measure(y: np.ndarray, score: np.ndarray, name: str, **options) -> float:
    y, score = check_probabilities(*check_scores(y, score))
    reliability = Reliability(y, score, np.zeros(len(y), dtype=int), **options)
    return reliability.values()[name]
