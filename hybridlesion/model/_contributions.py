"""What each column adds to a calibrated score."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from hybridlesion.model._ensemble import Ensemble
from hybridlesion.model.calibration import ScoreCalibrator

__all__ = ["spread_probability", "sum_sources"]

# Logits closer than this take the calibrator's slope there, measured over `_STEP`.
_CLOSE, _STEP = 1e-6, 1e-3


def spread_probability(
    ensemble: Ensemble,
    settings: Iterable[tuple[np.ndarray, np.ndarray, bool, ScoreCalibrator]],
    encoded: np.ndarray,
    n_folds: int,
    n_jobs: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Take the mean of the folds' calibrated scores apart.

    Parameters
    ----------
    ensemble : Ensemble
        Members; those of one setting and fold are averaged before calibration, as the score is.
    settings : iterable of (ndarray of shape (n,), ndarray of shape (m,), bool, ScoreCalibrator)
        Which m rows are scored alike, the weight of this score in each, whether they are in
        company, and what turns their logits into probabilities.
    encoded : ndarray of shape (n, columns), float32
        Encoded table.
    n_folds : int
        Folds of a seed.
    n_jobs : int
        Threads.

    Returns
    -------
    base : ndarray of shape (n,), float64
        Probability where nothing is known; equal in all rows of equal settings and weights.
    parts : ndarray of shape (n, columns + 1), float64
        What each encoded column adds. What the embedding adds as a whole is in the last column,
        and its own columns hold 0.

    Notes
    -----
    A fold's logit is ``b + sum(phi)`` and its probability ``c(b + sum(phi))``, c being the
    calibrator. Walking from b to the logit along all phi at once, as integrated gradients do [1]_
    after Aumann and Shapley [2]_, column j earns ``phi_j * (c(z) - c(b)) / (z - b)``: the step of
    the probability is shared in proportion to the logits. So every fold's parts sum to its
    probability less its base, and their means to the score's.

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
    """Rise of the probability for each unit of logit on the way from start to stop."""
    close = np.abs(stop - start) < _CLOSE
    low, high = np.where(close, start - _STEP, start), np.where(close, start + _STEP, stop)
    return (calibrator.predict(high) - calibrator.predict(low)) / (high - low)


def sum_sources(base: np.ndarray, parts: np.ndarray, names: Sequence[str]) -> pd.DataFrame:
    """Put parts into a table, adding those of one column's categories.

    Parameters
    ----------
    base : ndarray of shape (n,)
        Constant of each row.
    parts : ndarray of shape (n, encoded columns + 1)
        What each encoded column adds; last the embedding as a whole.
    names : sequence of str
        Column of the table behind each encoded one.

    Returns
    -------
    DataFrame of shape (n, 1 + columns)
        ``base``, then one column per name, in the order in which they first come; ``emb__`` last
        instead of those of the embedding, if there are any.

    Examples
    --------
    >>> parts = np.array([[0.2, 0.3, 0.0, 0.1]])
    >>> sum_sources(np.array([0.1]), parts, ["a", "a", "emb__0"]).iloc[0].to_dict()
    {'base': 0.1, 'a': 0.5, 'emb__': 0.1}
    """
    named = [*("emb__" if name.startswith("emb__") else name for name in names), "emb__"]
    unique = [name for name in dict.fromkeys(named) if name != "emb__"]
    unique += ["emb__"] * (named.count("emb__") > 1)
    position = {name: k for k, name in enumerate(unique)}
    summed = np.zeros((len(parts), len(unique)))
    for column, name in enumerate(named):
        if name in position:
            summed[:, position[name]] += parts[:, column]
    frame = pd.DataFrame(summed, columns=unique)
    frame.insert(0, "base", base)
    return frame
