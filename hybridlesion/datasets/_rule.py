"""The known rule that makes a drawn lesion malignant, and the AUC that it allows."""

from __future__ import annotations

import numpy as np

from hybridlesion._validation import check_number

__all__ = ["RULE_SLOPE", "RULE_WEIGHTS", "auc_ceiling", "malignancy_risk"]

# Share of asymmetry, border and colour in the score. Asymmetry leads, as it does in the ABCD
# rule and in Pellacani's measurements; border and colour follow.
RULE_WEIGHTS = (0.4, 0.25, 0.35)
# Steepness: chosen so that the true risk itself reaches an AUC of about 0.95, as far as the best
# published models come on ISIC 2020. The rest is chance, and no model can learn it.
RULE_SLOPE = 12.0


def malignancy_risk(excess: np.ndarray, malignant_share: float) -> np.ndarray:
    """Probability that lesions are malignant, from their latent asymmetry, border and colour.

    Parameters
    ----------
    excess : ndarray of shape (n, 3)
        Asymmetry, border and colour, each 0 to 1, beyond the patient's own baseline.
    malignant_share : float
        Mean of the probabilities, above 0 and below 1.

    Returns
    -------
    ndarray of shape (n,)
        Probabilities.

    Notes
    -----
    risk = 1 / (1 + exp(-(b + 12 s))), with s = 0.4 A + 0.25 B + 0.35 C, and b such that the mean
    is `malignant_share`.

    Examples
    --------
    >>> risk = malignancy_risk(np.array([[0.1, 0.1, 0.1], [0.9, 0.8, 0.9]]), 0.3)
    >>> round(float(risk.mean()), 3), bool(risk[1] > 10 * risk[0])
    (0.3, True)
    """
    score = RULE_SLOPE * np.asarray(excess, float) @ np.array(RULE_WEIGHTS)
    low, high = -score.max() - 40.0, -score.min() + 40.0
    for _ in range(80):
        offset = (low + high) / 2
        if np.mean(_sigmoid(score + offset)) < malignant_share:
            low = offset
        else:
            high = offset
    return _sigmoid(score + offset)


def auc_ceiling(risk: np.ndarray) -> float:
    """Highest AUC that any score can be expected to reach when targets are drawn from `risk`.

    Parameters
    ----------
    risk : ndarray of shape (n,)
        True probabilities of malignancy.

    Returns
    -------
    float
        Expected AUC of `risk` itself, 0.5 to 1.

    Raises
    ------
    ValueError
        If a value lies outside 0 to 1, or all are 0 or all are 1.

    Notes
    -----
    The share of pairs (one malignant, one benign), weighted by the probability of the pair, in
    which the malignant one has the higher risk; ties count half:
    sum_ij p_i (1 - p_j) [p_i > p_j] / sum_ij p_i (1 - p_j).

    Examples
    --------
    >>> auc_ceiling(np.array([0.5, 0.5])), auc_ceiling(np.array([0.0, 1.0]))
    (0.5, 1.0)
    """
    risk = np.sort(np.asarray(risk, float))
    for value in (risk[0], risk[-1]):
        check_number("risk", value, low=0.0, high=1.0)
    total = risk.sum() * (1 - risk).sum()
    if total == 0:
        raise ValueError("risk must allow both malignant and benign lesions, got only one kind.")
    values, inverse = np.unique(risk, return_inverse=True)
    malignant = np.bincount(inverse, weights=risk, minlength=len(values))
    benign = np.bincount(inverse, weights=1 - risk, minlength=len(values))
    below = np.cumsum(benign) - benign
    # Sums over all pairs, a lesion with itself included; for n lesions that is 1/n of them.
    return float((malignant * (below + benign / 2)).sum() / total)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-x))
