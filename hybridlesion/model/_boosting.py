"""LightGBM boosters for all folds, with joint early stopping, focal loss and resampling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import expit, log_expit

from hybridlesion.metrics import average_precision, partial_auc, roc_auc

if TYPE_CHECKING:
    from lightgbm import Booster, Dataset

# Parameters of LightGBM that all models share.
BOOSTING = {
    "lambda_l2": 5.0,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}

# Trees grown between two evaluations of the held-out scores.
_STEP = 10


def _log_likelihood(y: np.ndarray, logits: np.ndarray) -> float:
    return float(np.mean(np.where(y, log_expit(logits), log_expit(-logits))))


STOPPING = {
    "auc": roc_auc,
    "average_precision": average_precision,
    "pauc": partial_auc,
    "log_loss": _log_likelihood,
}


@dataclass
class BoosterState:
    """State of one booster during training.

    Parameters
    ----------
    booster : Booster
        LightGBM's model.
    held_out : ndarray of shape (m, columns), float32
        Features of the held-out rows.
    rows : ndarray of shape (m,), int
        Positions of these rows in the table.
    fold : int
        The held-out fold.
    shift : float
        Offset added to the booster's logits to undo sampling.
    """

    booster: Booster
    held_out: np.ndarray
    rows: np.ndarray
    fold: int
    shift: float


def grow(
    members: list[BoosterState], y: np.ndarray, linear: np.ndarray, settings: Mapping[str, Any]
) -> tuple[np.ndarray, np.ndarray]:
    """Train boosters in parallel with joint early stopping over the folds.

    Parameters
    ----------
    members : list of BoosterState
        At least one per fold; logits within a fold are averaged. Trees are
        added to the boosters in place.
    y : ndarray of shape (n,), bool
        Target.
    linear : ndarray of shape (n,), float64
        Out-of-fold logits of the linear part.
    settings : mapping of str to object
        Parameters of `HybridLesionClassifier`; ``stopping`` is measured on the held-out scores,
        blended with the linear part, and ``n_jobs`` is the number of threads.

    Returns
    -------
    n_trees : ndarray of shape (folds,), int
        Trees to keep.
    logits : ndarray of shape (n,), float64
        Blended held-out logits at these numbers of trees.

    Notes
    -----
    The number of trees of fold k is the best on the held-out rows of all *other* folds, so the
    scores of fold k do not affect their own early stopping. With a few dozen positives, stopping
    on the fold itself would make its scores optimistic.
    """
    measure, linear_weight = STOPPING[settings["stopping"]], settings["linear_weight"]
    min_trees, max_trees = settings["min_trees"], settings["max_trees"]
    loss = _focal_loss if settings["imbalance"] == "focal" else None
    folds = np.empty(len(y), dtype=np.intp)
    boosted, snapshots, history = np.zeros(len(y)), [], []
    best, best_at, n_trees = -np.inf, 0, 0
    per_fold = np.bincount([member.fold for member in members])
    for member in members:
        folds[member.rows] = member.fold
        boosted[member.rows] += member.shift / per_fold[member.fold]
    while n_trees < max_trees:
        step = min(_STEP, max_trees - n_trees)
        for member in members:
            # `update` returns True when no split is left; further rounds would add empty trees.
            any(member.booster.update(fobj=loss) for _ in range(step))
            # Without num_threads, a prediction would reset LightGBM's global number of threads to
            # all cores for the growth that follows.
            options = {"raw_score": True, "num_threads": settings["n_jobs"]}
            news = member.booster.predict(
                member.held_out, start_iteration=n_trees, num_iteration=step, **options
            )
            boosted[member.rows] += news / per_fold[member.fold]
        n_trees += step
        blend = linear_weight * linear + (1 - linear_weight) * boosted
        snapshots.append(blend)
        history.append([measure(y[folds != k], blend[folds != k]) for k in range(len(per_fold))])
        overall = float(np.mean(history[-1]))
        if overall > best + 1e-9:
            best, best_at = overall, n_trees
        if n_trees >= max(min_trees, best_at + settings["patience"]):
            break
    first = min(max(0, -(-min_trees // _STEP) - 1), len(history) - 1)
    chosen = first + np.argmax(history[first:], axis=0)
    logits = np.empty(len(y))
    for fold, at in enumerate(chosen):
        logits[folds == fold] = snapshots[at][folds == fold]
    return np.minimum((chosen + 1) * _STEP, n_trees), logits


def focal_derivatives(
    logits: np.ndarray, y: np.ndarray, gamma: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Derivatives of the focal loss ``-(1 - p_t)^gamma log p_t`` with respect to the logit.

    Parameters
    ----------
    logits : ndarray of shape (n,)
        Logits of the positive class.
    y : ndarray of shape (n,), bool
        Target.
    gamma : float, default=1.0
        0 is the log loss; larger values down-weight rows whose probability ``p_t`` of the true
        class is high.

    Returns
    -------
    gradient, curvature : ndarray of shape (n,)
        First and second derivatives; the second is at least 1e-6, because leaf values are divided
        by it.

    References
    ----------
    .. [1] T.-Y. Lin, P. Goyal, R. Girshick, K. He, P. Dollar, "Focal loss for dense object
       detection", ICCV 2017.

    Examples
    --------
    >>> gradient, curvature = focal_derivatives(np.array([0.0]), np.array([True]), gamma=0.0)
    >>> float(gradient[0]), float(curvature[0])
    (-0.5, 0.25)
    """
    sign = np.where(y, 1.0, -1.0)
    own, log_own = expit(sign * logits), log_expit(sign * logits)
    rest = expit(-sign * logits)
    slope = gamma * own * log_own - rest
    gradient = sign * rest**gamma * slope
    turn = rest * (gamma * log_own + gamma + 1.0) - gamma * slope
    return gradient, np.maximum(own * rest**gamma * turn, 1e-6)


