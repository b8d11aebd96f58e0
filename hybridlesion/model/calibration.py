"""Calibration of out-of-fold logits, and conformal prediction sets."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq, minimize
from scipy.special import expit, log_expit, logit
from sklearn.base import BaseEstimator
from sklearn.isotonic import IsotonicRegression
from sklearn.utils.validation import check_is_fitted

from hybridlesion._validation import check_choice, check_number
from hybridlesion.metrics import check_scores
from hybridlesion.model_selection import grouped_folds

CALIBRATIONS = ("auto", "platt", "beta", "isotonic")

# Fewest positives for estimating three parameters rather than two.
_ENOUGH_FOR_BETA = 1000

# Largest factor by which `sharpen` multiplies slopes.
_MOST_STEEPER = 2.0


class ScoreCalibrator(BaseEstimator):
    """Monotone calibration map from logits to probabilities.

    Parameters
    ----------
    method : {"auto", "platt", "beta", "isotonic"}, default="auto"
        ``platt`` fits ``expit(a + b z)`` to logits z; ``beta`` fits
        ``expit(c + a log p - b log(1 - p))`` with ``p = expit(z)``; ``isotonic`` fits a step
        function. ``auto`` uses beta with 1,000 or more positives, and platt otherwise.

    Attributes
    ----------
    method_ : str
        The method used.
    coef_ : ndarray of shape (2,) or (3,)
        Constant, then the non-negative slopes; absent for ``isotonic``.
    line_ : tuple of two floats
        Constant and slope applied to the logits first; set by `sharpen`, otherwise absent.

    Notes
    -----
    Slopes are constrained to be non-negative, so calibration cannot reverse the ranking. Platt's
    targets, ``(P + 1) / (P + 2)`` for P positives and ``1 / (N + 2)`` for N negatives, keep the
    fit finite if the scores separate the classes.

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
            Logits of held-out rows.
        y : array-like of shape (n,), 0 or 1
            Target.

        Returns
        -------
        ScoreCalibrator
            Fitted calibrator.

        Raises
        ------
        ValueError
            If the method is unknown, or `y` contains only one class.
        """
        check_choice("method", self.method, CALIBRATIONS)
        y, z = check_scores(y, z)
        automatic = "beta" if y.sum() >= _ENOUGH_FOR_BETA else "platt"
        self.method_ = automatic if self.method == "auto" else self.method
        high, low = (y.sum() + 1) / (y.sum() + 2), 1 / ((~y).sum() + 2)
        if self.method_ == "isotonic":
            # A finite sample cannot justify probabilities of 0 and 1.
            self.isotonic_ = IsotonicRegression(y_min=low, y_max=high, out_of_bounds="clip")
            self.isotonic_.fit(z, y)
        else:
            self.coef_ = _fit_monotone(_basis(z, self.method_), np.where(y, high, low))
        return self

    def sharpen(self, z: np.ndarray, y: np.ndarray, noise: np.ndarray) -> ScoreCalibrator:
        """Adapt a calibrator fitted to single fold models to the mean of several.

        Parameters
        ----------
        z : array-like of shape (n,)
            Logits that the calibrator was fitted to, each from a single fold model.
        y : array-like of shape (n,), 0 or 1
            Target.
        noise : array-like of shape (n,)
            Variance that averaging removes from each logit.

        Returns
        -------
        ScoreCalibrator
            Adapted calibrator.

        Notes
        -----
        Noise in a predictor attenuates its slope. The attenuation is measured by adding the same
        amount of noise once more, and the inverse slope is extrapolated linearly to logits without
        noise (SIMEX [1]_). The mean probability does not change.

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
        # Expected means of the fold models after the change of slope.
        expected, score = z.mean() + steeper * np.sqrt(kept) * (z - z.mean()), self.predict(z)

        def excess(shift: float) -> float:
            return self.predict(expected + shift).mean() - score.mean()

        reach = 1 + np.ptp(z)
        shift = brentq(excess, -reach, reach) if excess(-reach) * excess(reach) < 0 else 0.0
        self.line_ = (float((1 - steeper) * z.mean() + shift), float(steeper))
        return self

    def predict(self, z: np.ndarray) -> np.ndarray:
        """Convert logits to probabilities.

        Parameters
        ----------
        z : array-like of shape (n,)
            Logits.

        Returns
        -------
        ndarray of shape (n,), float64
            Probabilities, non-decreasing in `z`.
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
    """Minimise the log loss against soft targets with non-negative slopes."""

    def loss(coef):
        eta = basis @ coef
        value = np.mean(np.logaddexp(0, eta) - target * eta)
        return value, basis.T @ (expit(eta) - target) / len(target)

    start = np.zeros(basis.shape[1])
    start[0] = logit(target.mean())
    bounds = [(None, None)] + [(0, None)] * (basis.shape[1] - 1)
    options = {"ftol": 1e-14, "gtol": 1e-9, "maxiter": 500}
    return minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options).x


# Calibrators that each leave out a twentieth of the rows hardly differ; with five parts, they
# differ enough to reorder the highest scores of different folds.
_PARTS = 20

# Fewest lesions of each class, outside any one part, for calibrating a setting by its rows alone.
_LEAST = 20


@dataclass(frozen=True)
class HeldOut:
    """Held-out logits of one setting: lesions with or without siblings and metadata.

    Parameters
    ----------
    logits : ndarray of shape (n,), float64
        Held-out logits of all rows, each scored as if it belonged to this setting.
    noise : ndarray of shape (n,), float64
        Variance that averaging all fold models removes from each logit.
    like : ndarray of shape (n,), bool
        Rows that represent this setting.
    own : ndarray of shape (n,), float64
        Held-out logits of all rows as they are.
    weight : ndarray of shape (n,), float64
        Weight of this setting in the score of each row, 0 to 1; the weights sum to 1.
    """

    logits: np.ndarray
    noise: np.ndarray
    like: np.ndarray
    own: np.ndarray
    weight: np.ndarray


def cross_calibrate(
    method: str, y: np.ndarray, held_out: Mapping[Hashable, HeldOut], groups: np.ndarray, seed: int
) -> tuple[dict[Hashable, ScoreCalibrator], np.ndarray, np.ndarray]:
    """Fit a calibrator for each setting, and calibrate each row out of fold.

    Parameters
    ----------
    method : str
        One of `hybridlesion.model.calibration.CALIBRATIONS`.
    y : ndarray of shape (n,), bool
        Target.
    held_out : mapping to HeldOut
        Logits of each setting.
    groups : ndarray of shape (n,), int
        Group of each row. Whole groups form 20 parts, or fewer if fewer groups contain one of the
        classes; each part is calibrated on the others.
    seed : int
        Seed used to assign groups to parts.

    Returns
    -------
    calibrators : dict to ScoreCalibrator
        One for each setting, fitted to all rows, for use on new lesions.
    raw, score : ndarray of shape (n,), float64
        Out-of-fold logits and probabilities. Probabilities come from calibrators fitted without
        the row's group, rearranged to be monotone in the logits within a setting.
    """
    carriers = min(len(np.unique(groups[rows])) for rows in (y, ~y))
    n_parts = max(2, min(_PARTS, carriers))
    parts = grouped_folds(y, groups, n_splits=n_parts, random_state=seed)
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
    """Estimate the variance that averaging the fold models removes from a logit.

    Parameters
    ----------
    draws : ndarray of shape (r, n), float64
        Out-of-fold logits from at least two draws of the folds.
    n_folds : sequence of int
        Number of folds in each draw; the noise is that of the first draw.

    Returns
    -------
    ndarray of shape (n,), float64
        Variance removed from the logit of each row.

    Notes
    -----
    Two fold models that both held out a row differ in their training rows. If variances are
    inversely proportional to the number of rows, models from two draws of k and l folds differ by
    ``1 / (k - 1) + 1 / (l - 1)`` in some unit, and averaging the k models of a draw removes
    ``2 / (k - 1)`` of half that unit.

    The target is not used, so the estimate is precise even with few positives. Draws are first
    standardised, because models of fewer folds are trained on fewer rows.

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


