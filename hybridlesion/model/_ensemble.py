"""Ensemble of fold models over feature subsets, seeds and folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from hybridlesion.model._fold_model import FoldModel, train_fold_models


@dataclass(frozen=True)
class View:
    """Feature subset used by some of the fold models.

    Parameters
    ----------
    name : str
        Name of the subset.
    dense : ndarray of shape (columns,), int
        Positions of all columns except those of the embedding.
    embedding : ndarray of shape (d,), int
        Positions of the embedding columns.
    company : bool
        Whether the subset uses the patient's other lesions. Only subsets that do score rows with
        siblings; the remaining subsets score all other rows.
    """

    name: str
    dense: np.ndarray
    embedding: np.ndarray
    company: bool


def plan_views(names: Sequence[str]) -> list[View]:
    """Choose the feature subsets of a table.

    Parameters
    ----------
    names : sequence of str
        Encoded column names; empty strings for a plain matrix.

    Returns
    -------
    list of View
        One view of all columns or, if the table has both handcrafted and network columns, one view
        of each kind together with the metadata. If there are ``ctx__`` columns, each view is
        repeated without them for lesions without siblings.

    Notes
    -----
    Among two hundred handcrafted columns, trees rarely split on the single score of a network and
    overfit to the few malignant lesions. Averaging the logits of fold models that each use one
    family gives a higher AUC (`benchmarks/accuracy.py`).

    A fold model trained on patients with several lesions never encounters missing context, which
    LightGBM would treat as zero. Lesions without siblings therefore have separate fold models.

    Examples
    --------
    >>> [view.name for view in plan_views(["cnn__score", "ctx__cnn_score_excess"])]
    ['all', 'all, alone']
    >>> [view.name for view in plan_views(["abcd__tds", "cnn__score", "meta__age"])]
    ['handcrafted', 'network']
    """
    origin = np.array([_origin(name) for name in names], dtype=object)
    context = np.array([name.startswith("ctx__") for name in names])
    wide = np.array([name.startswith("emb__") for name in names])
    both = {"handcrafted", "network"} <= set(origin[~context])
    parts = ("handcrafted", "network") if both else ("all",)
    settings = [False] if context.all() or not context.any() else [True, False]
    views = []
    for company in settings:
        for part in parts:
            seen = (origin == part) | (origin == "other") if both else np.ones_like(wide)
            if not company and not context.all():
                seen = seen & ~context
            name = part if company == settings[0] else f"{part}, alone"
            dense, embedding = np.flatnonzero(seen & ~wide), np.flatnonzero(seen & wide)
            views.append(View(name, dense, embedding, company))
    return views


def _origin(name: str) -> str:
    """Classify a column, or the column it compares, as handcrafted, network or other."""
    bare = name.removeprefix("ctx__")
    if bare.startswith(("abcd_",)):
        return "handcrafted"
    return "network" if bare.startswith(("cnn_", "emb_", "embedding_")) else "other"


# Rows that one thread scores at once. All work on a block thus runs in parallel, and no view of a
# large table is copied as a whole.
_ROWS_A_BLOCK = 4096


class FoldEnsemble:
    """Fold models of every feature subset, fold and seed.

    Parameters
    ----------
    names : list of str
        Encoded column names.

    Attributes
    ----------
    views : list of View
        Feature subsets.
    members : list of list of FoldModel
        Fold models of each view.
    spread : ndarray of shape (views,)
        Weight of each view: the standard deviation of its held-out logits, summed over seeds.
    """

    def __init__(self, names: list[str]):
        self.names = names
        self.views = plan_views(names)
        self.members: list[list[FoldModel]] = [[] for _ in self.views]
        self.spread = np.zeros(len(self.views))

    def train(
        self,
        encoded: np.ndarray,
        y: np.ndarray,
        folds: np.ndarray,
        settings: Mapping[str, Any],
        seed: int,
        metadata: np.ndarray,
    ) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Fit the members of one seed.

        Parameters
        ----------
        encoded : ndarray of shape (n, columns), float32
            Encoded table.
        y : ndarray of shape (n,), bool
            Target.
        folds : ndarray of shape (n,), int
            Grouped fold of each row.
        settings : mapping of str to object
            Parameters of `HybridLesionClassifier`; ``n_jobs`` is the number of threads.
        seed : int
            Seed of this round.
        metadata : ndarray of int
            Columns that are missing in a row without metadata.

        Returns
        -------
        held_out, blanked : list of ndarray of shape (n,), float64
            Held-out logits of each view, with the metadata of the rows and without it.
        """
        held_out, blanked = [], []
        for k, (view, members) in enumerate(zip(self.views, self.members, strict=True)):
            dense, embedding = _part(encoded, view)
            names = [self.names[column] for column in view.dense]
            news, logits = train_fold_models(dense, embedding, names, y, folds, settings, seed)
            members += news
            self.spread[k] += logits.std()
            held_out.append(logits)
            empty = np.isin(view.dense, metadata)
            bare = logits.copy()
            for member in news if empty.any() else ():
                # Score each row, without its metadata, by the member that held it out.
                rows = np.flatnonzero(folds == member.fold)
                columns = dense[rows]
                columns[:, empty] = np.nan
                bare[rows] = member.logit(columns, embedding[rows], n_jobs=1)
            blanked.append(bare)
        return held_out, blanked

    def split(self, encoded: np.ndarray) -> dict[bool, np.ndarray]:
        """Split rows by the setting in which they are scored: with siblings or without.

        Parameters
        ----------
        encoded : ndarray of shape (n, columns), float32
            Encoded table.

        Returns
        -------
        dict of bool to ndarray of shape (n,), bool
            True: rows with a known ``ctx__`` value, whose patient has other lesions. False: all
            other rows. If the views have only one setting, it contains all rows.
        """
        settings = dict.fromkeys(view.company for view in self.views)
        if len(settings) == 1:
            return dict.fromkeys(settings, np.ones(len(encoded), dtype=bool))
        context = [k for k, name in enumerate(self.names) if name.startswith("ctx__")]
        company = ~np.isnan(encoded[:, context]).all(axis=1)
        return {setting: company == setting for setting in settings}

    def average(self, logits: list[np.ndarray], company: bool) -> np.ndarray:
        """Average the logits of the views of one setting.

        Parameters
        ----------
        logits : list of ndarray
            Logits of each view.
        company : bool
            Setting, a key of the result of `split`.

        Returns
        -------
        ndarray
            Mean logits.
        """
        own = [z for view, z in zip(self.views, logits, strict=True) if view.company == company]
        return np.mean(own, axis=0)

    def logits(self, encoded: np.ndarray, company: bool, n_folds: int, n_jobs: int) -> np.ndarray:
        """Score rows in one setting.

        Parameters
        ----------
        encoded : ndarray of shape (n, columns), float32
            Encoded rows.
        company : bool
            Setting, a key of the result of `split`.
        n_folds : int
            Number of folds per seed.
        n_jobs : int
            Number of threads, each of which scores blocks of rows.

        Returns
        -------
        ndarray of shape (folds, n), float64
            Logits of each fold's members, averaged over seeds and views.
        """
        sums = np.zeros((n_folds, len(encoded)))
        n_members = sum(len(members) for _, members in self._of_setting(company))

        def score_block(start: int) -> None:
            rows = slice(start, start + _ROWS_A_BLOCK)
            for view, members in self._of_setting(company):
                dense, embedding = _part(encoded[rows], view)
                for member in members:
                    sums[member.fold, rows] += member.logit(dense, embedding, n_jobs=1)

        starts = range(0, len(encoded), _ROWS_A_BLOCK)
        if min(n_jobs, len(starts)) < 2:
            for start in starts:
                score_block(start)
        else:
            with ThreadPoolExecutor(n_jobs) as pool:
                list(pool.map(score_block, starts))
        return sums * n_folds / n_members

    def _of_setting(self, company: bool) -> list[tuple[View, list[FoldModel]]]:
        pairs = zip(self.views, self.members, strict=True)
        return [(view, members) for view, members in pairs if view.company == company]

    def contributions(
        self, encoded: np.ndarray, company: bool, fold: int, n_jobs: int
    ) -> np.ndarray:
        """Decompose the logits of one fold's members.

        Parameters
        ----------
        encoded : ndarray of shape (n, columns), float32
            Encoded rows.
        company : bool
            Setting, a key of the result of `split`.
        fold : int
            The fold that the members were fitted without.
        n_jobs : int
            Number of threads.

        Returns
        -------
        ndarray of shape (n, columns + 2), float64
            Contribution of each encoded column, averaged over seeds and views; then that of the
            whole embedding, whose own columns are 0; finally a constant. Each row sums to the
            fold's logit.
        """
        parts, n_members = np.zeros((len(encoded), encoded.shape[1] + 2)), 0
        for view, members in self._of_setting(company):
            dense, embedding = _part(encoded, view)
            whole = [encoded.shape[1]] if len(view.embedding) else []
            places = np.array([*view.dense, *whole, encoded.shape[1] + 1])
            for member in members:
                if member.fold == fold:
                    parts[:, places] += member.contributions(dense, embedding, n_jobs)
                    n_members += 1
        return parts / n_members

    def importances(self) -> np.ndarray:
        """Importance of each encoded column, for rows with siblings if there are two settings.

        Returns
        -------
        ndarray of shape (columns,)
            Mean over members, with views weighted by the spread of their logits.
        """
        share = np.zeros(len(self.names))
        for view, members, spread in zip(self.views, self.members, self.spread, strict=True):
            if view.company != self.views[0].company:
                continue
            order = np.r_[view.dense, view.embedding]
            of_view = np.mean([m.importances(len(view.dense)) for m in members], axis=0)
            share[order] += spread * of_view
        return share


def _part(encoded: np.ndarray, view: View) -> tuple[np.ndarray, np.ndarray]:
    """Split the matrix for a view, without copying it if the view uses all columns."""
    if len(view.dense) == encoded.shape[1]:
        return encoded, encoded[:, :0]
    # Indexing would return column-major arrays, which every booster would copy again.
    return np.take(encoded, view.dense, axis=1), np.take(encoded, view.embedding, axis=1)


# Name used in artifacts of earlier releases.
Ensemble = FoldEnsemble
