"""Ranking measures of thousands of resamples at once, from one sort of the scores."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

__all__ = ["Ranking", "first_level"]


class Ranking:
    """Scores sorted once, so that each resample costs a few sums.

    Every ranking measure changes only where a positive stands. With positives at K distinct
    scores, the negatives matter only by how many lie above, on and between those scores:
    ``2 K + 1`` counts. A sparse matrix of these counts by group, times the multiplicities of the
    groups, gives the counts of every resample.

    Parameters
    ----------
    y : ndarray of shape (n,), bool
        True where malignant.
    score : ndarray of shape (n,), float64
        Scores.
    codes : ndarray of shape (n,), int
        Group of each row, from 0.
    min_sensitivity : float, default=0.8
        Lower end of the partial area.
    sensitivities : tuple of float, default=(0.8, 0.9, 0.95)
        Where specificity is read.

    Attributes
    ----------
    levels : ndarray of shape (K,)
        Distinct scores of the positives, from the highest down.
    """

    def __init__(
        self,
        y: np.ndarray,
        score: np.ndarray,
        codes: np.ndarray,
        *,
        min_sensitivity: float = 0.8,
        sensitivities: tuple[float, ...] = (0.8, 0.9, 0.95),
    ):
        self.min_sensitivity = min_sensitivity
        self.sensitivities = sensitivities
        levels = np.unique(score[y])[::-1]
        # Slots of the negatives, from the highest score down: above level 0, on it, below it ...
        on_or_below = np.searchsorted(-levels, -score[~y], side="left")
        tied = levels[np.minimum(on_or_below, len(levels) - 1)] == score[~y]
        self.levels = levels
        self._negatives = _counts(2 * on_or_below + tied, codes[~y], 2 * len(levels) + 1, codes)
        self._positives = _counts(np.searchsorted(-levels, -score[y]), codes[y], len(levels), codes)

    def tally(self, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Count rows down the levels, in every resample.

        Parameters
        ----------
        counts : ndarray of shape (groups, B), float64
            Multiplicity of each group in each resample.

        Returns
        -------
        at_level : ndarray of shape (K, B)
            Positives on each level.
        positives : ndarray of shape (K, B)
            Positives on or above each level.
        negatives : ndarray of shape (2 K + 1, B)
            Negatives above the first level, on or above it, above the second and so on; last all.
        """
        at_level = self._positives @ counts
        return at_level, np.cumsum(at_level, axis=0), np.cumsum(self._negatives @ counts, axis=0)

    def __call__(self, counts: np.ndarray) -> dict[str, np.ndarray]:
        """Measure resamples.

        Parameters
        ----------
        counts : ndarray of shape (groups, B), float64
            Multiplicity of each group in each resample.

        Returns
        -------
        dict of str to ndarray of shape (B,)
            ``auc``, ``average_precision``, ``pauc``, ``specificity_at_80_sensitivity`` ...; NaN
            for resamples of one class.
        """
        at_level, cumulated, negatives = self.tally(counts)
        before, through = negatives[0:-1:2], negatives[1::2]
        with np.errstate(invalid="ignore", divide="ignore"):
            recall = cumulated / cumulated[-1]
            false_before, false_through = before / negatives[-1], through / negatives[-1]
            gained = at_level / cumulated[-1]
            precision = np.where(at_level > 0, cumulated / (cumulated + through), 0.0)
            values = {
                "auc": _area_above(recall, gained, false_before, false_through, 0.0),
                "average_precision": (gained * precision).sum(axis=0),
                "pauc": _area_above(
                    recall, gained, false_before, false_through, self.min_sensitivity
                ),
            }
        undefined = (cumulated[-1] == 0) | (negatives[-1] == 0)
        for target in self.sensitivities:
            level = first_level(recall, target)
            name = f"specificity_at_{round(100 * target)}_sensitivity"
            values[name] = 1 - false_through[level, np.arange(counts.shape[1])]
        return {name: np.where(undefined, np.nan, value) for name, value in values.items()}


def first_level(recall: np.ndarray, sensitivity: float) -> np.ndarray:
    """Find the highest level that reaches a sensitivity.

    Parameters
    ----------
    recall : ndarray of shape (K, B)
        Sensitivity down the levels, in each resample.
    sensitivity : float
        Sensitivity to reach.

    Returns
    -------
    ndarray of shape (B,), int
        Index of the level; 0 where nothing is defined.
    """
    # Rounding must not miss a sensitivity that is met exactly.
    return np.argmax(recall >= sensitivity - 1e-12, axis=0)


def _counts(slots: np.ndarray, codes: np.ndarray, n_slots: int, all_codes: np.ndarray):
    """Return how many rows of each group lie in each slot, as a sparse matrix."""
    shape = (n_slots, int(all_codes.max()) + 1)
    return csr_matrix((np.ones(len(slots)), (slots, codes)), shape=shape)


def _area_above(
    recall: np.ndarray,
    gained: np.ndarray,
    false_before: np.ndarray,
    false_through: np.ndarray,
    low: float,
) -> np.ndarray:
    """Return the area under the ROC curve and above a sensitivity.

    The area is the integral over sensitivity of the specificity, which falls linearly from
    ``1 - false_before`` to ``1 - false_through`` while the positives of one level are passed.
    """
    start = recall - gained
    inside = np.clip(recall - np.maximum(start, low), 0, None)
    share = np.where(gained > 0, inside / np.where(gained > 0, gained, 1), 0)
    # Of a level that straddles `low` only the upper share of the ramp counts: its mean
    # specificity lies half of that share before the ramp's end.
    false_mean = false_through - (false_through - false_before) * share / 2
    return (inside * (1 - false_mean)).sum(axis=0)
