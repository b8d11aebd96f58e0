"""From raw scores to probabilities, also with a handful of positives."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq, minimize
from scipy.special import expit, log_expit, logit
from sklearn.base import BaseEstimator
from sklearn.isotonic import IsotonicRegression
from sklearn.utils.validation import check_is_fitted

from hybridlesion._validation import check_choice
from hybridlesion.metrics import check_scores
from hybridlesion.model_selection import grouped_folds

__all__ = [
    "CALIBRATIONS",
    "HeldOut",
    "ScoreCalibrator",
    "calibration_parts",
    "cross_calibrate",
    "member_noise",
]

CALIBRATIONS = ("auto", "platt", "beta", "isotonic")

# Positives from which three parameters are estimated rather than two.
_ENOUGH_FOR_BETA = 1000

# What `sharpen` multiplies slopes by at most: beyond, there is little but noise.
_MOST_STEEPER = 2.0


class ScoreCalibrator(BaseEstimator):
    """Monotone map from logits to probabilities.

    Parameters
    ----------
    method : {"auto", "platt", "beta", "isotonic"}, default="auto"
        ``platt`` fits ``expit(a + b z)`` to logits z; ``beta`` fits
        ``expit(c + a log p - b log(1 - p))`` with ``p = expit(z)``; ``isotonic`` a step function.
        ``auto`` is beta from 1,000 positives on, else platt.

    Attributes
    ----------
    method_ : str
        The method used.
    coef_ : ndarray of shape (2,) or (3,)
        Constant, then the non-negative slopes; absent for ``isotonic``.
    line_ : tuple of two floats
        Constant and slope applied to the logits first, from `sharpen`; absent without it.

    Notes
    -----
    Slopes never fall below 0, so that calibration cannot turn the ranking round. The targets are
    Platt's: ``(P + 1) / (P + 2)`` for P positives and ``1 / (N + 2)`` for N negatives, which
    keeps the fit finite where the scores separate the classes.

    References
    ----------
    .. [1] J. Platt, "Probabilistic outputs for support vector machines", Advances in Large
       Margin Classifiers, 61-74, 1999.
    .. [2] M. Kull, T. Silva Filho, P. Flach, "Beta calibration", AISTATS 2017.

    Examples
    --------
    >>> z = np.array([-2.0, -1.0, 1.0, 2.0] * 25)
    >>> calibrator = ScoreCalibrator().fit(z, [0, 0, 1, 0] * 25)
    >>> round(float(calibrator.predict(z).mean()), 2)
    0.25
    """

    def __init__(self, method: str = "auto"):
        self.method = method

    def fit(self, z: np.ndarray, y: np.ndarray) -> ScoreCalibrator:
        """Fit on out-of-fold scores.

        Parameters
        ----------
        z : array-like of shape (n,)
            Logits of rows that their model never saw.
        y : array-like of shape (n,), 0 or 1
            Target.

        Returns
        -------
        ScoreCalibrator
            Itself.

        Raises
        ------
        ValueError
            If the method is unknown, or `y` holds one class.
        """
        check_choice("method", self.method, CALIBRATIONS)
        y, z = check_scores(y, z)
        self.method_ = self.method
        if self.method == "auto":
            self.method_ = "beta" if y.sum() >= _ENOUGH_FOR_BETA else "platt"
        high, low = (y.sum() + 1) / (y.sum() + 2), 1 / ((~y).sum() + 2)
        if self.method_ == "isotonic":
            # Probabilities of 0 and 1 are certainties that no finite sample gives.
            self.isotonic_ = IsotonicRegression(y_min=low, y_max=high, out_of_bounds="clip")
            self.isotonic_.fit(z, y)
        else:
            self.coef_ = _fit_monotone(_basis(z, self.method_), np.where(y, high, low))
        return self

    def sharpen(self, z: np.ndarray, y: np.ndarray, noise: np.ndarray) -> ScoreCalibrator:
        """Adapt a calibrator of single members to means of several.

        Parameters
        ----------
        z : array-like of shape (n,)
            The logits it was fitted on, each of a single member.
        y : array-like of shape (n,), 0 or 1
            Target.
        noise : array-like of shape (n,)
            Variance of these logits that the mean is free of.

        Returns
        -------
        ScoreCalibrator
            Itself.

        Notes
        -----
        Noise in a predictor makes its slope too small. How much is seen when as much noise is added
        once more; the inverse of the slope is extrapolated back, in a straight line, to logits
        free of it [1]_. The mean probability stays as it is.

        References
        ----------
        .. [1] J. R. Cook, L. A. Stefanski, "Simulation-extrapolation estimation in parametric
           measurement error models", Journal of the American Statistical Association 89,
           1314-1328, 1994.
        """
        y, z = check_scores(y, z)
        sd = np.sqrt(noise)
        slope = ScoreCalibrator("platt").fit(z, y).coef_[1]
        noisier = ScoreCalibrator("platt").fit(np.r_[z - sd, z + sd], np.r_[y, y]).coef_[1]
        ratio = slope / noisier if noisier > 0 else 1.0
        steeper = 1 / np.clip(2 - ratio, 1 / _MOST_STEEPER, 1)
        variance = z.var()
        kept = 1 - min(np.mean(noise) / variance, 1) if variance > 0 else 1.0
        # What means of members look like, once the slope is steeper.
        expected, score = z.mean() + steeper * np.sqrt(kept) * (z - z.mean()), self.predict(z)

        def excess(shift: float) -> float:
            return self.predict(expected + shift).mean() - score.mean()

        reach = 1 + np.ptp(z)
        shift = brentq(excess, -reach, reach) if excess(-reach) * excess(reach) < 0 else 0.0
        self.line_ = (float((1 - steeper) * z.mean() + shift), float(steeper))
        return self

    def predict(self, z: np.ndarray) -> np.ndarray:
        """Turn logits into probabilities.

        Parameters
        ----------
        z : array-like of shape (n,)
            Logits.

        Returns
        -------
        ndarray of shape (n,), float64
            Probabilities, never falling with `z`.
        """
        check_is_fitted(self, "method_")
        z = np.asarray(z, dtype=np.float64)
        if hasattr(self, "line_"):
            z = self.line_[0] + self.line_[1] * z
        if self.method_ == "isotonic":
            return self.isotonic_.predict(z)
        return expit(_basis(z, self.method_) @ self.coef_)


def _basis(z: np.ndarray, method: str) -> np.ndarray:
    ones = np.ones_like(z)
    if method == "platt":
        return np.column_stack([ones, z])
    return np.column_stack([ones, log_expit(z), -log_expit(-z)])


def _fit_monotone(basis: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Minimise the log loss against soft targets, slopes held at or above 0."""

    def loss(coef):
        eta = basis @ coef
        value = np.mean(np.logaddexp(0, eta) - target * eta)
        return value, basis.T @ (expit(eta) - target) / len(target)

    start = np.zeros(basis.shape[1])
    start[0] = logit(target.mean())
    bounds = [(None, None)] + [(0, None)] * (basis.shape[1] - 1)
    options = {"ftol": 1e-14, "gtol": 1e-9, "maxiter": 500}
    return minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options).x


