"""From raw scores to probabilities, also with a handful of positives."""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq, minimize
from scipy.special import expit, log_expit, logit
from sklearn.base import BaseEstimator
from sklearn.isotonic import IsotonicRegression
from sklearn.utils.validation import check_is_fitted

from hybridlesion._validation import check_choice
from hybridlesion.evaluation._scores import check_scores

__all__ = ["CALIBRATIONS", "ScoreCalibrator"]

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
