"""Calibration slope and error of thousands of resamples at once."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix
from scipy.special import expit, logit

__all__ = ["Reliability", "bin_scores"]

_CLIP = 1e-7
# Bins of the logit for the slope. Within one bin the logit is replaced by its mean; at this
# width the slope moves by less than 0.001.
_FINE_BINS = 400

_NAMES = ("calibration_slope", "calibration_error", "calibration_error_reach")


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
    """

    def __init__(self, y: np.ndarray, score: np.ndarray, codes: np.ndarray, n_bins: int = 10):
        self._defined = bool(((score >= 0) & (score <= 1)).all())
        if not self._defined:
            return
        coarse = bin_scores(score, n_bins)
        self._gap = _sums(coarse, codes, score - y)
        self._gap_share = np.asarray(self._gap.sum(axis=1)).reshape(-1, 1) / len(y)
        x = logit(np.clip(score, _CLIP, 1 - _CLIP))
        fine = bin_scores(x, _FINE_BINS)
        self._rows, self._positives = _sums(fine, codes, np.ones(len(y))), _sums(fine, codes, y)
        self._x = np.bincount(fine, weights=x) / np.bincount(fine)

    def __call__(self, counts: np.ndarray) -> dict[str, np.ndarray]:
        """Measure resamples.

        Parameters
        ----------
        counts : ndarray of shape (groups, B), float64
            Multiplicity of each group in each resample.

        Returns
        -------
        dict of str to ndarray of shape (B,)
            ``calibration_slope``, ``calibration_error`` and ``calibration_error_reach``: how far,
            summed over bins, the gaps of a resample lie from those of the data. NaN for scores
            outside 0 to 1.
        """
        if not self._defined:
            nothing = np.full(counts.shape[1], np.nan)
            return dict.fromkeys(_NAMES, nothing)
        rows = self._rows @ counts
        slope = _logistic_slope(self._x, rows, self._positives @ counts)
        gaps = self._gap @ counts / rows.sum(axis=0)
        error = np.abs(gaps).sum(axis=0)
        reach = np.abs(gaps - self._gap_share).sum(axis=0)
        return dict(zip(_NAMES, (slope, error, reach), strict=True))


def _sums(bins: np.ndarray, codes: np.ndarray, values: np.ndarray) -> csr_matrix:
    shape = (int(bins.max()) + 1, int(codes.max()) + 1)
    return csr_matrix((np.asarray(values, dtype=np.float64), (bins, codes)), shape=shape)


def _logistic_slope(x: np.ndarray, rows: np.ndarray, positives: np.ndarray) -> np.ndarray:
    """Fit y ~ expit(a + b x) to every column of counts at once by Newton's method."""
    n = rows.sum(axis=0)
    scale = x.std()
    if scale == 0:
        return np.full(len(n), np.nan)
    # Standardised, steps of the same length reach any slope.
    x = ((x - x.mean()) / scale)[:, None]
    rate = np.clip(positives.sum(axis=0) / n, 1e-9, 1 - 1e-9)
    a, b = logit(rate), np.zeros(len(n))
    with np.errstate(all="ignore"):
        for _ in range(30):
            p = expit(a + b * x)
            residual, weight = positives - rows * p, rows * p * (1 - p)
            g0, g1 = residual.sum(axis=0), (residual * x).sum(axis=0)
            h00, h01, h11 = (weight * x**power for power in range(3))
            h00, h01, h11 = h00.sum(axis=0), h01.sum(axis=0), h11.sum(axis=0)
            determinant = h00 * h11 - h01**2
            step_a = (h11 * g0 - h01 * g1) / determinant
            step_b = (h00 * g1 - h01 * g0) / determinant
            a, b = a + np.clip(step_a, -2, 2), b + np.clip(step_b, -2, 2)
            if not np.any(np.abs(step_b) > 1e-6):
                break
    # Scores that are constant or separate the classes have no finite slope: Newton's method does
    # not come to rest, or comes to rest where every row is certain.
    certain = h00 <= 1e-6 * np.minimum(positives.sum(axis=0), n - positives.sum(axis=0))
    return np.where((np.abs(step_b) <= 1e-6) & ~certain, b / scale, np.nan)
