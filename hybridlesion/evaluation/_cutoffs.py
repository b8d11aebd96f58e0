"""Thresholds that follow from the data, of thousands of draws at once."""

from __future__ import annotations

import numpy as np

from hybridlesion.evaluation._ranking import LOWER_TAIL, Ranking, first_level, interpolate
from hybridlesion.evaluation._resamples import Support

__all__ = ["Cutoffs"]

# Groups with a positive expected below a threshold from which it is a quantile of the positives.
# With fewer it follows from the assumption about the curve beyond the lowest of them, and the
# interval is wide enough as it is.
_LEAST_BELOW = 2


class Cutoffs:
    """Thresholds at sensitivities, and of the least cost.

    Both lie where a positive stands: between two positives a lower threshold only calls more
    negatives. So each draw costs the sums that `Ranking` makes.

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

    Attributes
    ----------
    support : dict of str to Support
        What bears on each threshold.

    Notes
    -----
    A draw's threshold at a sensitivity lies on the curve of `Ranking`: between two malignant
    scores, or, beyond the lowest, at the score of the negatives where the specificity is that of
    the straight line to the corner.
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
        self._targets = {f"sensitivity_{at:g}": at for at in sensitivities}
        self._cost_ratio = cost_ratio
        # Calling nothing may cost least; the next number above every score says so, and is finite.
        self._calls_nothing = np.nextafter(score.max(), np.inf)
        self._highest, self._negatives = score.max(), np.sort(score[~y])
        carriers = len(np.unique(codes[y]))
        self.support = {
            # Rounding must not take ten groups at 80 % for fewer: (1 - 0.8) * 10 is below 2.
            name: Support("quantile", groups=carriers, tail=LOWER_TAIL)
            if (1 - target) * carriers > _LEAST_BELOW - 1e-9
            else Support("drawn", tail=LOWER_TAIL)
            for name, target in self._targets.items()
        }
        if cost_ratio is not None:
            self.support["cost"] = Support("drawn")

    def values(self) -> dict[str, float]:
        """Find the thresholds of the data.

        Returns
        -------
        dict of str to float
            ``sensitivity_0.8`` ... and ``cost``.
        """
        ranking = self._ranking
        _, positives, negatives = ranking.tally(np.ones((ranking.n_groups, 1)))
        values = {
            name: float(ranking.levels[first_level(positives / positives[-1], target)][0])
            for name, target in self._targets.items()
        }
        if self._cost_ratio is not None:
            values["cost"] = float(self._of_least_cost(positives, negatives[1::2])[0])
        return values

    def draws(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Find the thresholds of draws.

        Parameters
        ----------
        weights : ndarray of shape (groups + 1, B), float64
            Weights of the groups; the last row is that of the part above the highest positive.

        Returns
        -------
        dict of str to ndarray of shape (B,)
            As `values`.
        """
        at_level, positives, negatives = self._ranking.tally(weights[:-1])
        values = {}
        if self._targets:
            recall = self._ranking.place(at_level, positives, weights[-1])
            for name, target in self._targets.items():
                values[name] = self._of_sensitivity(recall, target)
        if self._cost_ratio is not None:
            values["cost"] = self._of_least_cost(positives, negatives[1::2])
        return values

    def _of_sensitivity(self, recall: np.ndarray, target: float) -> np.ndarray:
        levels = self._ranking.levels
        scores = np.concatenate([[self._highest], np.repeat(levels, 2), levels[-1:]])
        threshold = interpolate(recall, scores[:, None], target)
        lowest = recall[-2]
        share = np.clip((1 - target) / np.maximum(1 - lowest, 1e-300), 0, 1)
        below = np.mean(self._negatives < levels[-1])
        beyond = np.minimum(np.quantile(self._negatives, share * below), levels[-1])
        return np.where(target > lowest, beyond, threshold)

    def _of_least_cost(self, positives: np.ndarray, false: np.ndarray) -> np.ndarray:
        thresholds = np.append(self._calls_nothing, self._ranking.levels)
        missed = np.vstack([positives[-1], positives[-1] - positives])
        cost = self._cost_ratio * missed + np.vstack([np.zeros_like(positives[-1]), false])
        # Of equal costs, which may differ in the last bits, the highest threshold comes first.
        best = np.argmax(cost <= cost.min(axis=0) * (1 + 1e-12), axis=0)
        return thresholds[best]
