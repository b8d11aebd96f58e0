"""Each row gets a probability from rows of other groups; the model gets one calibrator."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hybridlesion.model.calibration import ScoreCalibrator
from hybridlesion.splits import grouped_folds

__all__ = ["HeldOut", "calibration_parts", "cross_calibrate", "member_noise"]

# A calibrator of two or three numbers hardly differs when a twentieth of the rows is left out; of
# five parts each, the calibrators differ enough to shuffle the highest scores of different folds.
_PARTS = 20

# Lesions of each class, outside of any part, that a setting needs to be calibrated on its own rows.
_LEAST = 20


@dataclass(frozen=True)
class HeldOut:
    """Logits of one setting: lesions in company or alone, with metadata or without.

    Parameters
    ----------
    logits : ndarray of shape (n,), float64
        Of every row as it would be in this setting, by members that never saw it.
    noise : ndarray of shape (n,), float64
        Variance of these logits that means of all members are free of.
    like : ndarray of shape (n,), bool
        Rows that stand for this setting.
    own : ndarray of shape (n,), float64
        Logits of every row as it is.
    weight : ndarray of shape (n,), float64
        How much each row is scored by this setting, 0 to 1; the weights of all sum to 1.
    """

    logits: np.ndarray
    noise: np.ndarray
    like: np.ndarray
    own: np.ndarray
    weight: np.ndarray


def cross_calibrate(
    method: str, y: np.ndarray, held_out: Mapping[Hashable, HeldOut], parts: np.ndarray
) -> tuple[dict[Hashable, ScoreCalibrator], np.ndarray, np.ndarray]:
    """Fit a calibrator for each setting; score each row by one fitted on other groups.

    Parameters
    ----------
    method : str
        One of `hybridlesion.model.calibration.CALIBRATIONS`.
    y : ndarray of shape (n,), bool
        Target.
    held_out : mapping to HeldOut
        Logits of each setting.
    parts : ndarray of shape (n,), int
        From `calibration_parts`.

    Returns
    -------
    calibrators : dict to ScoreCalibrator
        One a setting, fitted to all rows, for new lesions, whose logits are means of more members.
    raw, score : ndarray of shape (n,), float64
        Out-of-fold logits and probabilities. The latter come from calibrators that saw no row of
        the same group, and are dealt so that within a setting they rise with the logits, as those
        of new lesions do.
    """
    calibrators, raw, score = {}, np.zeros(len(y)), np.zeros(len(y))
    for setting, found in held_out.items():
        source, rows = calibration_rows(y, found.like, parts), found.weight > 0
        whole = ScoreCalibrator(method).fit(found.logits[source], y[source])
        own = np.zeros(len(y))
        for part in np.unique(parts[rows]):
            rest, left = source & (parts != part), rows & (parts == part)
            other = ScoreCalibrator(whole.method_).fit(found.logits[rest], y[rest])
            own[left] = other.predict(found.own[left])
        calibrators[setting] = whole.sharpen(found.logits[source], y[source], found.noise[source])
        if rows.any():
            score[rows] += found.weight[rows] * keep_order(own[rows], found.own[rows])
            raw += found.weight * found.own
    return calibrators, raw, score


def member_noise(draws: np.ndarray, n_folds: Sequence[int]) -> np.ndarray:
    """Estimate the variance that averaging the members of all folds removes from a logit.

    Parameters
    ----------
    draws : ndarray of shape (r, n), float64
        Out-of-fold logits of at least two draws of the folds; each row is scored by members that
        never saw it.
    n_folds : sequence of int
        Folds of each draw; the noise is that of the first.

    Returns
    -------
    ndarray of shape (n,), float64
        What is removed, estimated at each row.

    Notes
    -----
    Two members that never saw a row differ in the rows that they learned from. The more rows they
    share, the less they differ: with variances that fall as one over the rows, members of two
    draws of k and l folds differ by ``1 / (k - 1) + 1 / (l - 1)`` in some unit, and averaging the
    k members of a draw removes ``2 / (k - 1)`` of half of that unit.

    No target enters, so that it is known well also with few positives. Draws are brought to equal
    means and variances first: members of fewer folds learned from fewer rows and say less.

    Examples
    --------
    >>> member_noise(np.array([[-1.0, 1.0, 3.0], [-1.0, 1.0, 3.0]]), (5, 3)).tolist()
    [0.0, 0.0, 0.0]
    """
    spread = draws.std(axis=1, keepdims=True)
    standard = (draws - draws.mean(axis=1, keepdims=True)) / np.where(spread > 0, spread, 1)
    first, other = n_folds[0] - 1, n_folds[-1] - 1
    removed = 2 * other / (first + other)
    return removed * standard.var(axis=0, ddof=1) * spread[0] ** 2


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
    """Choose the rows that calibrate a setting.

    Parameters
    ----------
    y : ndarray of shape (n,), bool
        Target.
    own : ndarray of shape (n,), bool
        Rows that stand for it.
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
