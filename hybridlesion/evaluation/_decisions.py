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
        rows = (y & called, ~y & called, y, np.ones_like(y), (score - y) ** 2)
        self._sums = np.array([np.bincount(codes, weights=row) for row in rows])
        self._probabilities = bool(((score >= 0) & (score <= 1)).all())

    def __call__(self, counts: np.ndarray) -> dict[str, np.ndarray]:
        """Measure resamples.

        Parameters
        ----------
        counts : ndarray of shape (groups, B), float64
            Multiplicity of each group in each resample.

        Returns
        -------
        dict of str to ndarray of shape (B,)
            ``brier, accuracy, precision, recall, specificity, f1, prevalence``; NaN where the
            divisor is 0, and for ``brier`` of scores outside 0 to 1.
        """
        true, false, positive, n, squares = self._sums @ counts
        with np.errstate(invalid="ignore", divide="ignore"):
            return {
                "brier": squares / n if self._probabilities else np.full_like(n, np.nan),
                "accuracy": (true + n - positive - false) / n,
                "precision": true / (true + false),
                "recall": true / positive,
                "specificity": 1 - false / (n - positive),
                "f1": 2 * true / (true + false + positive),
                "prevalence": positive / n,
            }
