"""Calibration metrics, and adjustment of probabilities to another prevalence."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix
from scipy.special import expit, logit

from hybridlesion._validation import check_number
from hybridlesion.exceptions import OptionError
from hybridlesion.metrics._resampling import Measure, Support, check_probabilities


def shift_prevalence(probabilities: np.ndarray, trained: float, wanted: float) -> np.ndarray:
    """Adjust calibrated probabilities to another prevalence.

    Parameters
    ----------
    probabilities : array-like of any shape, 0 to 1
        Probabilities of malignancy, calibrated at the prevalence `trained`; NaN stays NaN.
    trained : float
        Prevalence at which the probabilities were calibrated, above 0 and below 1.
    wanted : float
        Prevalence at which the probabilities are used, above 0 and below 1.

    Returns
    -------
    ndarray of the same shape, float64
        Adjusted probabilities, 0 to 1. Values of 0 and 1 and the ranking do not change.

    Raises
    ------
    OptionError
        If a prevalence is not between 0 and 1, or a probability lies outside 0 to 1.

    Notes
    -----
    On the logit scale, the result is ``z + logit(wanted) - logit(trained)``, which is Bayes' rule
    with different prior odds [1]_ [2]_. This is valid only if the prevalence differs while benign
    and malignant lesions look the same, an assumption that another clinic or camera violates.

    References
    ----------
    .. [1] C. Elkan, "The foundations of cost-sensitive learning", IJCAI, 973-978, 2001, theorem 2.
    .. [2] M. Saerens, P. Latinne, C. Decaestecker, "Adjusting the outputs of a classifier to new a
       priori probabilities: a simple procedure", Neural Computation 14, 21-41, 2002, eq. 2.4.

    Examples
    --------
    >>> shift_prevalence([0.5, 0.9], trained=0.5, wanted=0.02).round(3)
    array([0.02 , 0.155])
    """
    for name, value in (("trained", trained), ("wanted", wanted)):
        check_number(name, value)
        if not 0 < value < 1:
            raise OptionError(
                f"{name} must be a share of malignant lesions between 0 and 1, both excluded, got "
                f"{value!r}. Two per cent is 0.02."
            )
    p = np.asarray(probabilities, dtype=np.float64)
    outside = (p < 0) | (p > 1)
    if outside.any():
        raise OptionError(
            f"probabilities must lie between 0 and 1, got {p[outside].flat[0]:g} and "
            f"{outside.sum() - 1} more outside. Calibrate the scores first."
        )
    return expit(logit(p) + (logit(wanted) - logit(trained)))


_CLIP = 1e-7


def bin_scores(score: np.ndarray, n_bins: int) -> np.ndarray:
    """Assign scores to bins of equal size, as far as ties allow.

    Parameters
    ----------
    score : ndarray of shape (n,)
        Scores.
    n_bins : int
        Number of bins requested; ties may reduce it.

    Returns
    -------
    ndarray of shape (n,), int
        Bin of each row from 0, in order of score, without gaps. Equal scores share a bin.

    Examples
    --------
    >>> bin_scores(np.array([0.1, 0.2, 0.2, 0.3, 0.9]), 2)
    array([0, 0, 0, 1, 1])
    """
    _, level, size = np.unique(score, return_inverse=True, return_counts=True)
    if len(size) <= n_bins:
        return level
    # A level belongs to the bin that contains the middle of its rows.
    middle = (np.cumsum(size) - size / 2) / len(score)
    bins = np.minimum((middle * n_bins).astype(int), n_bins - 1)
    return np.unique(bins, return_inverse=True)[1][level]


class Reliability(Measure):
    """Observed against predicted probabilities, summed by bin and group.

    Parameters
    ----------
    y : ndarray of shape (n,), bool
        True for malignant rows.
    score : ndarray of shape (n,), float64
        Probabilities.
    codes : ndarray of shape (n,), int
        Group of each row, from 0.
    n_bins : int, default=10
        Number of bins of equal size for the calibration error.

    Attributes
    ----------
    support : dict of str to Support
        Type of interval of each metric.

    Notes
    -----
    A draw of the slope is one step of Newton's method from the slope of the data [1]_: a sum over
    groups, whose variance is the sandwich estimate for clusters. Slopes fitted to each draw would
    scatter far more if few positives are drawn, and some would be infinite.

    References
    ----------
    .. [1] P. Kline, A. Santos, "A score based approach to wild bootstrap inference", Journal of
       Econometric Methods 1, 23-41, 2012.
    """

    def __init__(self, y: np.ndarray, score: np.ndarray, codes: np.ndarray, n_bins: int = 10):
        self.n_groups = groups = int(codes.max()) + 1
        fewest = min(len(np.unique(codes[y])), len(np.unique(codes[~y])))
        # Each gap is the mean of a bin.
        self.support = {
            "calibration_slope": Support("number", groups, fewest - 1),
            "calibration_error": Support("gaps", groups / n_bins),
        }
        self._defined = bool(((score >= 0) & (score <= 1)).all())
        if not self._defined:
            return
        coarse = bin_scores(score, n_bins)
        self._gap = csr_matrix((score - y, (coarse, codes)))
        self._size = np.bincount(codes).astype(np.float64)
        self._gap_share = np.asarray(self._gap.sum(axis=1)).reshape(-1, 1) / len(y)
        x = logit(np.clip(score, _CLIP, 1 - _CLIP))
        self._slope, influence = _logistic_slope(x, y)
        self._influence = np.bincount(codes, weights=influence)

    def values(self) -> dict[str, float]:
        """Evaluate the metrics on the data.

        Returns
        -------
        dict of str to float
            ``calibration_slope`` and ``calibration_error``; NaN for scores outside 0 to 1.
        """
        if not self._defined:
            return dict.fromkeys(self.support, np.nan)
        error = float(np.abs(self._gap_share).sum())
        return {"calibration_slope": self._slope, "calibration_error": error}

    def draws(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Evaluate the metrics on draws.

        Parameters
        ----------
        weights : ndarray of shape (groups + 1, B), float64
            Weights of the groups; the last row is not used.

        Returns
        -------
        dict of str to ndarray of shape (B,)
            ``calibration_slope`` and, as ``calibration_error``, the distance between the gaps of a
            draw and those of the data, summed over bins.
        """
        if not self._defined:
            return dict.fromkeys(self.support, np.full(weights.shape[1], np.nan))
        weights = weights[:-1]
        gaps = self._gap @ weights / (self._size @ weights)
        return {
            "calibration_slope": self._slope + self._influence @ (weights / weights.mean(axis=0)),
            "calibration_error": np.abs(gaps - self._gap_share).sum(axis=0),
        }


