"""How far a refined mask can be trusted."""

from __future__ import annotations

import numpy as np

from hybridlesion._opencv import cv2

__all__ = ["expected_overlap", "measure_doubt", "refined_confidence"]

# The boundary zone reaches this share of the square root of the mask's area to either side.
ZONE_SHARE = 0.15

# Weights of a linear fit of the Jaccard index with experts' masks.
INTERCEPT = 0.0
OVERLAP_WEIGHT = 0.6
AGREEMENT_WEIGHT = 0.25
DOUBT_WEIGHT = -0.1
CLASSICAL_WEIGHT = 0.1


def refined_confidence(
    probability: np.ndarray, classical: np.ndarray, classical_confidence: float
) -> float:
    """Expect the Jaccard index of a refined mask.

    Parameters
    ----------
    probability : ndarray of shape (S, S), float32
        The network's probability; the mask is where it exceeds one half, and not empty.
    classical : ndarray of shape (S, S), bool
        The classical mask.
    classical_confidence : float
        Confidence of the classical mask, 0 to 1.

    Returns
    -------
    float
        0 to 1; a ranking first of all.

    Notes
    -----
    A weighted sum of the overlap that the probabilities themselves lead one to expect, the Jaccard
    index of the refined and the classical mask, the doubt in the boundary zone and the classical
    confidence.
    """
    mask = probability > 0.5
    shared = np.count_nonzero(mask & classical)
    agreement = shared / np.count_nonzero(mask | classical)
    value = (
        INTERCEPT
        + OVERLAP_WEIGHT * expected_overlap(probability)
        + AGREEMENT_WEIGHT * agreement
        + DOUBT_WEIGHT * measure_doubt(probability)
        + CLASSICAL_WEIGHT * classical_confidence
    )
    return float(np.clip(value, 0, 1))


def expected_overlap(probability: np.ndarray) -> float:
    """Jaccard index that the probabilities themselves lead one to expect.

    Parameters
    ----------
    probability : ndarray of shape (S, S), float32
        0 to 1; above one half somewhere.

    Returns
    -------
    float
        0.5 to 1 for a mask without neighbours in doubt, less with them.

    Notes
    -----
    ``sum of p inside / (area inside + sum of p outside)``: what of the mask is expected to be
    lesion, over the mask and the lesion expected outside.

    Examples
    --------
    >>> import numpy as np
    >>> round(expected_overlap(np.array([[1.0, 0.8, 0.4, 0.0]])), 6)
    0.75
    """
    mask = probability > 0.5
    inside = float(probability[mask].sum(dtype=np.float64))
    outside = float(probability.sum(dtype=np.float64)) - inside
    return inside / (np.count_nonzero(mask) + outside)


def measure_doubt(probability: np.ndarray) -> float:
    """Mean entropy in the boundary zone of the mask.

    Parameters
    ----------
    probability : ndarray of shape (S, S), float32
        0 to 1; above one half somewhere.

    Returns
    -------
    float
        0 (all pixels decided) to 1 (none), in bits.

    Examples
    --------
    >>> import numpy as np
    >>> round(measure_doubt(np.full((8, 8), 0.51, np.float32)), 3)
    1.0
    """
    mask = (probability > 0.5).astype(np.uint8)
    # Of the two distances one is 0: their sum is the distance to the other side of the boundary.
    depth = cv2.distanceTransform(mask, cv2.DIST_L2, 3)
    depth += cv2.distanceTransform(1 - mask, cv2.DIST_L2, 3)
    zone = depth <= max(1.0, ZONE_SHARE * float(np.sqrt(mask.sum())))
    if not zone.any():
        zone[:] = True
    p = np.clip(probability[zone].astype(np.float64), 1e-6, 1 - 1e-6)
    return float(-(p * np.log2(p) + (1 - p) * np.log2(1 - p)).mean())