# A calibrator of two or three numbers hardly differs when a twentieth of the rows is left out; of
# five parts each, the calibrators differ enough to shuffle the highest scores of different folds.
_PARTS = 20

# Lesions of each class, outside of any part, that a setting needs to be calibrated on its own rows.
_LEAST = 20


@dataclass(frozen=True)
class HeldOut:
    """Logits of one setting: lesions in company or alone, with metadata or without.

    Parameters
    ----------
    logits : ndarray of shape (n,), float64
        Of every row as it would be in this setting, by members that never saw it.
    noise : ndarray of shape (n,), float64
        Variance of these logits that means of all members are free of.
    like : ndarray of shape (n,), bool
        Rows that stand for this setting.
    own : ndarray of shape (n,), float64
        Logits of every row as it is.
    weight : ndarray of shape (n,), float64
        How much each row is scored by this setting, 0 to 1; the weights of all sum to 1.
    """

    logits: np.ndarray
    noise: np.ndarray
    like: np.ndarray
    own: np.ndarray
    weight: np.ndarray


def cross_calibrate(
    method: str, y: np.ndarray, held_out: Mapping[Hashable, HeldOut], parts: np.ndarray
) -> tuple[dict[Hashable, ScoreCalibrator], np.ndarray, np.ndarray]:
    """Fit a calibrator for each setting; score each row by one fitted on other groups.

    Parameters
    ----------
    method : str
        One of `hybridlesion.model.calibration.CALIBRATIONS`.
    y : ndarray of shape (n,), bool
        Target.
    held_out : mapping to HeldOut
        Logits of each setting.
    parts : ndarray of shape (n,), int
        From `calibration_parts`.

    Returns
    -------
    calibrators : dict to ScoreCalibrator
        One a setting, fitted to all rows, for new lesions, whose logits are means of more members.
    raw, score : ndarray of shape (n,), float64
        Out-of-fold logits and probabilities. The latter come from calibrators that saw no row of
        the same group, and are dealt so that within a setting they rise with the logits, as those
        of new lesions do.
    """
    calibrators, raw, score = {}, np.zeros(len(y)), np.zeros(len(y))
    for setting, found in held_out.items():
        source, rows = calibration_rows(y, found.like, parts), found.weight > 0
        whole = ScoreCalibrator(method).fit(found.logits[source], y[source])
        own = np.zeros(len(y))
        for part in np.unique(parts[rows]):
            rest, left = source & (parts != part), rows & (parts == part)
            other = ScoreCalibrator(whole.method_).fit(found.logits[rest], y[rest])
            own[left] = other.predict(found.own[left])
        calibrators[setting] = whole.sharpen(found.logits[source], y[source], found.noise[source])
        if rows.any():
            score[rows] += found.weight[rows] * keep_order(own[rows], found.own[rows])
            raw += found.weight * found.own
    return calibrators, raw, score


