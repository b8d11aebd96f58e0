"""Contributions of the columns to a calibrated score, and reference values of benign lesions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from hybridlesion.model._ensemble import FoldEnsemble
from hybridlesion.model.calibration import ScoreCalibrator

# For logits closer than this, the slope of the calibrator is measured over `_STEP`.
_CLOSE, _STEP = 1e-6, 1e-3


def spread_probability(
    ensemble: FoldEnsemble,
    settings: Iterable[tuple[np.ndarray, np.ndarray, bool, ScoreCalibrator]],
    encoded: np.ndarray,
    n_folds: int,
    n_jobs: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Decompose the mean of the folds' calibrated scores into contributions of columns.

    Parameters
    ----------
    ensemble : FoldEnsemble
        Fold models; the logits of one setting and fold are averaged before calibration.
    settings : iterable of (ndarray of shape (n,), ndarray of shape (m,), bool, ScoreCalibrator)
        For each setting: its rows, its weight in each row, whether the rows have siblings, and the
        calibrator.
    encoded : ndarray of shape (n, columns), float32
        Encoded table.
    n_folds : int
        Number of folds per seed.
    n_jobs : int
        Number of threads.

    Returns
    -------
    base : ndarray of shape (n,), float64
        Probability before any column contributes; equal for rows with equal settings and weights.
    parts : ndarray of shape (n, columns + 1), float64
        Contribution of each encoded column. The last column is that of the whole embedding, whose
        own columns are 0.

    Notes
    -----
    A fold's logit is ``b + sum(phi)`` and its probability ``c(b + sum(phi))``, where c is the
    calibrator. Along the straight path from b to the logit z, as in integrated gradients [1]_ and
    the Aumann-Shapley value [2]_, column j contributes ``phi_j * (c(z) - c(b)) / (z - b)``: the
    change in probability is shared in proportion to the logits. The contributions of a fold sum to
    its probability minus its base; averaged over folds, they sum to the score minus `base`.

    References
    ----------
    .. [1] M. Sundararajan, A. Taly, Q. Yan, "Axiomatic attribution for deep networks", ICML 2017.
    .. [2] R. J. Aumann, L. S. Shapley, "Values of non-atomic games", Princeton University Press,
       1974.
    """
    base, parts = np.zeros(len(encoded)), np.zeros((len(encoded), encoded.shape[1] + 1))
    for rows, weight, company, calibrator in settings:
        for fold in range(n_folds):
            logits = ensemble.contributions(encoded[rows], company, fold, n_jobs)
            start, phi = logits[:, -1], logits[:, :-1]
            base[rows] += weight * calibrator.predict(start) / n_folds
            slope = weight * _slope(calibrator, start, start + phi.sum(axis=1))
            parts[rows] += phi * slope[:, None] / n_folds
    return base, parts


