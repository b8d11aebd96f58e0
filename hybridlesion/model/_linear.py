"""A logistic regression that bears missing values and outliers."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression

__all__ = ["LinearPart"]

# Standard deviations beyond which a value counts no further: one broken measurement must not
# decide a linear score.
_REACH = 5.0

# Rows standardised at once, so that a large table is never copied whole.
_CHUNK = 8192

# Rows that the regression learns from at most; of a larger table negatives are drawn.
_MOST_ROWS = 25_000


class LinearPart:
    """Standardised, regularised logistic regression; a missing value counts as the mean.

    Parameters
    ----------
    C : float, default=0.1
        Inverse strength of the L2 penalty on standardised columns.
    """

    def __init__(self, C: float = 0.1):
        self.C = C

    def fit(self, X: np.ndarray, y: np.ndarray, seed: int = 0) -> LinearPart:
        """Fit on training rows.

        Parameters
        ----------
        X : ndarray of shape (n, columns), float32
            Numbers, NaN where missing.
        y : ndarray of shape (n,), bool
            Target.
        seed : int, default=0
            Seed of the negatives drawn from more than 25,000 rows; what that does to the prior is
            undone in the intercept.

        Returns
        -------
        LinearPart
            Itself.
        """
        rows, shift = _draw(y, np.random.default_rng(seed))
        if len(rows) < len(y):
            X, y = X[rows], y[rows]
        known = ~np.isnan(X)
        n = np.maximum(known.sum(axis=0), 1)
        self.mean_ = np.where(known, X, 0).sum(axis=0, dtype=np.float64) / n
        square = (np.where(known, X - self.mean_, 0) ** 2).sum(axis=0) / n
        # A column that hardly varies is constant but for rounding.
        constant = square <= 1e-12 * (1 + self.mean_**2)
        self.scale_ = np.where(constant, np.inf, np.sqrt(square))
        model = LogisticRegression(C=self.C, max_iter=1000).fit(self._standardise(X), y)
        self.coef_, self.intercept_ = model.coef_[0], float(model.intercept_[0]) + shift
        return self

    def logit(self, X: np.ndarray) -> np.ndarray:
        """Score rows.

        Parameters
        ----------
        X : ndarray of shape (n, columns), float32
            Numbers, NaN where missing.

        Returns
        -------
        ndarray of shape (n,), float64
            Logits.
        """
        score = np.empty(len(X))
        for start in range(0, len(X), _CHUNK):
            rows = slice(start, start + _CHUNK)
            # Row by row: the last bit of a matrix product depends on how many rows there are.
            score[rows] = self._weigh(X[rows]).sum(axis=1, dtype=np.float64)
        return score + self.intercept_

    def contributions(self, X: np.ndarray) -> np.ndarray:
        """Take the logits apart.

        Parameters
        ----------
        X : ndarray of shape (n, columns), float32
            Numbers, NaN where missing.

        Returns
        -------
        ndarray of shape (n, columns + 1), float64
            What each column adds against its mean; last the logit of a row of means.
        """
        return np.column_stack([self._weigh(X), np.full(len(X), self.intercept_)])

    def _weigh(self, X: np.ndarray) -> np.ndarray:
        """Standardise in place and in single precision, eight times as fast, and weigh."""
        standard = X - self.mean_.astype(np.float32)
        standard *= (1 / self.scale_).astype(np.float32)
        np.copyto(standard, 0, where=np.isnan(standard))
        np.clip(standard, -_REACH, _REACH, out=standard)
        standard *= self.coef_.astype(np.float32)
        return standard

    def _standardise(self, X: np.ndarray) -> np.ndarray:
        standard = (X - self.mean_) / self.scale_
        return np.clip(np.nan_to_num(standard, copy=False, nan=0.0), -_REACH, _REACH)


def _draw(y: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """Choose the rows to learn from, and what to add to the logits for it."""
    positive, negative = np.flatnonzero(y), np.flatnonzero(~y)
    kept = max(_MOST_ROWS - len(positive), len(positive))
    if kept >= len(negative):
        return np.arange(len(y)), 0.0
    drawn = rng.choice(negative, kept, replace=False)
    return np.sort(np.r_[positive, drawn]), float(np.log(kept / len(negative)))
