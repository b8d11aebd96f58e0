"""How far a refined mask can be trusted."""

from __future__ import annotations

import numpy as np

__all__ = ["expected_overlap", "refined_confidence"]

# A linear fit of the Jaccard index with experts' masks on images that the network did not see.
INTERCEPT = -0.27
OVERLAP_WEIGHT = 0.98
CLASSICAL_WEIGHT = 0.28


def refined_confidence(probability: np.ndarray, classical_confidence: float) -> float:
    """Expect the Jaccard index of a refined mask.

    Parameters
    ----------
    probability : ndarray of shape (S, S), float32
        The network's probability; the mask is where it exceeds one half, and not empty.
    classical_confidence : float
        Confidence of the classical mask, 0 to 1.

    Returns
    -------
    float
        0 to 1; a ranking first of all.

    Notes
    -----
    ``0.98 * expected overlap + 0.28 * classical confidence - 0.27``, clipped. Fitted once on the
    unseen images of an earlier network; on the out-of-fold masks of all 1,996 images of ISIC 2017
    it ranks those with a Jaccard index below 0.65 with an AUC of 0.92, and its mean, 0.843, is
    that of the index itself.

    Examples
    --------
    >>> import numpy as np
    >>> refined_confidence(np.array([[1.0, 1.0, 0.0]]), 0.5)
    0.85
    """
    value = (
        INTERCEPT
        + OVERLAP_WEIGHT * expected_overlap(probability)
        + CLASSICAL_WEIGHT * classical_confidence
    )
    return min(1.0, max(0.0, value))


def expected_overlap(probability: np.ndarray) -> float:
    """Jaccard index that the probabilities themselves lead one to expect.

    Parameters
    ----------
    probability : ndarray of shape (S, S), float32
        0 to 1; above one half somewhere.

    Returns
    -------
    float
        0 to 1.

    Notes
    -----
    ``sum of p inside / (area inside + sum of p outside)``: what of the mask is expected to be
    lesion, over the mask and the lesion expected outside.

    Examples
    --------
    >>> import numpy as np
    >>> expected_overlap(np.array([[1.0, 0.75, 0.5, 0.0]], dtype=np.float32))
    0.7
    """
    mask = probability > 0.5
    inside = float(probability[mask].sum(dtype=np.float64))
    outside = float(probability.sum(dtype=np.float64)) - inside
    return inside / (int(np.count_nonzero(mask)) + outside)