def member_noise(draws: np.ndarray, n_folds: Sequence[int]) -> np.ndarray:
    """Estimate the variance that averaging the members of all folds removes from a logit.

    Parameters
    ----------
    draws : ndarray of shape (r, n), float64
        Out-of-fold logits of at least two draws of the folds; each row is scored by members that
        never saw it.
    n_folds : sequence of int
        Folds of each draw; the noise is that of the first.

    Returns
    -------
    ndarray of shape (n,), float64
        What is removed, estimated at each row.

    Notes
    -----
    Two members that never saw a row differ in the rows that they learned from. The more rows they
    share, the less they differ: with variances that fall as one over the rows, members of two
    draws of k and l folds differ by ``1 / (k - 1) + 1 / (l - 1)`` in some unit, and averaging the
    k members of a draw removes ``2 / (k - 1)`` of half of that unit.

    No target enters, so that it is known well also with few positives. Draws are brought to equal
    means and variances first: members of fewer folds learned from fewer rows and say less.

    Examples
    --------
    >>> member_noise(np.array([[-1.0, 1.0, 3.0], [-1.0, 1.0, 3.0]]), (5, 3)).tolist()
    [0.0, 0.0, 0.0]
    """
    spread = draws.std(axis=1, keepdims=True)
    standard = (draws - draws.mean(axis=1, keepdims=True)) / np.where(spread > 0, spread, 1)
    first, other = n_folds[0] - 1, n_folds[-1] - 1
    removed = 2 * other / (first + other)
    return removed * standard.var(axis=0, ddof=1) * spread[0] ** 2


def calibration_parts(y: np.ndarray, groups: np.ndarray, random_state: int) -> np.ndarray:
    """Deal whole groups to parts, each of which is calibrated by the others.

    Parameters
    ----------
    y : ndarray of shape (n,), bool
        Target.
    groups : ndarray of shape (n,), int
        Group of each row.
    random_state : int
        Seed.

    Returns
    -------
    ndarray of shape (n,), int
        Part of each row; at most 20, fewer where fewer groups hold one of the classes.
    """
    carriers = min(len(np.unique(groups[y == value])) for value in (True, False))
    n_parts = max(2, min(_PARTS, carriers))
    return grouped_folds(y, groups, n_splits=n_parts, random_state=random_state)


def calibration_rows(y: np.ndarray, own: np.ndarray, parts: np.ndarray) -> np.ndarray:
    """Choose the rows that calibrate a setting.

    Parameters
    ----------
    y : ndarray of shape (n,), bool
        Target.
    own : ndarray of shape (n,), bool
        Rows that stand for it.
    parts : ndarray of shape (n,), int
        Parts that are left out in turn.

    Returns
    -------
    ndarray of shape (n,), bool
        Its own rows; all rows where too few of its own are malignant, or benign.
    """
    for value in (True, False):
        found = np.bincount(parts[own & (y == value)], minlength=1)
        if found.sum() - found.max() < _LEAST:
            return np.ones_like(own)
    return own


def keep_order(score: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """Deal the scores anew, so that they rise with the logits.

    The model has one calibrator, which keeps the order of all rows. Calibrators that each left out
    other patients do not: a part with many positives is calibrated by the fewer that remain, so
    that its highest scores fall behind those of other parts.

    Parameters
    ----------
    score : ndarray of shape (n,)
        Probabilities, each from a calibrator that did not see the row.
    logits : ndarray of shape (n,)
        What they were calibrated from.

    Returns
    -------
    ndarray of shape (n,)
        The same probabilities, the k-th smallest where the k-th smallest logit is; the mean of
        theirs for equal logits.

    References
    ----------
    .. [1] V. Chernozhukov, I. Fernandez-Val, A. Galichon, "Improving point and interval estimators
       of monotone functions by rearrangement", Biometrika 96, 559-575, 2009.

    Examples
    --------
    >>> keep_order(np.array([0.3, 0.2, 0.9]), np.array([-1.0, 0.0, 2.0])).tolist()
    [0.2, 0.3, 0.9]
    """
    _, level, size = np.unique(logits, return_inverse=True, return_counts=True)
    sums = np.add.reduceat(np.sort(score), np.cumsum(size) - size)
    return (sums / size)[level]
