"""How well scores rank malignant above benign."""

from __future__ import annotations

import numpy as np

from hybridlesion._validation import check_number
from hybridlesion.metrics._ranking import Ranking
from hybridlesion.metrics._resampling import check_scores

__all__ = ["average_precision", "partial_auc", "roc_auc", "specificity_at_sensitivity"]


def roc_auc(y: np.ndarray, score: np.ndarray) -> float:
    """Area under the receiver operating characteristic.

    Parameters
    ----------
    y : array-like of shape (n,), 0 or 1
        Truth; 1 is malignant.
    score : array-like of shape (n,)
        Scores; the higher, the more likely malignant.

    Returns
    -------
    float
        0 to 1; ties count one half.

    Examples
    --------
    >>> roc_auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.75
    """
    return _measure(y, score, "auc")


def average_precision(y: np.ndarray, score: np.ndarray) -> float:
    """Area under the precision-recall curve, by steps.

    Parameters
    ----------
    y : array-like of shape (n,), 0 or 1
        Truth; 1 is malignant.
    score : array-like of shape (n,)
        Scores; the higher, the more likely malignant.

    Returns
    -------
    float
        0 to 1; random scores give the prevalence.

    Notes
    -----
    Sum over thresholds of ``(R_k - R_(k-1)) P_k`` with recall R and precision P.

    Examples
    --------
    >>> round(average_precision([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]), 4)
    0.8333
    """
    return _measure(y, score, "average_precision")


def partial_auc(y: np.ndarray, score: np.ndarray, *, min_sensitivity: float = 0.8) -> float:
    """Area under the ROC curve and above a sensitivity: the measure of ISIC 2024.

    Parameters
    ----------
    y : array-like of shape (n,), 0 or 1
        Truth; 1 is malignant.
    score : array-like of shape (n,)
        Scores; the higher, the more likely malignant.
    min_sensitivity : float, default=0.8
        Lower end of the area, 0 to 1.

    Returns
    -------
    float
        0 to ``1 - min_sensitivity``; random scores give ``(1 - min_sensitivity)**2 / 2``.

    References
    ----------
    .. [1] N. R. Kurtansky et al., "The SLICE-3D dataset: 400,000 skin lesion image crops
       extracted from 3D TBP for skin cancer detection", Scientific Data 11, 884, 2024.

    Examples
    --------
    >>> round(partial_auc([0, 0, 1, 1], [0.1, 0.2, 0.7, 0.8]), 3)
    0.2
    """
    check_number("min_sensitivity", min_sensitivity, low=0, high=1)
    return _measure(y, score, "pauc", min_sensitivity=min_sensitivity)


def specificity_at_sensitivity(y: np.ndarray, score: np.ndarray, sensitivity: float = 0.9) -> float:
    """Highest specificity among the thresholds that reach a sensitivity.

    Parameters
    ----------
    y : array-like of shape (n,), 0 or 1
        Truth; 1 is malignant.
    score : array-like of shape (n,)
        Scores; the higher, the more likely malignant.
    sensitivity : float, default=0.9
        Sensitivity to reach, 0 to 1.

    Returns
    -------
    float
        0 to 1. Between two thresholds nothing is interpolated.

    Examples
    --------
    >>> specificity_at_sensitivity([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], 0.9)
    0.5
    """
    check_number("sensitivity", sensitivity, low=0, high=1)
    name = f"specificity_at_{round(100 * sensitivity)}_sensitivity"
    return _measure(y, score, name, sensitivities=(sensitivity,))


def _measure(y: np.ndarray, score: np.ndarray, name: str, **options) -> float:
    y, score = check_scores(y, score)
    ranking = Ranking(y, score, np.zeros(len(y), dtype=int), **options)
    return ranking.values()[name]
