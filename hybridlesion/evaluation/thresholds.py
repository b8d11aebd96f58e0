"""From which score on a lesion is called malignant."""

from __future__ import annotations

import numpy as np

from hybridlesion._validation import check_choice, check_number
from hybridlesion.evaluation._scores import check_scores

__all__ = ["choose_threshold", "threshold_at_sensitivity"]

RULES = ("f1", "youden")


def threshold_at_sensitivity(y: np.ndarray, score: np.ndarray, sensitivity: float = 0.9) -> float:
    """Highest threshold that reaches a sensitivity.

    Parameters
    ----------
    y : array-like of shape (n,), 0 or 1
        Truth; 1 is malignant.
    score : array-like of shape (n,)
        Scores.
    sensitivity : float, default=0.9
        Share of malignant rows to be called, above 0 and up to 1.

    Returns
    -------
    float
        One of the scores; rows are called malignant where ``score >= threshold``.

    Examples
    --------
    >>> threshold_at_sensitivity([0, 1, 0, 1, 1], [0.1, 0.2, 0.3, 0.6, 0.9], 0.6)
    0.6
    """
    check_number("sensitivity", sensitivity, low=0, high=1)
    y, score = check_scores(y, score)
    positives = np.sort(score[y])[::-1]
    # Rounding must not ask for one positive more than a sensitivity met exactly needs.
    needed = int(np.ceil(sensitivity * len(positives) - 1e-9))
    return float(positives[max(needed, 1) - 1])


def choose_threshold(y: np.ndarray, score: np.ndarray, rule: str = "f1") -> float:
    """Threshold that is best by a rule on these very rows.

    Parameters
    ----------
    y : array-like of shape (n,), 0 or 1
        Truth; 1 is malignant.
    score : array-like of shape (n,)
        Scores.
    rule : {"f1", "youden"}, default="f1"
        ``f1`` balances precision and recall; ``youden`` maximises sensitivity + specificity - 1.

    Returns
    -------
    float
        One of the scores; rows are called malignant where ``score >= threshold``. Among equally
        good thresholds the highest.

    Notes
    -----
    Figures at a threshold are optimistic on the rows that chose it.

    References
    ----------
    .. [1] W. J. Youden, "Index for rating diagnostic tests", Cancer 3, 32-35, 1950.

    Examples
    --------
    >>> choose_threshold([0, 0, 1, 0, 1], [0.1, 0.2, 0.3, 0.4, 0.9], "youden")
    0.3
    """
    check_choice("rule", rule, RULES)
    y, score = check_scores(y, score)
    levels, level = np.unique(-score, return_inverse=True)
    true = np.cumsum(np.bincount(level, weights=y))
    called = np.cumsum(np.bincount(level))
    if rule == "f1":
        merit = 2 * true / (called + y.sum())
    else:
        merit = true / y.sum() - (called - true) / (~y).sum()
    # Equal merits may differ in the last bits; the first of them is the highest threshold.
    return float(-levels[np.argmax(merit >= merit.max() - 1e-12)])
