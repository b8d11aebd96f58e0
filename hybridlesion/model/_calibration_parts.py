"""Which rows calibrate which."""

from __future__ import annotations

import numpy as np

from hybridlesion.splits import grouped_folds

__all__ = ["calibration_parts", "calibration_rows"]

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
