"""Ensemble of fold models over feature subsets, seeds and folds, and explanation of its scores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from hybridlesion.model._fallback import NetworkFallback
from hybridlesion.model._fold_model import FoldModel, train_fold_models
from hybridlesion.model.calibration import ScoreCalibrator


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
    origin = np.array([_origin(name) for name in names])
    context = np.array([name.startswith("ctx__") for name in names])
    wide = np.array([name.startswith("emb__") for name in names])
    parts = {"all": np.ones_like(wide)}
    if {"handcrafted", "network"} <= set(origin[~context]):
        families = ("handcrafted", "network")
        parts = {family: np.isin(origin, (family, "other")) for family in families}
    company = bool(context.any() and not context.all())
    seen = [(part, columns, company) for part, columns in parts.items()]
    if company:
        seen += [(f"{part}, alone", columns & ~context, False) for part, columns in parts.items()]
    return [
        View(name, np.flatnonzero(columns & ~wide), np.flatnonzero(columns & wide), company)
        for name, columns, company in seen
    ]


def _origin(name: str) -> str:
    """Classify a column, or the column it compares, as handcrafted, network or other."""
    bare = name.removeprefix("ctx__")
    if bare.startswith(("abcd_", "perceived_")):
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
    fallbacks : list of NetworkFallback or None
        Fallback that belongs to each fold model of a view; empty or None without fallback.
    """

    # Ensembles of earlier releases have no fallbacks.
    fallbacks: list[NetworkFallback] | None = None

    def __init__(self, names: list[str]):
        self.names = names
        self.views = plan_views(names)
        self.members: list[list[FoldModel]] = [[] for _ in self.views]
        self.spread = np.zeros(len(self.views))
        self.fallbacks = []

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
        fallbacks = self._fit_fallbacks(encoded, y, folds, settings)
        held = [folds == fold for fold in range(len(fallbacks))]
        blends = [
            (rows, fallback.blend(encoded[rows]))
            for rows, fallback in zip(held, fallbacks, strict=True)
        ]
        self.fallbacks = [*(self.fallbacks or []), *fallbacks]
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
            for rows, (weight, constant, score) in blends:
                for found in (logits, bare):
                    found[rows] = weight * found[rows] + constant + score
        return held_out, blanked

    def _fit_fallbacks(
        self, encoded: np.ndarray, y: np.ndarray, folds: np.ndarray, settings: Mapping[str, Any]
    ) -> list[NetworkFallback]:
        """Fit one fallback for each fold; none, if one of them cannot be fitted."""
        fitted = []
        for fold in np.unique(folds) if settings["fallback"] else ():
            rest, lead = folds != fold, settings["leading"]
            fallback = NetworkFallback.fit(encoded[rest], y[rest], folds[rest], self.names, lead)
            if fallback is None:
                return []
            fitted.append(fallback)
        return fitted

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
            blends = [fallback.blend(encoded[rows]) for fallback in self.fallbacks or []]
            for view, members in self._of_setting(company):
                dense, embedding = _part(encoded[rows], view)
                for member, blend in zip_longest(members, blends):
                    found = member.logit(dense, embedding, n_jobs=1)
                    if blend is not None:
                        weight, constant, score = blend
                        found = weight * found + constant + score
                    sums[member.fold, rows] += found

        starts = range(0, len(encoded), _ROWS_A_BLOCK)
        threads = min(n_jobs, max(len(starts), 1))
        Parallel(threads, require="sharedmem")(delayed(score_block)(start) for start in starts)
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
        constants, lead = encoded.shape[1] + 1, self.fallbacks[0].lead if self.fallbacks else 0
        for view, members in self._of_setting(company):
            dense, embedding = _part(encoded, view)
            whole = [encoded.shape[1]] if len(view.embedding) else []
            places = np.array([*view.dense, *whole, constants])
            for member, fallback in zip_longest(members, self.fallbacks or []):
                if member.fold == fold:
                    found = member.contributions(dense, embedding, n_jobs)
                    if fallback is not None:
                        weight, constant, score = fallback.blend(encoded)
                        found *= weight[:, None]
                        parts[:, constants] += constant
                        parts[:, lead] += score
                    parts[:, places] += found
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
            if view.company == self.views[0].company:
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


