"""Thresholds that follow from the data, of thousands of resamples at once."""

from __future__ import annotations

import numpy as np

from hybridlesion.evaluation._ranking import Ranking, first_level

__all__ = ["Cutoffs"]


class Cutoffs:
    """Thresholds at sensitivities, and of the least cost.

    Both lie where a positive stands: between two positives a lower threshold only calls more
    negatives. So each resample costs the sums that `Ranking` makes.

    Parameters
    ----------
    y : ndarray of shape (n,), bool
        True where malignant.
    score : ndarray of shape (n,), float64
        Scores.
    codes : ndarray of shape (n,), int
        Group of each row, from 0.
    sensitivities : tuple of float, default=()
        Sensitivities to reach.
    cost_ratio : float, default=None
        How many needless calls one missed malignant row is worth; None seeks no such threshold.
    """

    def __init__(
        self,
        y: np.ndarray,
        score: np.ndarray,
        codes: np.ndarray,
        *,
        sensitivities: tuple[float, ...] = (),
        cost_ratio: float | None = None,
    ):
        self._ranking = Ranking(y, score, codes)
        self._sensitivities = sensitivities
        self._cost_ratio = cost_ratio
        # Calling nothing may cost least; the next number above every score says so, and is finite.
        self._calls_nothing = np.nextafter(score.max(), np.inf)

    def __call__(self, counts: np.ndarray) -> dict[str, np.ndarray]:
        """Measure resamples.

        Parameters
        ----------
        counts : ndarray of shape (groups, B), float64
            Multiplicity of each group in each resample.

        Returns
        -------
        dict of str to ndarray of shape (B,)
            ``sensitivity_0.8`` ... and ``cost``; NaN for resamples of one class.
        """
        _, positives, negatives = self._ranking.tally(counts)
        undefined = (positives[-1] == 0) | (negatives[-1] == 0)
        values = {}
        with np.errstate(invalid="ignore", divide="ignore"):
            recall = positives / positives[-1]
        for sensitivity in self._sensitivities:
            threshold = self._ranking.levels[first_level(recall, sensitivity)]
            values[f"sensitivity_{sensitivity:g}"] = threshold
        if self._cost_ratio is not None:
            values["cost"] = self._of_least_cost(positives, negatives[1::2])
        return {name: np.where(undefined, np.nan, value) for name, value in values.items()}

    def _of_least_cost(self, positives: np.ndarray, false: np.ndarray) -> np.ndarray:
        thresholds = np.append(self._calls_nothing, self._ranking.levels)
        missed = np.vstack([positives[-1], positives[-1] - positives])
        cost = self._cost_ratio * missed + np.vstack([np.zeros_like(positives[-1]), false])
        # Of equal costs, which may differ in the last bits, the highest threshold comes first.
        best = np.argmax(cost <= cost.min(axis=0) * (1 + 1e-12), axis=0)
        return thresholds[best]
