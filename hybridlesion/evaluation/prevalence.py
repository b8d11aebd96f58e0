"""Probabilities for patients among whom malignancy is more or less frequent."""

from __future__ import annotations

import numpy as np
from scipy.special import expit, logit

from hybridlesion._validation import check_number
from hybridlesion.exceptions import OptionError

__all__ = ["shift_prevalence"]


def shift_prevalence(probabilities: np.ndarray, trained: float, wanted: float) -> np.ndarray:
    """Turn probabilities of one prevalence into those of another.

    Parameters
    ----------
    probabilities : array-like of any shape, 0 to 1
        Probabilities of malignancy, calibrated at the prevalence `trained`; NaN stays NaN.
    trained : float
        Share of malignant lesions where the probabilities were calibrated, above 0 and below 1.
    wanted : float
        Share of malignant lesions where they are used, above 0 and below 1.

    Returns
    -------
    ndarray of the same shape, float64
        Probabilities, 0 to 1; 0 and 1 stay, and the ranking stays.

    Raises
    ------
    OptionError
        If a prevalence is not between 0 and 1, or a probability lies outside.

    Notes
    -----
    On the logit scale, ``z + logit(wanted) - logit(trained)``: Bayes' rule with other odds before
    the image is seen [1]_ [2]_. It holds where only the share of malignant lesions differs, and
    benign and malignant lesions look as they did; another clinic or camera is no such case.

    References
    ----------
    .. [1] C. Elkan, "The foundations of cost-sensitive learning", IJCAI, 973-978, 2001, theorem 2.
    .. [2] M. Saerens, P. Latinne, C. Decaestecker, "Adjusting the outputs of a classifier to new a
       priori probabilities: a simple procedure", Neural Computation 14, 21-41, 2002, eq. 2.4.

    Examples
    --------
    >>> shift_prevalence([0.5, 0.9], trained=0.5, wanted=0.02).round(3)
    array([0.02 , 0.155])
    """
    for name, value in (("trained", trained), ("wanted", wanted)):
        check_number(name, value)
        if not 0 < value < 1:
            raise OptionError(
                f"{name} must be a share of malignant lesions between 0 and 1, both excluded, got "
                f"{value!r}. Two per cent are 0.02."
            )
    p = np.asarray(probabilities, dtype=np.float64)
    outside = (p < 0) | (p > 1)
    if outside.any():
        raise OptionError(
            f"probabilities must lie between 0 and 1, got {p[outside].flat[0]:g} and "
            f"{outside.sum() - 1} more outside. Calibrate the scores first."
        )
    return expit(logit(p) + (logit(wanted) - logit(trained)))