# For logits closer than this, the slope of the calibrator is measured over `_STEP`.
_CLOSE, _STEP = 1e-6, 1e-3


def spread_probability(
    ensemble: FoldEnsemble,
    settings: Iterable[tuple[np.ndarray, np.ndarray, bool, ScoreCalibrator]],
    encoded: np.ndarray,
    n_folds: int,
    n_jobs: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Decompose the mean of the folds' calibrated scores into contributions of columns.

    Parameters
    ----------
    ensemble : FoldEnsemble
        Fold models; the logits of one setting and fold are averaged before calibration.
    settings : iterable of (ndarray of shape (n,), ndarray of shape (m,), bool, ScoreCalibrator)
        For each setting: its rows, its weight in each row, whether the rows have siblings, and the
        calibrator.
    encoded : ndarray of shape (n, columns), float32
        Encoded table.
    n_folds : int
        Number of folds per seed.
    n_jobs : int
        Number of threads.

    Returns
    -------
    base : ndarray of shape (n,), float64
        Probability before any column contributes.
    parts : ndarray of shape (n, columns + 1), float64
        Contribution of each encoded column. The last column is that of the whole embedding, whose
        own columns are 0.

    Notes
    -----
    A fold's logit is ``b + sum(phi)`` and its probability ``c(b + sum(phi))``, where c is the
    calibrator. Along the straight path from b to the logit z, as in integrated gradients [1]_ and
    the Aumann-Shapley value [2]_, column j contributes ``phi_j * (c(z) - c(b)) / (z - b)``: the
    change in probability is shared in proportion to the logits. The contributions of a fold sum to
    its probability minus its base; averaged over folds, they sum to the score minus `base`.

    References
    ----------
    .. [1] M. Sundararajan, A. Taly, Q. Yan, "Axiomatic attribution for deep networks", ICML 2017.
    .. [2] R. J. Aumann, L. S. Shapley, "Values of non-atomic games", Princeton University Press,
       1974.
    """
    base, parts = np.zeros(len(encoded)), np.zeros((len(encoded), encoded.shape[1] + 1))
    for rows, weight, company, calibrator in settings:
        for fold in range(n_folds):
            logits = ensemble.contributions(encoded[rows], company, fold, n_jobs)
            start, phi = logits[:, -1], logits[:, :-1]
            base[rows] += weight * calibrator.predict(start) / n_folds
            slope = weight * _slope(calibrator, start, start + phi.sum(axis=1))
            parts[rows] += phi * slope[:, None] / n_folds
    return base, parts


def _slope(calibrator: ScoreCalibrator, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """Mean slope of the probability between two logits."""
    close = np.abs(stop - start) < _CLOSE
    low, high = np.where(close, start - _STEP, start), np.where(close, start + _STEP, stop)
    return (calibrator.predict(high) - calibrator.predict(low)) / (high - low)


def sum_sources(base: np.ndarray, parts: np.ndarray, names: Sequence[str]) -> pd.DataFrame:
    """Tabulate contributions, summed over the categories of a column.

    Parameters
    ----------
    base : ndarray of shape (n,)
        Constant of each row.
    parts : ndarray of shape (n, encoded columns + 1)
        Contribution of each encoded column, followed by that of the whole embedding.
    names : sequence of str
        Table column behind each encoded column.

    Returns
    -------
    DataFrame of shape (n, 1 + columns)
        ``base``, then one column per name in order of first appearance; the columns of an embedding
        are replaced by a final column ``emb__``.

    Examples
    --------
    >>> parts = np.array([[0.2, 0.3, 0.0, 0.1]])
    >>> sum_sources(np.array([0.1]), parts, ["a", "a", "emb__0"]).iloc[0].to_dict()
    {'base': 0.1, 'a': 0.5, 'emb__': 0.1}
    """
    summed: dict[str, np.ndarray] = {}
    for column, name in enumerate(names):
        if not name.startswith("emb__"):
            summed[name] = summed.get(name, 0.0) + parts[:, column]
    if any(name.startswith("emb__") for name in names):
        summed["emb__"] = parts[:, -1]
    return pd.concat([pd.Series(base, name="base"), pd.DataFrame(summed)], axis=1)


_LEVELS = np.linspace(0, 1, 101)
# Number of rows that suffices for percentiles.
_ENOUGH_ROWS = 20_000


def benign_quantiles(
    X: np.ndarray, target: np.ndarray, names: Sequence[str]
) -> dict[str, np.ndarray]:
    """Percentiles of each column over the benign rows.

    Parameters
    ----------
    X : ndarray of shape (n, columns), float32
        Features, NaN if missing; at most 20,000 evenly spaced benign rows are used.
    target : ndarray of shape (n,), bool
        True for malignant rows.
    names : sequence of str
        Name of each column. Repeated names, which are the categories of a text column, and the
        columns of an embedding are left out.

    Returns
    -------
    dict of str to ndarray of shape (101,), float32
        Percentiles 0 to 100 of the known values; columns without known values are left out.

    Examples
    --------
    >>> X = np.arange(101, dtype=np.float32)[:, None]
    >>> float(benign_quantiles(X, np.zeros(101, dtype=bool), ["age"])["age"][25])
    25.0
    """
    rows = np.flatnonzero(~target)
    if len(rows) > _ENOUGH_ROWS:
        rows = rows[np.linspace(0, len(rows) - 1, _ENOUGH_ROWS).astype(int)]
    repeated, quantiles = pd.Index(names).duplicated(keep=False), {}
    for column, name in enumerate(names):
        values = X[rows, column]
        values = values[~np.isnan(values)]
        if len(values) and not repeated[column] and not name.startswith("emb__"):
            # Observed values preserve ties and the values of 0/1 columns.
            found = np.quantile(values, _LEVELS, method="inverted_cdf")
            quantiles[name] = found.astype(np.float32)
    return quantiles


def rank_among_benign(value: float, quantiles: np.ndarray) -> float:
    """Share of the benign rows below a value, counting ties as half.

    Parameters
    ----------
    value : float
        Value to compare.
    quantiles : ndarray of shape (101,)
        Percentiles from `benign_quantiles`.

    Returns
    -------
    float
        Share, 0 to 1.

    Examples
    --------
    >>> rank_among_benign(25.0, np.linspace(0, 100, 101)), rank_among_benign(0.0, np.zeros(101))
    (0.25, 0.5)
    """
    below, upto = _positions(value, quantiles)
    # A value between two percentiles is placed halfway between them.
    return float(np.clip((below + upto - 1) / 2 / (len(quantiles) - 1), 0, 1))


def shares_among_benign(value: float, quantiles: np.ndarray) -> tuple[float, float, float]:
    """Shares of the benign rows below, equal to and above a value.

    Parameters
    ----------
    value : float
        Value to compare.
    quantiles : ndarray of shape (101,)
        Percentiles from `benign_quantiles`.

    Returns
    -------
    tuple of float
        Shares below, equal and above, each 0 to 1. Those below and above are lower bounds, since
        they count only the percentiles strictly on that side.

    Examples
    --------
    >>> shares_among_benign(0.0, np.repeat([0.0, 1.0], [81, 20]))
    (0.0, 0.8, 0.19)
    >>> shares_among_benign(25.5, np.linspace(0, 100, 101))
    (0.25, 0.0, 0.74)
    """
    below, upto = _positions(value, quantiles)
    last = len(quantiles) - 1
    low, equal, high = max(below - 1, 0), max(upto - max(below, 1), 0), max(last - upto, 0)
    return low / last, equal / last, high / last


def _positions(value: float, quantiles: np.ndarray) -> tuple[int, int]:
    # Model inputs and percentiles are float32.
    value = np.float32(value)
    return int((quantiles < value).sum()), int((quantiles <= value).sum())
