"""All members of a model: several views, seeds and folds, and how their logits become one."""

from __future__ import annotations

import numpy as np

from hybridlesion.model._member import Member
from hybridlesion.model._training import TrainingSettings, train_members
from hybridlesion.model._views import View, plan_views

__all__ = ["Ensemble", "in_company"]


class Ensemble:
    """Members of every view, fold and seed.

    Parameters
    ----------
    names : list of str
        Encoded column names.

    Attributes
    ----------
    views : list of View
        What the members look at.
    members : list of list of Member
        Those of each view.
    """

    def __init__(self, names: list[str]):
        self.names = names
        self.views = plan_views(names)
        self.members: list[list[Member]] = [[] for _ in self.views]

    def train(
        self,
        encoded: np.ndarray,
        y: np.ndarray,
        folds: np.ndarray,
        monotone: np.ndarray,
        settings: TrainingSettings,
        seed: int,
    ) -> list[np.ndarray]:
        """Fit the members of one seed.

        Parameters
        ----------
        encoded : ndarray of shape (n, columns), float32
            Encoded table.
        y : ndarray of shape (n,), bool
            Target.
        folds : ndarray of shape (n,), int
            Grouped fold of each row.
        monotone : ndarray of shape (columns,), bool
            Columns along which the score may not turn round.
        settings : TrainingSettings
            How to train.
        seed : int
            Seed of this round.

        Returns
        -------
        list of ndarray of shape (n,), float64
            Held-out logits of each view.
        """
        held_out = []
        for view, members in zip(self.views, self.members, strict=True):
            dense, embedding = _part(encoded, view)
            news, logits = train_members(
                dense, embedding, y, folds, monotone[view.dense], settings, seed
            )
            members += news
            held_out.append(logits)
        return held_out

    def logits(self, encoded: np.ndarray, n_folds: int, n_jobs: int) -> list[np.ndarray]:
        """Score rows.

        Parameters
        ----------
        encoded : ndarray of shape (n, columns), float32
            Encoded table.
        n_folds : int
            Folds of a seed.
        n_jobs : int
            Threads.

        Returns
        -------
        list of ndarray of shape (folds, n), float64
            Of each view the logits of each fold's members, averaged over seeds; NaN in rows that
            the view does not score.
        """
        company = in_company(encoded, self.names)
        found = []
        for view, members in zip(self.views, self.members, strict=True):
            rows = self.scored_by(view, company)
            logits = np.full((n_folds, len(encoded)), np.nan)
            if rows.any():
                dense, embedding = _part(encoded if rows.all() else encoded[rows], view)
                sums = np.zeros((n_folds, len(dense)))
                for member in members:
                    sums[member.fold] += member.logit(dense, embedding, n_jobs)
                logits[:, rows] = sums * n_folds / len(members)
            found.append(logits)
        return found

    def contributions(
        self, encoded: np.ndarray, n_jobs: int
    ) -> list[tuple[np.ndarray, list[np.ndarray]]]:
        """Take logits apart.

        Parameters
        ----------
        encoded : ndarray of shape (n, columns), float32
            Encoded table.
        n_jobs : int
            Threads.

        Returns
        -------
        list of (ndarray of shape (m,), list of ndarray of shape (m, parts))
            Of each view the rows that it scores, and for each fold what `Member.contributions`
            gives for them, averaged over seeds.
        """
        company = in_company(encoded, self.names)
        found = []
        for view, members in zip(self.views, self.members, strict=True):
            rows = np.flatnonzero(self.scored_by(view, company))
            folds: dict[int, list[np.ndarray]] = {}
            dense, embedding = _part(encoded[rows], view)
            for member in members if len(rows) else ():
                parts = member.contributions(dense, embedding, n_jobs)
                folds.setdefault(member.fold, []).append(parts)
            found.append((rows, [np.mean(folds[fold], axis=0) for fold in sorted(folds)]))
        return found

    def scored_by(self, view: View, company: np.ndarray) -> np.ndarray:
        """Tell which rows a view scores.

        Parameters
        ----------
        view : View
            One of `views`.
        company : ndarray of shape (n,), bool
            Rows that come with other lesions of their patient.

        Returns
        -------
        ndarray of shape (n,), bool
            Each row is scored by exactly one view.
        """
        if len(self.views) == 1:
            return np.ones(len(company), dtype=bool)
        return company == view.company

    def importances(self) -> np.ndarray:
        """Share of each encoded column in the scores of the first view.

        Returns
        -------
        ndarray of shape (columns,)
            Averaged over members.
        """
        view, members = self.views[0], self.members[0]
        share = np.zeros(len(self.names))
        order = np.r_[view.dense, view.embedding]
        share[order] = np.mean([m.importances(len(view.dense)) for m in members], axis=0)
        return share


def in_company(encoded: np.ndarray, names: list[str]) -> np.ndarray:
    """Tell which rows have any context.

    Parameters
    ----------
    encoded : ndarray of shape (n, columns), float32
        Encoded table.
    names : list of str
        Encoded column names.

    Returns
    -------
    ndarray of shape (n,), bool
        True where a ``ctx__`` column is known.
    """
    context = [k for k, name in enumerate(names) if name.startswith("ctx__")]
    return ~np.isnan(encoded[:, context]).all(axis=1)


def _part(encoded: np.ndarray, view: View) -> tuple[np.ndarray, np.ndarray]:
    """Split the matrix for a view, without a copy where it looks at all of it."""
    if len(view.dense) == encoded.shape[1]:
        return encoded, encoded[:, :0]
    return encoded[:, view.dense], encoded[:, view.embedding]
