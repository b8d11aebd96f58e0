"""What each column adds to a calibrated score."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from hybridlesion.model._member import Member
from hybridlesion.model.calibration import ScoreCalibrator

__all__ = ["spread_probability", "sum_sources"]

# Logits closer than this take the calibrator's slope there, measured over `_STEP`.
_CLOSE, _STEP = 1e-6, 1e-3


def spread_probability(
    members: Sequence[Member],
    calibrator: ScoreCalibrator,
    dense: np.ndarray,
    embedding: np.ndarray,
    n_jobs: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Take the mean of the folds' calibrated scores apart.

    Parameters
    ----------
    members : sequence of Member
        Those of one fold are averaged before calibration, as the score is.
    calibrator : ScoreCalibrator
        Turns logits into probabilities.
    dense : ndarray of shape (n, columns), float32
        All features but the embedding.
    embedding : ndarray of shape (n, d), float32
        The embedding; d is 0 without one.
    n_jobs : int
        Threads.

    Returns
    -------
    base : ndarray of shape (n,), float64
        Probability where nothing is known; equal in every row.
    parts : ndarray of shape (n, columns) or (n, columns + 1), float64
        What each column adds; the embedding, if there is one, last.

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
    folds = sorted({member.fold for member in members})
    base, parts = 0.0, 0.0
    for fold in folds:
        own = [member for member in members if member.fold == fold]
        logits = np.mean([m.contributions(dense, embedding, n_jobs) for m in own], axis=0)
        start, phi = logits[:, -1], logits[:, :-1]
        stop = start + phi.sum(axis=1)
        base = base + calibrator.predict(start) / len(folds)
        parts = parts + phi * _slope(calibrator, start, stop)[:, None] / len(folds)
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
    parts : ndarray of shape (n, encoded columns)
        What each encoded column adds.
    names : sequence of str
        Column of the table behind each encoded one.

    Returns
    -------
    DataFrame of shape (n, 1 + columns)
        ``base``, then one column per name, in the order in which they first come.

    Examples
    --------
    >>> sum_sources(np.array([0.1]), np.array([[0.2, 0.3, 0.0]]), ["a", "a", "b"]).iloc[0].to_dict()
    {'base': 0.1, 'a': 0.5, 'b': 0.0}
    """
    unique = list(dict.fromkeys(names))
    position = {name: k for k, name in enumerate(unique)}
    summed = np.zeros((len(parts), len(unique)))
    for column, name in enumerate(names):
        summed[:, position[name]] += parts[:, column]
    frame = pd.DataFrame(summed, columns=unique)
    frame.insert(0, "base", base)
    return frame
