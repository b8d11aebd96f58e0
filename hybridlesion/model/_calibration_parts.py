"""Which rows calibrate which."""

from __future__ import annotations

import numpy as np

from hybridlesion.splits import grouped_folds

__all__ = ["calibration_parts", "calibration_rows", "keep_order"]

# A calibrator of two or three numbers hardly differs when a twentieth of the rows is left out; of
# five parts each, the calibrators differ enough to shuffle the highest scores of different folds.
_PARTS = 20

# Lesions of each class, outside of any part, that a setting needs to be calibrated on its own rows.
_LEAST = 20


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
    """Choose the rows that calibrate lesions in company, or alone.

    Parameters
    ----------
    y : ndarray of shape (n,), bool
        Target.
    own : ndarray of shape (n,), bool
        Rows that are scored in this setting.
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
