"""What a vector of truths and a vector of scores are."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hybridlesion._validation import check_number
from hybridlesion.exceptions import OptionError

__all__ = ["check_cost_ratio", "check_groups", "check_probabilities", "check_scores"]


def check_scores(y: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return truth as bool and scores as float64, or say what is wrong with them.

    Parameters
    ----------
    y : array-like of shape (n,), 0 or 1
        Truth; 1 is malignant.
    score : array-like of shape (n,)
        Scores; the higher, the more likely malignant.

    Returns
    -------
    y : ndarray of shape (n,), bool
        True where malignant.
    score : ndarray of shape (n,), float64
        Scores.

    Raises
    ------
    ValueError
        If lengths differ, values are missing, `y` holds other values than 0 and 1, or only one
        of them.

    Examples
    --------
    >>> check_scores([0, 1], [0.2, 0.7])
    (array([False,  True]), array([0.2, 0.7]))
    """
    y, score = np.asarray(y), np.asarray(score, dtype=np.float64)
    if y.ndim != 1 or score.shape != y.shape:
        raise ValueError(
            f"y and score must be vectors of the same length, got shapes {y.shape} and "
            f"{score.shape}."
        )
    missing = int(pd.isna(y).sum()), int((~np.isfinite(score)).sum())
    if any(missing):
        raise ValueError(
            f"y has {missing[0]} missing values and score {missing[1]} that are missing or "
            "infinite. Drop those rows before evaluating."
        )
    values = set(np.unique(y).tolist())
    if not values <= {0, 1}:
        raise ValueError(f"y must hold 0 and 1 only, got {sorted(values)[:5]}.")
    if len(values) < 2:
        raise ValueError(
            f"y must hold both classes, got {len(y)} rows, all of them {values or 'absent'}. "
            "Ranking and calibration are undefined for one class."
        )
    return y.astype(bool), score


def check_probabilities(y: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return truth and scores as they are, if the scores may be probabilities.

    Parameters
    ----------
    y : ndarray of shape (n,), bool
        True where malignant.
    score : ndarray of shape (n,), float64
        Scores.

    Returns
    -------
    y : ndarray of shape (n,), bool
        `y`.
    score : ndarray of shape (n,), float64
        `score`.

    Raises
    ------
    ValueError
        If a score lies outside 0 to 1.

    Examples
    --------
    >>> check_probabilities(np.array([False, True]), np.array([0.2, 0.7]))[1]
    array([0.2, 0.7])
    """
    if score.min() < 0 or score.max() > 1:
        raise ValueError(
            f"score must hold probabilities from 0 to 1, got {score.min():.4g} to "
            f"{score.max():.4g}."
        )
    return y, score


def check_cost_ratio(cost_ratio: float) -> float:
    """Return a ratio of costs, or say what is wrong with it.

    Parameters
    ----------
    cost_ratio : float
        Cost of one missed malignant lesion in needless calls.

    Returns
    -------
    float
        `cost_ratio`.

    Raises
    ------
    OptionError
        If it is not a finite number above 0.
    """
    ratio = float(check_number("cost_ratio", cost_ratio))
    if not 0 < ratio < np.inf:
        raise OptionError(
            f"cost_ratio must be a number above 0, got {cost_ratio!r}. It says how many needless "
            "calls one missed malignant lesion is worth, as 20."
        )
    return ratio


def check_groups(groups: np.ndarray | None, n: int) -> np.ndarray:
    """Return a code per row, 0 to the number of groups minus 1.

    Parameters
    ----------
    groups : array-like of shape (n,) or None
        Patient of each row; None makes each row its own group.
    n : int
        Number of rows.

    Returns
    -------
    ndarray of shape (n,), int
        Codes by first appearance; a row whose group is missing is a group of its own.

    Raises
    ------
    ValueError
        If `groups` has another length.

    Examples
    --------
    >>> check_groups(["b", "a", "b", None], 4)
    array([0, 1, 0, 2])
    """
    if groups is None:
        return np.arange(n)
    if len(groups) != n:
        raise ValueError(f"groups must have one value a row, got {len(groups)} for {n} rows.")
    codes, unique = pd.factorize(pd.Series(groups).reset_index(drop=True))
    alone = codes < 0
    codes[alone] = len(unique) + np.arange(alone.sum())
    return codes