def _slope(calibrator: ScoreCalibrator, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """Mean slope of the probability between two logits."""
    close = np.abs(stop - start) < _CLOSE
    low, high = np.where(close, start - _STEP, start), np.where(close, start + _STEP, stop)
    return (calibrator.predict(high) - calibrator.predict(low)) / (high - low)


def sum_sources(base: np.ndarray, parts: np.ndarray, names: Sequence[str]) -> pd.DataFrame:
    """Tabulate contributions, summed over the categories of a column.

    Parameters
    ----------
    base : ndarray of shape (n,)
        Constant of each row.
    parts : ndarray of shape (n, encoded columns + 1)
        Contribution of each encoded column, followed by that of the whole embedding.
    names : sequence of str
        Table column behind each encoded column.

    Returns
    -------
    DataFrame of shape (n, 1 + columns)
        ``base``, then one column per name in order of first appearance; the columns of an embedding
        are replaced by a final column ``emb__``.

    Examples
    --------
    >>> parts = np.array([[0.2, 0.3, 0.0, 0.1]])
    >>> sum_sources(np.array([0.1]), parts, ["a", "a", "emb__0"]).iloc[0].to_dict()
    {'base': 0.1, 'a': 0.5, 'emb__': 0.1}
    """
    summed: dict[str, np.ndarray] = {}
    for column, name in enumerate(names):
        if not name.startswith("emb__"):
            summed[name] = summed.get(name, 0.0) + parts[:, column]
    if any(name.startswith("emb__") for name in names):
        summed["emb__"] = parts[:, -1]
    frame = pd.DataFrame(summed)
    frame.insert(0, "base", base)
    return frame


_LEVELS = np.linspace(0, 1, 101)
# Number of rows that suffices for percentiles.
_ENOUGH_ROWS = 20_000


def benign_quantiles(
    X: np.ndarray, target: np.ndarray, names: Sequence[str]
) -> dict[str, np.ndarray]:
    """Percentiles of each column over the benign rows.

    Parameters
    ----------
    X : ndarray of shape (n, columns), float32
        Features, NaN if missing; at most 20,000 evenly spaced benign rows are used.
    target : ndarray of shape (n,), bool
        True for malignant rows.
    names : sequence of str
        Name of each column. Repeated names, which are the categories of a text column, and the
        columns of an embedding are left out.

    Returns
    -------
    dict of str to ndarray of shape (101,), float32
        Percentiles 0 to 100 of the known values; columns without known values are left out.

    Examples
    --------
    >>> X = np.arange(101, dtype=np.float32)[:, None]
    >>> float(benign_quantiles(X, np.zeros(101, dtype=bool), ["age"])["age"][25])
    25.0
    """
    rows = np.flatnonzero(~target)
    if len(rows) > _ENOUGH_ROWS:
        rows = rows[np.linspace(0, len(rows) - 1, _ENOUGH_ROWS).astype(int)]
    quantiles = {}
    for column, name in enumerate(names):
        if name.startswith("emb__"):
            continue
        values = X[rows, column]
        values = values[~np.isnan(values)]
        if len(values) and list(names).count(name) == 1:
            # Observed values preserve ties and the values of 0/1 columns.
            found = np.quantile(values, _LEVELS, method="inverted_cdf")
            quantiles[name] = found.astype(np.float32)
    return quantiles


def rank_among_benign(value: float, quantiles: np.ndarray) -> float:
    """Share of the benign rows below a value, counting ties as half.

    Parameters
    ----------
    value : float
        Value to compare.
    quantiles : ndarray of shape (101,)
        Percentiles from `benign_quantiles`.

    Returns
    -------
    float
        Share, 0 to 1.

    Examples
    --------
    >>> rank_among_benign(25.0, np.linspace(0, 100, 101)), rank_among_benign(0.0, np.zeros(101))
    (0.25, 0.5)
    """
    below, upto = _positions(value, quantiles)
    # A value between two percentiles is placed halfway between them.
    return float(np.clip((below + upto - 1) / 2 / (len(quantiles) - 1), 0, 1))


def shares_among_benign(value: float, quantiles: np.ndarray) -> tuple[float, float, float]:
    """Shares of the benign rows below, equal to and above a value.

    Parameters
    ----------
    value : float
        Value to compare.
    quantiles : ndarray of shape (101,)
        Percentiles from `benign_quantiles`.

    Returns
    -------
    tuple of float
        Shares below, equal and above, each 0 to 1. Those below and above are lower bounds, since
        they count only the percentiles strictly on that side.

    Examples
    --------
    >>> shares_among_benign(0.0, np.repeat([0.0, 1.0], [81, 20]))
    (0.0, 0.8, 0.19)
    >>> shares_among_benign(25.5, np.linspace(0, 100, 101))
    (0.25, 0.0, 0.74)
    """
    below, upto = _positions(value, quantiles)
    last = len(quantiles) - 1
    low, equal, high = max(below - 1, 0), max(upto - max(below, 1), 0), max(last - upto, 0)
    return low / last, equal / last, high / last


def _positions(value: float, quantiles: np.ndarray) -> tuple[int, int]:
    # Model inputs and percentiles are float32.
    value = np.float32(value)
    below, upto = np.searchsorted(quantiles, value), np.searchsorted(quantiles, value, "right")
    return int(below), int(upto)
