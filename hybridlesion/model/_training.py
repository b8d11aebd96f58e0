"""One round over the folds: every member fitted, and every row scored by one that never saw it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import logit
from scipy.stats import rankdata

from hybridlesion.model._boosting import FocalLoss, Growth, draw_bag, grow
from hybridlesion.model._fold_model import LinearPart, Member, append_column
from hybridlesion.model.embedding_discriminant import EmbeddingProbe

__all__ = [
    "TrainingSettings",
    "are_metadata",
    "blank_at_random",
    "metadata_columns",
    "train_members",
]

# Share of the rows that lose all metadata, and of the values of any family lost one by one.
_ROWS, _VALUES = 0.2, 0.05


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
    LightGBM sends a missing value to the side of zero where training had none, so that an unknown
    age counts as that of an infant. Trees that saw values missing at random learn where such rows
    belong.

    Where metadata are missing more often in one class, missingness itself would be evidence. So
    each row also loses the metadata that a random row of the other class lacks. A row then lacks
    what either of two rows lacks, one of each class, and the pattern is equally frequent in both.
    Measurements of the image are treated otherwise: new lesions have them, and a network's score
    that is left out in training, mostly of malignant lesions, would cost most of its use.
    """
    gone = np.isnan(columns)
    other = np.empty(len(y), dtype=np.intp)
    for value in (False, True):
        other[y == value] = rng.choice(np.flatnonzero(y != value), np.count_nonzero(y == value))
    gone |= gone[other] & metadata
    gone |= rng.random(gone.shape, dtype=np.float32) < _VALUES
    if not metadata.all():
        gone[np.ix_(rng.random(len(y)) < _ROWS, metadata)] = True
    # A column of one value would tell nothing but where it is missing.
    gone |= np.fmin.reduce(columns) == np.fmax.reduce(columns)
    columns[gone] = np.nan


def are_metadata(names: Sequence[str]) -> np.ndarray:
    """Tell columns of metadata, and of their context, from measurements.

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


@dataclass(frozen=True)
class TrainingSettings:
    """What `HybridLesionClassifier` asks of a round; its parameters of the same names say more.

    Parameters
    ----------
    imbalance, stopping : str
        Strategy against imbalance, and the measure that ends growth.
    negatives_per_positive, linear_weight, learning_rate : float
        See the classifier.
    n_bags, min_trees, max_trees, patience, num_leaves, min_child_samples, n_jobs : int
        See the classifier.
    lightgbm_params : dict
        Handed to LightGBM last.
    """

    imbalance: str
    stopping: str
    negatives_per_positive: float
    linear_weight: float
    learning_rate: float
    n_bags: int
    min_trees: int
    max_trees: int
    patience: int
    num_leaves: int
    min_child_samples: int
    n_jobs: int
    lightgbm_params: dict


def train_members(
    dense: np.ndarray,
    embedding: np.ndarray,
    y: np.ndarray,
    folds: np.ndarray,
    monotone: np.ndarray,
    settings: TrainingSettings,
    seed: int,
    metadata: np.ndarray,
) -> tuple[list[Member], np.ndarray]:
    """Fit one member a fold.

    Parameters
    ----------
    dense : ndarray of shape (n, columns), float32
        All features but the embedding.
    embedding : ndarray of shape (n, d), float32
        The embedding; d is 0 without one.
    y : ndarray of shape (n,), bool
        Target.
    folds : ndarray of shape (n,), int
        Grouped fold of each row.
    monotone : ndarray of shape (columns,), bool
        Dense columns along which the score may not turn round.
    settings : TrainingSettings
        How to train.
    seed : int
        Seed of this round.
    metadata : ndarray of shape (columns,), bool
        Dense columns of metadata, which may be missing in new lesions.

    Returns
    -------
    members : list of Member
        One a fold.
    logits : ndarray of shape (n,), float64
        Held-out logits.
    """
    if embedding.shape[1]:
        probes = EmbeddingProbe.cross_fit(embedding, y, folds)
    else:
        probes = [(None, None)] * (int(folds.max()) + 1)
    members, growths, linear = [], [], np.zeros(len(y))
    for fold, (probe, inner) in enumerate(probes):
        train, held = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        columns, held_columns = dense[train], dense[held]
        directed, blankable = monotone, metadata
        if probe is not None:
            columns = append_column(columns, inner[train])
            held_columns = append_column(held_columns, probe.score(embedding[held]))
            directed, blankable = np.append(monotone, True), np.append(metadata, False)
        member = Member(fold, probe, None, [], [], settings.linear_weight)
        if settings.linear_weight > 0:
            member.linear = LinearPart().fit(columns, y[train], seed)
            linear[held] = member.linear.logit(held_columns)
        if settings.linear_weight < 1:
            directions = _directions(columns, y[train], directed)
            for bag in range(settings.n_bags):
                rng = np.random.default_rng([seed, fold, bag])
                booster, shift = _start(columns, y[train], directions, blankable, settings, rng)
                loss = FocalLoss() if settings.imbalance == "focal" else None
                growths.append(Growth(booster, held_columns, held, fold, shift, loss))
                member.shifts.append(shift)
        members.append(member)
    if not growths:
        return members, linear
    n_trees, logits = grow(
        growths,
        y,
        linear,
        linear_weight=settings.linear_weight,
        stopping=settings.stopping,
        min_trees=settings.min_trees,
        max_trees=settings.max_trees,
        patience=settings.patience,
        n_jobs=settings.n_jobs,
    )
    for growth in growths:
        members[growth.fold].boosters.append(_cut(growth.booster, int(n_trees[growth.fold])))
    return members, logits


def _start(
    columns: np.ndarray,
    y: np.ndarray,
    directions: list[int],
    metadata: np.ndarray,
    settings: TrainingSettings,
    rng: np.random.Generator,
):
    """Make a booster without trees on one bag of the training rows."""
    import lightgbm

    rows, weight, shift = draw_bag(y, settings.imbalance, settings.negatives_per_positive, rng)
    focal = settings.imbalance == "focal"
    params = {
        "objective": "none" if focal else "binary",
        "learning_rate": settings.learning_rate,
        "num_leaves": settings.num_leaves,
        # A leaf needs enough rows to be believed, and small tables must still be split.
        "min_data_in_leaf": min(settings.min_child_samples, max(1, len(rows) // 20)),
        "lambda_l2": 5.0,
        "feature_fraction": 0.7,
        "bagging_fraction": 0.7,
        "bagging_freq": 1,
        "monotone_constraints": directions,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": settings.n_jobs,
        "seed": int(rng.integers(2**31 - 1)),
        "verbosity": -1,
    } | settings.lightgbm_params
    bag = columns[rows]
    blank_at_random(bag, y[rows], metadata, rng)
    # The data set needs the parameters too: without them, it warns about tiny tables aloud.
    data = lightgbm.Dataset(bag, y[rows].astype(np.float32), weight=weight, params=params)
    if focal:
        # A loss of our own has no start of its own; at 1 % prevalence zero would be far off.
        shift = float(logit(y.mean()))
        data.set_init_score(np.full(len(rows), shift))
    return lightgbm.Booster(params, data), shift


def _directions(columns: np.ndarray, y: np.ndarray, directed: np.ndarray) -> list[int]:
    """Return +1 or -1 for columns that rank the training rows clearly one way, else 0."""
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


def _cut(booster, n_trees: int):
    """Keep the first trees, and let go of the training data."""
    import lightgbm

    text = booster.model_to_string(num_iteration=n_trees)
    return lightgbm.Booster(model_str=text)
