"""Fold models: embedding discriminant, linear model and boosted trees; and their baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import logit
from scipy.stats import rankdata
from sklearn.linear_model import LogisticRegression

from hybridlesion.model._boosting import BOOSTING, BoosterState, draw_bag, grow
from hybridlesion.model._columns import secondary_scores
from hybridlesion.model.embedding_discriminant import EmbeddingDiscriminant

if TYPE_CHECKING:
    from lightgbm import Booster

import pandas as pd
from scipy.special import expit


@dataclass
class FoldModel:
    """Model fitted on all folds but one.

    Parameters
    ----------
    fold : int
        The fold that was held out.
    probe : EmbeddingDiscriminant or None
        Turns the embedding into one column; None without embedding.
    linear : LinearModel or None
        Logistic regression on the same columns as the trees; None at weight 0.
    boosters : list of Booster
        LightGBM models, averaged; empty at linear weight 1.
    shifts : list of float
        Added to the logits of each booster, to undo sampling.
    linear_weight : float
        Weight of the linear part, 0 to 1.
    """

    fold: int
    probe: EmbeddingDiscriminant | None
    linear: LinearModel | None
    boosters: list[Booster]
    shifts: list[float]
    linear_weight: float

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
            raw = np.asarray(booster.predict(columns, raw_score=True, num_threads=n_jobs))
            score += (1 - self.linear_weight) / len(self.boosters) * (raw + shift)
        return score

    def contributions(self, dense: np.ndarray, embedding: np.ndarray, n_jobs: int) -> np.ndarray:
        """Contributions of the columns; a row sums to `logit` within rounding.

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
            Contribution of each dense column; then that of the whole embedding, if there is one;
            last a constant, the logit where no column is known.

        Notes
        -----
        Trees use LightGBM's TreeSHAP [1]_. The linear model uses the deviation of each column from
        its mean, which gives the same values where columns are independent.

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
            raw = np.asarray(booster.predict(columns, pred_contrib=True, num_threads=n_jobs))
            raw[:, -1] += shift
            parts += (1 - self.linear_weight) / len(self.boosters) * raw
        return parts

    def _columns(self, dense: np.ndarray, embedding: np.ndarray) -> np.ndarray:
        return dense if self.probe is None else append_column(dense, self.probe.score(embedding))

    def importances(self, n_dense: int) -> np.ndarray:
        """Share of each column in this member's scores.

        Parameters
        ----------
        n_dense : int
            Columns without the embedding.

        Returns
        -------
        ndarray of shape (n_dense + columns of the embedding,)
            Gain of the trees and absolute standardised weights of the linear model, each scaled
            to sum to 1 and weighted as in the score.
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
    """Append one column to a float32 matrix.

    Parameters
    ----------
    dense : ndarray of shape (n, columns), float32
        Matrix.
    column : ndarray of shape (n,)
        Last column.

    Returns
    -------
    ndarray of shape (n, columns + 1), float32
        New matrix.
    """
    return np.column_stack([dense, column.astype(np.float32)])


def _normalise(share: np.ndarray) -> np.ndarray:
    total = share.sum()
    return share / total if total > 0 else np.zeros(len(share))


# Standard deviations at which values are clipped: one wrong measurement must not dominate a
# linear score.
_REACH = 5.0


def mean_and_scale(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute mean and standard deviation of the known values of each column.

    Parameters
    ----------
    X : ndarray of shape (n, columns), float32
        Numbers, NaN where missing.

    Returns
    -------
    mean : ndarray of shape (columns,), float64
        Means; 0 for a column without values.
    scale : ndarray of shape (columns,), float64
        Standard deviations; infinite for a constant column.

    Examples
    --------
    >>> mean_and_scale(np.array([[1.0, 5.0], [3.0, np.nan]]))
    (array([2., 5.]), array([ 1., inf]))
    """
    known = ~np.isnan(X)
    n = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, X, 0).sum(axis=0, dtype=np.float64) / n
    square = (np.where(known, X - mean, 0) ** 2).sum(axis=0) / n
    # A column that hardly varies is constant but for rounding.
    return mean, np.where(square <= 1e-12 * (1 + mean**2), np.inf, np.sqrt(square))


