"""Calibration slope and error of thousands of draws at once."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix
from scipy.special import expit, logit

from hybridlesion.evaluation._resamples import Support

__all__ = ["Reliability", "bin_scores"]

_CLIP = 1e-7


def bin_scores(score: np.ndarray, n_bins: int) -> np.ndarray:
    """Give each score its bin, the bins holding as many rows each as ties allow.

    Parameters
    ----------
    score : ndarray of shape (n,)
        Scores.
    n_bins : int
        Number of bins wanted; ties may leave fewer.

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
    # A level belongs to the bin in which the middle of its rows lies.
    middle = (np.cumsum(size) - size / 2) / len(score)
    bins = np.minimum((middle * n_bins).astype(int), n_bins - 1)
    return np.unique(bins, return_inverse=True)[1][level]


class Reliability:
    """Observed against predicted probabilities, summed by bin and group.

    Parameters
    ----------
    y : ndarray of shape (n,), bool
        True where malignant.
    score : ndarray of shape (n,), float64
        Probabilities.
    codes : ndarray of shape (n,), int
        Group of each row, from 0.
    n_bins : int, default=10
        Bins of equal size for the calibration error.

    Attributes
    ----------
    support : dict of str to Support
        What bears on each measure.

    Notes
    -----
    A draw of the slope is one step of Newton's method from the slope of the data [1]_: a sum over
    groups, whose variance is the sandwich estimate for clusters. Slopes fitted to each draw
    scatter far more where few positives are drawn, and some are infinite.

    References
    ----------
    .. [1] P. Kline, A. Santos, "A score based approach to wild bootstrap inference", Journal of
       Econometric Methods 1, 23-41, 2012.
    """

    def __init__(self, y: np.ndarray, score: np.ndarray, codes: np.ndarray, n_bins: int = 10):
        groups = int(codes.max()) + 1
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
        self._gap = _sums(coarse, codes, score - y)
        self._size = np.bincount(codes).astype(np.float64)
        self._gap_share = np.asarray(self._gap.sum(axis=1)).reshape(-1, 1) / len(y)
        x = logit(np.clip(score, _CLIP, 1 - _CLIP))
        self._slope, influence = _logistic_slope(x, y)
        self._influence = np.bincount(codes, weights=influence)

    def values(self) -> dict[str, float]:
        """Measure the data.

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
        """Measure draws.

        Parameters
        ----------
        weights : ndarray of shape (groups + 1, B), float64
            Weights of the groups; the last row is not used.

        Returns
        -------
        dict of str to ndarray of shape (B,)
            ``calibration_slope``, and as ``calibration_error`` how far, summed over bins, the gaps
            of a draw lie from those of the data.
        """
        if not self._defined:
            return dict.fromkeys(self.support, np.full(weights.shape[1], np.nan))
        weights = weights[:-1]
        gaps = self._gap @ weights / (self._size @ weights)
        return {
            "calibration_slope": self._slope + self._influence @ (weights / weights.mean(axis=0)),
            "calibration_error": np.abs(gaps - self._gap_share).sum(axis=0),
        }


def _sums(bins: np.ndarray, codes: np.ndarray, values: np.ndarray) -> csr_matrix:
    shape = (int(bins.max()) + 1, int(codes.max()) + 1)
    return csr_matrix((np.asarray(values, dtype=np.float64), (bins, codes)), shape=shape)


def _logistic_slope(x: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    """Fit y ~ expit(a + b x) by Newton's method; return b and what each row moves it by."""
    nothing = float("nan"), np.full(len(y), np.nan)
    scale = x.std()
    if scale == 0:
        return nothing
    # Standardised, steps of the same length reach any slope.
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
