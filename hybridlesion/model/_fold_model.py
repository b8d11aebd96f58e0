"""What one held-out fold leaves behind: a probe, a linear part and boosted trees."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression

__all__ = ["LinearPart", "Member"]


class Member:
    """A model of all folds but one.

    Parameters
    ----------
    fold : int
        The fold that it never saw.
    probe : EmbeddingProbe or None
        Turns the embedding into one column; None without embedding.
    linear : LinearPart or None
        Logistic regression on the same columns as the trees; None at weight 0.
    boosters : list of Booster
        LightGBM models, averaged; empty at linear weight 1.
    shifts : list of float
        Added to the logits of each booster, to undo sampling.
    linear_weight : float
        Weight of the linear part, 0 to 1.
    """

    def __init__(self, fold, probe, linear, boosters, shifts, linear_weight):
        self.fold = fold
        self.probe = probe
        self.linear = linear
        self.boosters = boosters
        self.shifts = shifts
        self.linear_weight = linear_weight

    def logit(self, dense: np.ndarray, embedding: np.ndarray, n_jobs: int) -> np.ndarray:
        """Score rows.

        Parameters
        ----------
        dense : ndarray of shape (n, columns), float32
            All features but the embedding.
        embedding : ndarray of shape (n, d), float32
            The embedding; d is 0 without one.
        n_jobs : int
            Threads.

        Returns
        -------
        ndarray of shape (n,), float64
            Logits, not yet calibrated.
        """
        columns = self._columns(dense, embedding)
        score = np.zeros(len(columns))
        if self.linear is not None:
            score += self.linear_weight * self.linear.logit(columns)
        for booster, shift in zip(self.boosters, self.shifts, strict=True):
            raw = booster.predict(columns, raw_score=True, num_threads=n_jobs) + shift
            score += (1 - self.linear_weight) / len(self.boosters) * raw
        return score

    def contributions(self, dense: np.ndarray, embedding: np.ndarray, n_jobs: int) -> np.ndarray:
        """Take the logits apart; a row sums to `logit` but for rounding.

        Parameters
        ----------
        dense : ndarray of shape (n, columns), float32
            All features but the embedding.
        embedding : ndarray of shape (n, d), float32
            The embedding; d is 0 without one.
        n_jobs : int
            Threads.

        Returns
        -------
        ndarray of shape (n, columns + 1) or (n, columns + 2), float64
            What each dense column adds; then the embedding as a whole, if there is one; last a
            constant: the answer of this member where no column is known.

        Notes
        -----
        The trees are taken apart by TreeSHAP [1]_, LightGBM's own; the linear part by the
        distance of each column from its mean, which is the same where columns are independent.

        References
        ----------
        .. [1] S. M. Lundberg et al., "From local explanations to global understanding with
           explainable AI for trees", Nature Machine Intelligence 2, 56-67, 2020.
        """
        columns = self._columns(dense, embedding)
        parts = np.zeros((len(columns), columns.shape[1] + 1))
        if self.linear is not None:
            parts += self.linear_weight * self.linear.contributions(columns)
        for booster, shift in zip(self.boosters, self.shifts, strict=True):
            raw = booster.predict(columns, pred_contrib=True, num_threads=n_jobs)
            raw[:, -1] += shift
            parts += (1 - self.linear_weight) / len(self.boosters) * raw
        return parts

    def _columns(self, dense: np.ndarray, embedding: np.ndarray) -> np.ndarray:
        if self.probe is None:
            return dense
        return append_column(dense, self.probe.score(embedding))

    def importances(self, n_dense: int) -> np.ndarray:
        """Share of each column in this member's scores.

        Parameters
        ----------
        n_dense : int
            Columns besides the embedding.

        Returns
        -------
        ndarray of shape (n_dense + columns of the embedding,)
            Gain of the trees and absolute standardised weights of the linear part, each scaled
            to sum to 1 and weighed as in the score.
        """
        share = np.zeros(n_dense + (self.probe is not None))
        if self.linear is not None:
            share += self.linear_weight * _normalise(np.abs(self.linear.coef_))
        for booster in self.boosters:
            gain = _normalise(booster.feature_importance("gain"))
            share += (1 - self.linear_weight) / len(self.boosters) * gain
        if self.probe is None:
            return share
        return np.append(share[:-1], share[-1] * _normalise(np.abs(self.probe.coef_)))


def append_column(dense: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Put one column behind a float32 matrix.

    Parameters
    ----------
    dense : ndarray of shape (n, columns), float32
        Matrix.
    column : ndarray of shape (n,)
        Column.

    Returns
    -------
    ndarray of shape (n, columns + 1), float32
        Both.
    """
    joined = np.empty((len(dense), dense.shape[1] + 1), dtype=np.float32)
    joined[:, :-1], joined[:, -1] = dense, column
    return joined


def _normalise(share: np.ndarray) -> np.ndarray:
    total = share.sum()
    return share / total if total > 0 else np.zeros(len(share))


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