def _focal_loss(logits: np.ndarray, data: Dataset) -> tuple[np.ndarray, np.ndarray]:
    return focal_derivatives(logits, np.asarray(data.get_label()) > 0)


IMBALANCE = ("none", "class_weight", "undersample", "resample", "focal")

# How often, on average, "resample" draws each positive.
_REPEATS = 3


def draw_bag(
    y: np.ndarray, strategy: str, ratio: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray | None, float]:
    """Draw the rows and weights of one booster, with the logit shift that corrects the prior.

    Parameters
    ----------
    y : ndarray of shape (n,), bool
        Target of the training rows.
    strategy : {"none", "class_weight", "undersample", "resample", "focal"}
        Strategy for class imbalance; ``focal`` uses all rows, because the loss handles it.
    ratio : float
        Negatives kept for each positive by ``undersample`` and ``resample``; the latter also draws
        three times as many positives, with replacement.
    rng : Generator
        Random number generator.

    Returns
    -------
    rows : ndarray of shape (m,), int
        Row numbers in increasing order.
    weight : ndarray of shape (m,) or None
        Weights of these rows.
    shift : float
        Offset to add to the booster's logits.

    Notes
    -----
    If a share b of the negatives is kept, a probability p_s on the bag corresponds to
    ``p = b p_s / (b p_s - p_s + 1)``: on the logit scale, log(b) is added. Weighting positives by
    w, or drawing each w times, is equivalent to b = 1 / w.

    References
    ----------
    .. [1] A. Dal Pozzolo, O. Caelen, R. A. Johnson, G. Bontempi, "Calibrating probability with
       undersampling for unbalanced classification", IEEE SSCI 2015.

    Examples
    --------
    >>> y = np.array([True] + [False] * 100)
    >>> rows, _, shift = draw_bag(y, "undersample", 10, np.random.default_rng(0))
    >>> len(rows), round(float(np.exp(shift)), 6)
    (11, 0.1)
    """
    positive, negative = np.flatnonzero(y), np.flatnonzero(~y)
    everything = np.arange(len(y))
    if strategy == "class_weight":
        weight = np.where(y, len(negative) / len(positive), 1.0)
        return everything, weight, float(np.log(len(positive) / len(negative)))
    kept = min(round(ratio * len(positive)), len(negative))
    repeats = {"undersample": 1, "resample": _REPEATS}.get(strategy)
    if repeats is None or (repeats == 1 and kept == len(negative)):
        return everything, None, 0.0
    drawn = rng.choice(negative, kept, replace=False)
    if repeats > 1:
        positive = rng.choice(positive, repeats * len(positive))
    shift = float(np.log(kept / len(negative) / repeats))
    return np.sort(np.r_[positive, drawn]), None, shift
