"""Measures of probabilities and of decisions that are plain sums over rows."""

from __future__ import annotations

import numpy as np

__all__ = ["Decisions"]


class Decisions:
    """Sums by group, from which each resample's confusion table follows.

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
    """

    def __init__(self, y: np.ndarray, score: np.ndarray, codes: np.ndarray, threshold: float):
        called = score >= threshold
        rows = (y & called, ~y & called, y, np.ones_like(y), score, (score - y) ** 2)
        self._sums = np.array([np.bincount(codes, weights=row) for row in rows])
        self._probabilities = bool(((score >= 0) & (score <= 1)).all())
        # Without odds there is no net benefit: every row is called at 0, and none is below 1.
        inside = self._probabilities and 0 < threshold < 1
        self._odds = threshold / (1 - threshold) if inside else np.nan

    def __call__(self, counts: np.ndarray) -> dict[str, np.ndarray]:
        """Measure resamples.

        Parameters
        ----------
        counts : ndarray of shape (groups, B), float64
            Multiplicity of each group in each resample.

        Returns
        -------
        dict of str to ndarray of shape (B,)
            ``brier, calibration_in_the_large, accuracy, precision, recall, specificity, f1,
            net_benefit, prevalence``; NaN where the divisor is 0, and for ``brier``,
            ``calibration_in_the_large`` and ``net_benefit`` of scores outside 0 to 1.
        """
        true, false, positive, n, expected, squares = self._sums @ counts
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