def calibration_rows(y: np.ndarray, own: np.ndarray, parts: np.ndarray) -> np.ndarray:
    """Select the rows that calibrate a setting.

    Parameters
    ----------
    y : ndarray of shape (n,), bool
        Target.
    own : ndarray of shape (n,), bool
        Rows that represent the setting.
    parts : ndarray of shape (n,), int
        Part of each row; parts are held out in turn.

    Returns
    -------
    ndarray of shape (n,), bool
        Rows that represent the setting, or all rows if too few of these are malignant or benign.
    """
    for value in (True, False):
        found = np.bincount(parts[own & (y == value)], minlength=1)
        if found.sum() - found.max() < _LEAST:
            return np.ones_like(own)
    return own


def keep_order(score: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """Rearrange scores so that they increase with the logits.

    Calibrators that hold out different patients do not preserve the order of all rows: a part with
    many positives is calibrated on the fewer that remain, which lowers its highest scores.

    Parameters
    ----------
    score : ndarray of shape (n,)
        Out-of-fold probabilities.
    logits : ndarray of shape (n,)
        Logits from which the probabilities were calibrated.

    Returns
    -------
    ndarray of shape (n,)
        The same probabilities, rearranged so that the k-th smallest belongs to the k-th smallest
        logit; equal logits share the mean.

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


class ConformalSets:
    """Class-conditional conformal prediction sets from held-out scores.

    Attributes
    ----------
    nonconformity_ : tuple of two ndarrays, float64
        Sorted nonconformity scores of the benign and of the malignant calibration rows: one minus
        the probability of the true label.

    Notes
    -----
    The set of a new row contains every label whose nonconformity does not exceed the required
    quantile over the calibration rows *of that class*. If new lesions and calibration lesions are
    exchangeable within each class, the set contains the true label with at least the nominal
    probability, for malignant and for benign lesions [1]_. There is no guarantee for another
    camera, clinic or selection of lesions. Lesions of one patient are not exchangeable one by one,
    so the guarantee holds on average over many patients. With m malignant calibration rows, no
    coverage above ``m / (m + 1)`` can be guaranteed; beyond it, every set contains malignant.

    References
    ----------
    .. [1] V. Vovk, "Conditional validity of inductive conformal predictors", Machine Learning 92,
       349-376, 2013.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = np.arange(400) % 4 == 0
    >>> score = np.clip(0.3 + 0.4 * y + rng.normal(0, 0.15, 400), 0, 1)
    >>> sets = ConformalSets().fit(y, score)
    >>> sets.predict([0.05, 0.5, 0.9], coverage=0.95).tolist()
    [[True, False], [True, True], [False, True]]
    """

    def fit(self, y: np.ndarray, score: np.ndarray) -> ConformalSets:
        """Store the nonconformity scores of held-out rows.

        Parameters
        ----------
        y : array-like of shape (n,), 0 or 1
            Truth; 1 is malignant.
        score : array-like of shape (n,)
            Probabilities from models that were not fitted to these rows.

        Returns
        -------
        ConformalSets
            Fitted prediction sets.

        Raises
        ------
        ValueError
            If `y` contains only one class, or the scores are invalid.
        """
        y, score = check_scores(y, score)
        self.nonconformity_ = (np.sort(score[~y]), np.sort(1 - score[y]))
        return self

    def predict(self, score: np.ndarray, coverage: float = 0.9) -> np.ndarray:
        """Predict label sets.

        Parameters
        ----------
        score : array-like of shape (n,)
            Probabilities of malignancy.
        coverage : float, default=0.9
            Minimum probability that the set contains the true label, above 0 and below 1.

        Returns
        -------
        ndarray of shape (n, 2), bool
            Whether the set contains benign, and whether it contains malignant. If it contains both,
            the model abstains; if neither, the row is unlike either class.

        Raises
        ------
        OptionError
            If `coverage` is out of range.
        """
        check_number("coverage", coverage, low=1e-6, high=1 - 1e-6)
        score = np.asarray(score, dtype=np.float64)
        found = []
        for calibration, own in zip(self.nonconformity_, (score, 1 - score), strict=True):
            # The new row counts as one more; the tolerance absorbs rounding.
            needed = int(np.ceil(coverage * (len(calibration) + 1) - 1e-9))
            limit = calibration[needed - 1] if needed <= len(calibration) else np.inf
            found.append(own <= limit)
        return np.column_stack(found)

    def confidence(self, score: np.ndarray) -> np.ndarray:
        """Largest coverage at which a set does not contain both labels.

        Parameters
        ----------
        score : array-like of shape (n,)
            Probabilities of malignancy.

        Returns
        -------
        ndarray of shape (n,)
            One minus the smaller p-value of the two labels, 0 to 1: low where both are plausible.
            Sets of `predict` contain both labels exactly if their coverage is greater.

        Examples
        --------
        >>> sets = ConformalSets().fit([0, 0, 0, 1, 1, 1], [0.1, 0.2, 0.4, 0.3, 0.7, 0.9])
        >>> sets.confidence([0.1, 0.35, 0.95]).tolist()
        [0.75, 0.5, 0.75]
        """
        score = np.asarray(score, dtype=np.float64)
        shares = [
            np.searchsorted(calibration, own) / (len(calibration) + 1)
            for calibration, own in zip(self.nonconformity_, (score, 1 - score), strict=True)
        ]
        return np.max(shares, axis=0)

    def __setstate__(self, state: dict) -> None:
        # In artifacts of the first release, the scores are called "strangeness_".
        former = state.pop("strangeness_", None)
        vars(self).update(state if former is None else {**state, "nonconformity_": former})