def _logistic_slope(x: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    """Fit y ~ expit(a + b x) by Newton's method; return b and the influence of each row on it."""
    nothing = float("nan"), np.full(len(y), np.nan)
    scale = x.std()
    if scale == 0:
        return nothing
    # After standardisation, steps of the same length reach any slope.
    x = (x - x.mean()) / scale
    a, b = logit(y.mean()), 0.0
    for _ in range(30):
        p = expit(a + b * x)
        weight = p * (1 - p)
        h00, h01, h11 = weight.sum(), (weight * x).sum(), (weight * x**2).sum()
        determinant = h00 * h11 - h01**2
        # Scores that separate the classes have no finite slope: every row becomes certain.
        if h00 <= 1e-6 * min(y.sum(), (~y).sum()) or determinant <= 0:
            return nothing
        step_a = (h11 - h01 * x) * (y - p) / determinant
        step_b = (h00 * x - h01) * (y - p) / determinant
        if abs(step_b.sum()) <= 1e-6:
            return float(b / scale), step_b / scale
        a, b = a + np.clip(step_a.sum(), -2, 2), b + np.clip(step_b.sum(), -2, 2)
    return nothing


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
        Score from 0 (best) to 1.

    Raises
    ------
    ValueError
        If a score lies outside 0 to 1.

    Examples
    --------
    >>> brier_score([0, 1], [0.5, 0.5])
    0.25
    """
    y, score = check_probabilities(y, score)
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
        1 is ideal; below 1 the scores are too extreme, above 1 not extreme enough. NaN if no
        finite slope exists: for constant scores, or scores that separate the classes.

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
        1 is ideal; above 1 malignancy is more frequent than predicted, below 1 less frequent.
        Infinite if all probabilities are 0.

    Raises
    ------
    ValueError
        If a score lies outside 0 to 1.

    Notes
    -----
    This is observed over expected, O/E. It is a ratio rather than a difference, because a
    difference of 0.01 at 1 % prevalence could mean half as many or twice as many.

    References
    ----------
    .. [1] B. Van Calster, D. J. McLernon, M. van Smeden, L. Wynants, E. W. Steyerberg,
       "Calibration: the Achilles heel of predictive analytics", BMC Medicine 17, 230, 2019.

    Examples
    --------
    >>> calibration_in_the_large([0, 0, 0, 1], [0.125] * 4)
    2.0
    """
    y, score = check_probabilities(y, score)
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
        Number of bins of equal size; equal scores share a bin.

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
    Bins have equal size rather than equal width, because at 1 % prevalence nearly all rows would
    share the lowest bin of equal width. The error is never negative, and hence biased upward for
    few rows.

    Examples
    --------
    >>> calibration_error([0, 0, 0, 1], [0.25] * 4)
    0.0
    """
    check_number("n_bins", n_bins, low=1, integer=True)
    return _measure(y, score, "calibration_error", n_bins=n_bins)


def _measure(y: np.ndarray, score: np.ndarray, name: str, **options) -> float:
    y, score = check_probabilities(y, score)
    reliability = Reliability(y, score, np.zeros(len(y), dtype=int), **options)
    return reliability.values()[name]
