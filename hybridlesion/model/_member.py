"""What one held-out fold leaves behind: a probe, a linear part and boosted trees."""

from __future__ import annotations

import numpy as np

__all__ = ["Member"]


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
