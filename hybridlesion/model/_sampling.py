"""What each member sees of the negatives, and how its scores are set right for it."""

from __future__ import annotations

import numpy as np

__all__ = ["IMBALANCE", "draw_bag"]

IMBALANCE = ("none", "class_weight", "undersample", "resample", "focal")

# How often, on average, "resample" draws each positive.
_REPEATS = 3


def draw_bag(
    y: np.ndarray, strategy: str, ratio: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray | None, float]:
    """Draw the rows and weights of one member, with the shift that undoes them.

    Parameters
    ----------
    y : ndarray of shape (n,), bool
        Target of the training rows.
    strategy : {"none", "class_weight", "undersample", "resample", "focal"}
        How imbalance is met; ``focal`` is met by the loss, so that all rows are seen.
    ratio : float
        Negatives kept for each positive by ``undersample``; ``resample`` keeps as many, and draws
        positives with replacement, three for each there is.
    rng : Generator
        Random numbers.

    Returns
    -------
    rows : ndarray of shape (m,), int
        Row numbers, rising.
    weight : ndarray of shape (m,) or None
        Weights of these rows.
    shift : float
        To be added to the member's logits.

    Notes
    -----
    With a share b of the negatives kept, a score p_s on the bag stands for
    ``p = b p_s / (b p_s - p_s + 1)``: on the logit scale, log(b) is added. Weighting positives by
    w, or drawing each w times, has the effect of b = 1 / w.

    References
    ----------
    .. [1] A. Dal Pozzolo, O. Caelen, R. A. Johnson, G. Bontempi, "Calibrating probability with
       undersampling for unbalanced classification", IEEE SSCI 2015.

    Examples
    --------
    >>> y = np.array([True] + [False] * 100)
    >>> rows, _, shift = draw_bag(y, "undersample", 10, np.random.default_rng(0))
    >>> len(rows), round(float(np.exp(shift)), 6)
    (11, 0.1)
    """
    positive, negative = np.flatnonzero(y), np.flatnonzero(~y)
    everything = np.arange(len(y))
    if strategy == "class_weight":
        weight = np.where(y, len(negative) / len(positive), 1.0)
        return everything, weight, float(np.log(len(positive) / len(negative)))
    kept = min(round(ratio * len(positive)), len(negative))
    if strategy == "resample":
        drawn = rng.choice(negative, kept, replace=False)
        again = rng.choice(positive, _REPEATS * len(positive))
        shift = np.log(kept / len(negative) / _REPEATS)
        return np.sort(np.r_[again, drawn]), None, float(shift)
    if strategy != "undersample" or kept == len(negative):
        return everything, None, 0.0
    drawn = rng.choice(negative, kept, replace=False)
    return np.sort(np.r_[positive, drawn]), None, float(np.log(kept / len(negative)))