def standardise(X: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Standardise and clip columns, replacing missing values by the mean.

    Parameters
    ----------
    X : ndarray of shape (n, columns), float32
        Numbers, NaN where missing.
    mean, scale : ndarray of shape (columns,), float64
        From `mean_and_scale`.

    Returns
    -------
    ndarray of shape (n, columns), float64
        Values from -5 to 5; 0 where missing.
    """
    return np.clip(np.nan_to_num((X - mean) / scale, copy=False, nan=0.0), -_REACH, _REACH)


# Rows standardised at once, so that a large table is never copied whole.
CHUNK = 8192

# Most rows that the regression is fitted to; of a larger table, negatives are sampled.
_MOST_ROWS = 25_000


class LinearModel:
    """Standardised, regularised logistic regression; a missing value counts as the mean.

    Parameters
    ----------
    C : float, default=0.1
        Inverse strength of the L2 penalty on standardised columns.
    """

    def __init__(self, C: float = 0.1):
        self.C = C

    def fit(self, X: np.ndarray, y: np.ndarray, seed: int = 0) -> LinearModel:
        """Fit on training rows.

        Parameters
        ----------
        X : ndarray of shape (n, columns), float32
            Numbers, NaN where missing.
        y : ndarray of shape (n,), bool
            Target.
        seed : int, default=0
            Seed of the negatives sampled from more than 25,000 rows; the intercept corrects the
            prior.

        Returns
        -------
        LinearModel
            Itself.
        """
        ratio = max(_MOST_ROWS / np.count_nonzero(y) - 1, 1)
        rows, _, shift = draw_bag(y, "undersample", ratio, np.random.default_rng(seed))
        if len(rows) < len(y):
            X, y = X[rows], y[rows]
        self.mean_, self.scale_ = mean_and_scale(X)
        standard = standardise(X, self.mean_, self.scale_)
        model = LogisticRegression(C=self.C, max_iter=1000).fit(standard, y)
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
        for start in range(0, len(X), CHUNK):
            rows = slice(start, start + CHUNK)
            # Row by row: the last bit of a matrix product depends on how many rows there are.
            score[rows] = self._weigh(X[rows]).sum(axis=1, dtype=np.float64)
        return score + self.intercept_

    def contributions(self, X: np.ndarray) -> np.ndarray:
        """Contributions of the columns.

        Parameters
        ----------
        X : ndarray of shape (n, columns), float32
            Numbers, NaN where missing.

        Returns
        -------
        ndarray of shape (n, columns + 1), float64
            Contribution of each column relative to its mean; last the logit of a row of means.
        """
        return np.column_stack([self._weigh(X), np.full(len(X), self.intercept_)])

    def _weigh(self, X: np.ndarray) -> np.ndarray:
        """Standardise and weight in place, in single precision, which is eight times as fast."""
        standard = X - self.mean_.astype(np.float32)
        standard *= (1 / self.scale_).astype(np.float32)
        np.copyto(standard, 0, where=np.isnan(standard))
        np.clip(standard, -_REACH, _REACH, out=standard)
        standard *= self.coef_.astype(np.float32)
        return standard


# Names in artifacts of earlier releases.
Member, LinearPart = FoldModel, LinearModel


# Share of the rows that lose all metadata, and of the values of any family lost one by one.
_ROWS, _VALUES = 0.1, 0.05


def blank_at_random(
    columns: np.ndarray, y: np.ndarray, metadata: np.ndarray, rng: np.random.Generator
) -> None:
    """Blank values of training rows in place, whatever their class.

    Parameters
    ----------
    columns : ndarray of shape (n, columns), float32
        Training rows; NaN where a value is missing.
    y : ndarray of shape (n,), bool
        Target; both classes occur.
    metadata : ndarray of shape (columns,), bool
        Columns of metadata, from `are_metadata`.
    rng : Generator
        Random numbers.

    Notes
    -----
    LightGBM treats a missing value as zero if training had none, so an unknown age counts as that
    of an infant. Trees trained with values missing at random learn where such rows belong.

    Where metadata are missing more often in one class, missingness itself would be evidence, so
    `_equalise` makes every pattern of missing metadata equally frequent in both classes.
    Measurements of the image keep their pattern: new lesions have them, and treating a network's
    score likewise, which is left out mostly of malignant lesions, would cost most of its use.
    Hence a measurement that is missing more often in one class remains evidence where it is
    missing.
    """
    gone = np.isnan(columns)
    gone[:, metadata] = _equalise(gone[:, metadata], y, rng)
    gone |= rng.random(gone.shape, dtype=np.float32) < _VALUES
    if not metadata.all():
        gone[np.ix_(rng.random(len(y)) < _ROWS, metadata)] = True
    # A column of one value would tell nothing but where it is missing.
    gone |= np.fmin.reduce(columns) == np.fmax.reduce(columns)
    columns[gone] = np.nan


def _equalise(gone: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Make every pattern of missing values equally frequent in both classes.

    The share of a pattern that both classes have stays as it is. Of what one class has beyond it,
    each row also loses what a random row of the other class's surplus lacks, so that no more
    values are lost than equal frequencies need.
    """
    _, first, pattern = np.unique(gone, axis=0, return_index=True, return_inverse=True)
    pattern = pattern.ravel()
    counts = [np.bincount(pattern[rows], minlength=len(first)) for rows in (~y, y)]
    shares = np.divide(counts, np.sum(counts, axis=1, keepdims=True))
    surplus = shares - shares.min(axis=0)
    equal = gone.copy()
    for value in (0, 1) if surplus.any() else ():
        chance = surplus[value] / np.where(shares[value] > 0, shares[value], 1)
        rows = np.flatnonzero((y == value) & (rng.random(len(y)) < chance[pattern]))
        other = surplus[1 - value] / surplus[1 - value].sum()
        equal[rows] |= gone[first[rng.choice(len(first), len(rows), p=other)]]
    return equal


def are_metadata(names: Sequence[str]) -> np.ndarray:
    """Whether columns are metadata, or context of metadata, rather than measurements.

    Parameters
    ----------
    names : sequence of str
        Encoded column names.

    Returns
    -------
    ndarray of shape (columns,), bool
        True for metadata.

    Examples
    --------
    >>> are_metadata(["abcd__tds", "meta__age", "ctx__meta_age_z"]).tolist()
    [False, True, True]
    """
    return np.array([name.startswith(("meta__", "ctx__meta_")) for name in names], dtype=bool)


def metadata_columns(encoded: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Find the columns that are empty in a row without metadata.

    Parameters
    ----------
    encoded : ndarray of shape (n, columns), float32
        Encoded training rows.
    names : sequence of str
        Encoded column names.

    Returns
    -------
    ndarray of int
        Columns of metadata, and of their context, that training rows have values in; empty where
        the table has no other columns.

    Examples
    --------
    >>> metadata_columns(np.zeros((1, 2)), ["abcd__tds", "meta__age"]).tolist()
    [1]
    """
    metadata = are_metadata(names)
    if metadata.all():
        return np.array([], dtype=np.intp)
    return np.flatnonzero(metadata & ~np.isnan(encoded).all(axis=0))


def train_fold_models(
    dense: np.ndarray,
    embedding: np.ndarray,
    names: Sequence[str],
    y: np.ndarray,
    folds: np.ndarray,
    settings: Mapping[str, Any],
    seed: int,
) -> tuple[list[FoldModel], np.ndarray]:
    """Fit one model for each fold.

    Parameters
    ----------
    dense : ndarray of shape (n, columns), float32
        All features but the embedding.
    embedding : ndarray of shape (n, d), float32
        The embedding; d is 0 without one.
    names : sequence of str
        Names of the dense columns.
    y : ndarray of shape (n,), bool
        Target.
    folds : ndarray of shape (n,), int
        Grouped fold of each row.
    settings : mapping of str to object
        Parameters of `HybridLesionClassifier`; ``n_jobs`` is the number of threads.
    seed : int
        Seed of this round.

    Returns
    -------
    members : list of FoldModel
        One a fold.
    logits : ndarray of shape (n,), float64
        Held-out logits.
    """
    import lightgbm

    probes = EmbeddingDiscriminant.cross_fit(embedding, y, folds) if embedding.shape[1] else []
    names = [*names, "emb__"] if probes else names
    # Columns along which the score is monotone, and columns that may be missing in new lesions.
    secondary = secondary_scores(names, settings["leading"])
    monotone = ("emb__", "cnn__") if settings["monotone"] else "emb__"
    directed = [name.startswith(monotone) and name not in secondary for name in names]
    blankable = are_metadata(names)
    linear_weight = settings["linear_weight"]
    members: list[FoldModel] = []
    growths: list[BoosterState] = []
    linear = np.zeros(len(y))
    for fold in range(int(folds.max()) + 1):
        train, held = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        columns, held_columns = dense[train], dense[held]
        probe = None
        if probes:
            probe, inner = probes[fold]
            columns = append_column(columns, inner[train])
            held_columns = append_column(held_columns, probe.score(embedding[held]))
        member = FoldModel(fold, probe, None, [], [], linear_weight)
        if linear_weight > 0:
            member.linear = LinearModel().fit(columns, y[train], seed)
            linear[held] = member.linear.logit(held_columns)
        if linear_weight < 1:
            directions = _directions(columns, y[train], directed)
            for bag in range(settings["n_bags"]):
                rng = np.random.default_rng([seed, fold, bag])
                booster, shift = _start(columns, y[train], directions, blankable, settings, rng)
                growths.append(BoosterState(booster, held_columns, held, fold, shift))
                member.shifts.append(shift)
        members.append(member)
    if not growths:
        return members, linear
    n_trees, logits = grow(growths, y, linear, settings)
    for growth in growths:
        # As text, to keep the first trees without the training data.
        text = growth.booster.model_to_string(num_iteration=int(n_trees[growth.fold]))
        members[growth.fold].boosters.append(lightgbm.Booster(model_str=text))
    return members, logits


def _start(
    columns: np.ndarray,
    y: np.ndarray,
    directions: list[int],
    metadata: np.ndarray,
    settings: Mapping[str, Any],
    rng: np.random.Generator,
) -> tuple[Booster, float]:
    """Make a booster without trees for one bag of the training rows, and its logit shift."""
    import lightgbm

    imbalance = settings["imbalance"]
    rows, weight, shift = draw_bag(y, imbalance, settings["negatives_per_positive"], rng)
    params = {
        **BOOSTING,
        "objective": "none" if imbalance == "focal" else "binary",
        "learning_rate": settings["learning_rate"],
        "num_leaves": settings["num_leaves"],
        # A leaf needs enough rows for a reliable value, and small tables must still be split.
        "min_data_in_leaf": min(settings["min_child_samples"], max(1, len(rows) // 20)),
        "feature_fraction": 0.7,
        "monotone_constraints": directions,
        "num_threads": settings["n_jobs"],
        "seed": int(rng.integers(2**31 - 1)),
        **(settings["lightgbm_params"] or {}),
    }
    bag = columns[rows]
    blank_at_random(bag, y[rows], metadata, rng)
    # Without the parameters, the data set prints warnings about tiny tables.
    data = lightgbm.Dataset(bag, y[rows].astype(np.float32), weight=weight, params=params)
    if imbalance == "focal":
        # Custom losses start at zero, which is far off at 1 % prevalence.
        shift = float(logit(y.mean()))
        data.set_init_score(np.full(len(rows), shift))
    return lightgbm.Booster(params, data), shift


def _directions(columns: np.ndarray, y: np.ndarray, directed: Sequence[bool]) -> list[int]:
    """Return +1 or -1 for columns that clearly rank the training rows, else 0."""
    directions = np.zeros(len(directed), dtype=int)
    for k in np.flatnonzero(directed):
        known = ~np.isnan(columns[:, k])
        truth = y[known]
        positives, negatives = truth.sum(), (~truth).sum()
        if not positives or not negatives:
            continue
        # Mann-Whitney's U, with its standard error under no association.
        u = rankdata(columns[known, k])[truth].sum() - positives * (positives + 1) / 2
        error = np.sqrt(positives * negatives * (positives + negatives + 1) / 12)
        z = (u - positives * negatives / 2) / error
        directions[k] = int(np.sign(z)) if abs(z) > 3 else 0
    return directions.tolist()


_METADATA = ("meta__age", "meta__sex_", "meta__site_")


def score_baselines(
    encoded: np.ndarray,
    names: Sequence[str],
    y: np.ndarray,
    folds: np.ndarray,
    leading: str | None,
    seed: int = 0,
) -> pd.DataFrame:
    """Score training rows by simple models, each fitted on the other folds.

    Parameters
    ----------
    encoded : ndarray of shape (n, columns), float32
        Encoded training rows, NaN where values are missing.
    names : sequence of str
        Encoded column names.
    y : ndarray of shape (n,), bool
        Target.
    folds : ndarray of shape (n,), int
        Grouped fold of each row.
    leading : str or None
        Column with the score of a network, which is taken as it is.
    seed : int, default=0
        Seed of the negatives sampled from more than 25,000 rows.

    Returns
    -------
    DataFrame of shape (n, baselines), float64
        Scores, 0 to 1: ``metadata`` (logistic regression on age, sex and site), ``logistic``
        (logistic regression on all columns) and ``cnn`` (NaN where the network has no score),
        as far as there are such columns. Missing values count as the mean.
    """
    names = list(names)
    known = ~np.isnan(encoded).all(axis=0)
    metadata = known & np.array([name.startswith(_METADATA) for name in names], dtype=bool)
    parts = {"metadata": metadata, "logistic": known}
    if (metadata == known).all():
        del parts["logistic"]
    found = {}
    for name, columns in parts.items():
        if columns.any():
            found[name] = _score_out_of_fold(encoded[:, columns], y, folds, seed)
    if leading in names:
        found["cnn"] = np.clip(encoded[:, names.index(leading)].astype(float), 0, 1)
    return pd.DataFrame(found, index=range(len(y)))


def _score_out_of_fold(X: np.ndarray, y: np.ndarray, folds: np.ndarray, seed: int) -> np.ndarray:
    score = np.empty(len(y))
    for fold in np.unique(folds):
        held = folds == fold
        score[held] = expit(LinearModel().fit(X[~held], y[~held], seed).logit(X[held]))
    return score
