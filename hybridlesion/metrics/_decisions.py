"""Measures of probabilities and of decisions that are plain sums over rows."""

from __future__ import annotations

import numpy as np

from hybridlesion.metrics._resampling import Support

__all__ = ["Decisions"]


class Decisions:
    """Sums by group, from which each draw's confusion table follows.

    Parameters
    ----------
    y : ndarray of shape (n,), bool
        True where malignant.
    score : ndarray of shape (n,), float64
        Scores.
    codes : ndarray of shape (n,), int
        Group of each row, from 0.
    threshold : float
        A row is called malignant from this score on.

    Attributes
    ----------
    support : dict of str to Support
        What bears on each measure.
    """

    def __init__(self, y: np.ndarray, score: np.ndarray, codes: np.ndarray, threshold: float):
        called = score >= threshold
        rows = (y & called, ~y & called, y, np.ones_like(y), score, (score - y) ** 2)
        self._sums = np.array([np.bincount(codes, weights=row) for row in rows])
        self._probabilities = bool(((score >= 0) & (score <= 1)).all())
        # Without odds there is no net benefit: every row is called at 0, and none is below 1.
        inside = self._probabilities and 0 < threshold < 1
        self._odds = threshold / (1 - threshold) if inside else np.nan
        self.support = self._find_support()

    def values(self) -> dict[str, float]:
        """Measure the data.

        Returns
        -------
        dict of str to float
            As `draws`.
        """
        ones = np.ones((self._sums.shape[1] + 1, 1))
        return {name: float(value[0]) for name, value in self.draws(ones).items()}

    def draws(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Measure draws.

        Parameters
        ----------
        weights : ndarray of shape (groups + 1, B), float64
            Weights of the groups; the last row is not used.

        Returns
        -------
        dict of str to ndarray of shape (B,)
            ``brier, calibration_in_the_large, accuracy, precision, recall, specificity, f1,
            net_benefit, prevalence``; NaN where the divisor is 0, and for ``brier``,
            ``calibration_in_the_large`` and ``net_benefit`` of scores outside 0 to 1.
        """
        true, false, positive, n, expected, squares = self._sums @ weights[:-1]
        if not self._probabilities:
            expected, squares = np.full((2, len(n)), np.nan)
        with np.errstate(invalid="ignore", divide="ignore"):
            return {
                "brier": squares / n,
                "calibration_in_the_large": positive / expected,
                "accuracy": (true + n - positive - false) / n,
                "precision": true / (true + false),
                "recall": true / positive,
                "specificity": 1 - false / (n - positive),
                "f1": 2 * true / (true + false + positive),
                "net_benefit": (true - false * self._odds) / n,
                "prevalence": positive / n,
            }

    def _find_support(self) -> dict[str, Support]:
        true, false, positive, n, *_ = self._sums
        of = {
            "accuracy": n,
            "precision": true + false,
            "recall": positive,
            "specificity": n - positive,
            "f1": false + positive,
            "prevalence": n,
        }
        groups, malignant = len(n), np.count_nonzero(positive)
        # Where groups are single rows, a proportion's variance is known and needs no t.
        freedom = groups - 1 if n.max() > 1 else np.inf
        support = {
            name: Support("share", np.count_nonzero(rows), freedom, rows.sum())
            for name, rows in of.items()
        }
        return support | {
            # Malignant rows have the large errors.
            "brier": Support("share", malignant, groups - 1),
            "calibration_in_the_large": Support("ratio", groups, groups - 1),
            "net_benefit": Support("number", malignant, malignant - 1),
        }
