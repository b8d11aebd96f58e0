"""Each row gets a probability from rows of other groups; the model gets one calibrator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hybridlesion.model.calibration import ScoreCalibrator
from hybridlesion.splits import grouped_folds

__all__ = ["HeldOut", "calibration_parts", "cross_calibrate"]

# A calibrator of two or three numbers hardly differs when a twentieth of the rows is left out; of
# five parts each, the calibrators differ enough to shuffle the highest scores of different folds.
_PARTS = 20

# Lesions of each class, outside of any part, that a setting needs to be calibrated on its own rows.
_LEAST = 20


@dataclass(frozen=True)
class HeldOut:
    """Logits of one setting: lesions in company, lesions alone, or all of them.

    Parameters
    ----------
    logits : ndarray of shape (n,), float64
        Of every row, by members that never saw it.
    own : ndarray of shape (n,), bool
        Rows that are scored in this setting.
    """

    logits: np.ndarray
    own: np.ndarray


def cross_calibrate(
    method: str, y: np.ndarray, held_out: Mapping[bool, HeldOut], parts: np.ndarray
) -> tuple[dict[bool, ScoreCalibrator], np.ndarray, np.ndarray]:
    """Fit a calibrator for each setting; score each row by one fitted on other groups.

    Parameters
    ----------
    method : str
        One of `hybridlesion.model.calibration.CALIBRATIONS`.
    y : ndarray of shape (n,), bool
        Target.
    held_out : mapping of bool to HeldOut
        Logits of each setting; each row is scored in one of them.
    parts : ndarray of shape (n,), int
        From `calibration_parts`.

    Returns
    -------
    calibrators : dict of bool to ScoreCalibrator
        Fitted to all rows, for new lesions.
    raw, score : ndarray of shape (n,), float64
        Out-of-fold logits and probabilities. The latter come from calibrators that saw no row of
        the same group, and are dealt so that within a setting they rise with the logits, as those
        of new lesions do.
    """
    calibrators, raw, score = {}, np.empty(len(y)), np.empty(len(y))
    for setting, found in held_out.items():
        logits, own = found.logits, found.own
        source = calibration_rows(y, own, parts)
        whole = ScoreCalibrator(method).fit(logits[source], y[source])
        calibrators[setting] = whole
        for part in np.unique(parts[own]):
            rest, rows = source & (parts != part), own & (parts == part)
            other = ScoreCalibrator(whole.method_).fit(logits[rest], y[rest])
            score[rows] = other.predict(logits[rows])
        raw[own], score[own] = logits[own], keep_order(score[own], logits[own])
    return calibrators, raw, score


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
