"""Validation of targets, groups, folds and parameters before a fit."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from hybridlesion._validation import LEFT_OUT, check_choice, check_number
from hybridlesion.exceptions import OptionError
from hybridlesion.metadata import read_label
from hybridlesion.model._boosting import IMBALANCE, STOPPING
from hybridlesion.model._columns import CNN_SCORES, is_feature_table
from hybridlesion.model.calibration import CALIBRATIONS
from hybridlesion.model_selection import (
    GROUP_COLUMNS,
    connected_groups,
    grouping,
    parted,
    repeated_grouped_folds,
)


def read_groups(table: Any, groups: np.ndarray | None, n: int) -> np.ndarray:
    """Number the given groups, or the groups found in the columns of the table.

    Parameters
    ----------
    table : DataFrame or array-like of shape (n, columns)
        Argument of ``fit``.
    groups : array-like of shape (n,) or None
        Patient of each row, if given.
    n : int
        Number of rows.

    Returns
    -------
    ndarray of shape (n,), int
        Group numbers; each row without a known group forms a separate group.

    Raises
    ------
    ValueError
        If `groups` does not have `n` values.

    Warns
    -----
    UserWarning
        If the featurizer before the model left out columns of patients or lesions.
    """
    if groups is not None:
        if len(groups) != n:
            raise ValueError(f"groups must have one value per row, got {len(groups)} for {n} rows.")
        return connected_groups(np.asarray(groups))
    if not is_feature_table(table):
        return np.arange(n)
    left_out = table.attrs.get(LEFT_OUT)
    if left_out:
        warnings.warn(
            f"the featurizer left out {', '.join(left_out)}, so folds may split a patient. Use "
            "LesionFeaturizer(passthrough='ids') or make_hybrid_pipeline, or pass groups.",
            stacklevel=3,
        )
    # Rows of the same image also form one group.
    return grouping(table, (*GROUP_COLUMNS, "image_id")).to_numpy()


def make_folds(
    target: np.ndarray,
    groups: np.ndarray,
    n_splits: int,
    n_seeds: int,
    random_state: int,
    *,
    has_embedding: bool,
) -> np.ndarray:
    """Assign whole groups to folds, using fewer folds if necessary.

    Parameters
    ----------
    target : ndarray of shape (n,), bool
        True for malignant rows.
    groups : ndarray of shape (n,), int
        Group of each row.
    n_splits : int
        Number of folds requested.
    n_seeds : int
        Number of draws.
    random_state : int
        Seed of the first draw.
    has_embedding : bool
        Whether an embedding, which is cross-fitted within folds, requires a third fold.

    Returns
    -------
    ndarray of shape (n, n_seeds), int
        Folds numbered from 0: `n_splits` of them or, with a warning, as many as can contain both
        classes.

    Raises
    ------
    ValueError
        If a class occurs in too few groups.
    """
    carriers = min(len(np.unique(groups[rows])) for rows in (target, ~target))
    least, reason = _fewest(has_embedding)
    if carriers < least:
        raise ValueError(
            f"each class must occur in at least {least} groups (patients){reason}, got {carriers} "
            f"(n_samples = {len(target)} with {target.sum()} positives). Add more patients."
        )
    n_folds = max(least, min(n_splits, carriers))
    if n_folds < n_splits:
        warnings.warn(
            f"only {carriers} groups contain one of the classes: using {n_folds} folds instead of "
            f"n_splits={n_splits}.",
            stacklevel=3,
        )
    options = {"n_splits": n_folds, "n_repeats": n_seeds, "random_state": random_state}
    return repeated_grouped_folds(target, groups, **options)


def _fewest(has_embedding: bool) -> tuple[int, str]:
    """Return how many folds need both classes, and why."""
    return (3, " when there are emb__ columns") if has_embedding else (2, "")


def check_folds(
    folds: np.ndarray, target: np.ndarray, groups: np.ndarray, *, has_embedding: bool
) -> np.ndarray:
    """Validate given folds and return them as one column per draw.

    Parameters
    ----------
    folds : array-like of shape (n,) or (n, r)
        Fold of each row.
    target : ndarray of shape (n,), bool
        True for malignant rows.
    groups : ndarray of shape (n,), int
        Group of each row.
    has_embedding : bool
        Whether an embedding, which is cross-fitted within folds, requires a third fold.

    Returns
    -------
    ndarray of shape (n, r), int
        Folds 0 to k - 1, with the same k in every draw.

    Raises
    ------
    ValueError
        If the folds are not numbered 0 to k - 1 in every draw, or a class occurs in too few folds.
    """
    draws = np.asarray(folds)
    draws = draws[:, None] if draws.ndim == 1 else draws
    if draws.ndim != 2 or len(draws) != len(target) or not draws.shape[1]:
        raise ValueError(
            "folds must have one value per row, or one column per draw, got shape "
            f"{np.shape(folds)} for {len(target)} rows."
        )
    n_folds = len(np.unique(draws[:, 0]))
    if any(np.unique(draw).tolist() != list(range(n_folds)) for draw in draws.T):
        raise ValueError(
            "folds must be the whole numbers from 0 to k - 1, each used in every draw, got "
            f"{np.unique(draws)[:10].tolist()}."
        )
    least, reason = _fewest(has_embedding)
    holding = min(len(np.unique(draw[rows])) for draw in draws.T for rows in (target, ~target))
    if holding < least:
        raise ValueError(
            f"each class must occur in at least {least} folds{reason}, got {holding}. Make folds "
            "stratified by target, as hybridlesion.model_selection.grouped_folds does."
        )
    torn = len(np.unique(groups[parted(pd.Series(groups), draws)]))
    if torn:
        warnings.warn(
            f"the given folds split {torn} of {len(np.unique(groups))} groups (patients): "
            "out-of-fold scores are not all of unseen patients.",
            stacklevel=3,
        )
    return draws.astype(np.intp)


# Number words, ordered like the numbers.
_NUMBERS = {"zero": 0.0, "one": 1.0, "two": 2.0}


def read_target(y: Any, pos_label: object = None) -> tuple[np.ndarray, np.ndarray]:
    """Return the two classes, and whether each label is the malignant one.

    Parameters
    ----------
    y : array-like of shape (n,)
        Labels.
    pos_label : int, float, bool or str, default=None
        The malignant label. If None, the greater of two numbers or, of two words, the one known to
        mean malignant.

    Returns
    -------
    classes : ndarray of shape (2,)
        The labels; the second is malignant.
    target : ndarray of shape (n,), bool
        True for the second label.

    Raises
    ------
    ValueError
        If labels are missing, there are not two classes, or the malignant one cannot be determined.
    """
    if pd.isna(y).any():
        raise ValueError(f"y has {pd.isna(y).sum()} missing labels. Drop those rows.")
    y = np.asarray(y)
    if y.dtype == object:
        # Joins of tables may leave numbers and booleans in an object column.
        y = pd.Series(y.ravel()).infer_objects().to_numpy().reshape(y.shape)
    kinds = {type(label).__name__ for label in y.ravel()} if y.dtype == object else {"str"}
    if kinds != {"str"}:
        found = f"the type{'s' if len(kinds) > 1 else ''} {', '.join(sorted(kinds))}"
        raise ValueError(f"y holds labels of {found}. Use one type: numbers, booleans or words.")
    check_classification_targets(y)
    classes, codes = np.unique(y, return_inverse=True)
    if len(classes) > 2:
        found = f"{type_of_target(y)}: {len(classes)} classes, {classes[:5].tolist()}"
        raise ValueError(
            f"Only binary classification is supported. The type of the target is {found}. Merge "
            "them into malignant and benign."
        )
    if len(classes) < 2:
        raise ValueError(f"y must hold two classes, got one class: {classes.tolist()}.")
    positive = _find_positive(classes, pos_label)
    return (classes if positive else classes[::-1]), codes == positive


def warn_of_order(classes: np.ndarray) -> None:
    """Warn if the malignant label is not last in sorted order, as some scorers expect.

    Parameters
    ----------
    classes : ndarray of shape (2,)
        The labels; the second is malignant.

    Warns
    -----
    UserWarning
        If the malignant label comes first.
    """
    benign, malignant = classes.tolist()
    if benign > malignant:
        warnings.warn(
            f"the label {malignant!r} is malignant, and classes_ is {[benign, malignant]}. Scorers "
            f"of scikit-learn that sort labels, such as 'roc_auc', take {benign!r} as positive: an "
            f"AUC of 0.9 becomes 0.1. For them, fit and score with y == {malignant!r} as labels.",
            stacklevel=3,
        )


def _find_positive(classes: np.ndarray, pos_label: object) -> int:
    """Return the position of the malignant label in two sorted labels."""
    labels = classes.tolist()
    if pos_label is not None:
        if pos_label not in labels:
            raise ValueError(f"pos_label={pos_label!r} is not among the labels of y, {labels}.")
        return labels.index(pos_label)
    if not any(isinstance(label, str) for label in labels):
        return 1
    sides = [_NUMBERS.get(str(label).lower(), read_label(str(label))) for label in labels]
    if None in sides or sides[0] == sides[1]:
        example = labels[0] if sides[0] == 1 or sides[1] == 0 else labels[1]
        raise ValueError(
            f"y holds the labels {labels[0]!r} and {labels[1]!r}, and which of them is malignant "
            f"is not known. Give the malignant one as pos_label, for example pos_label={example!r}."
        )
    return int(sides[1] > sides[0])


SENSITIVITY = 0.9

_CHOICES = {
    "leading": CNN_SCORES,
    "imbalance": IMBALANCE,
    "stopping": STOPPING,
    "calibration": CALIBRATIONS,
    "context": ("auto", "none"),
}
_LEAST = dict.fromkeys(("n_seeds", "n_bags", "max_trees", "patience", "n_jobs"), 1)
_LEAST |= {"n_splits": 2, "min_trees": 0, "num_leaves": 2, "min_child_samples": 1}


def check_parameters(model: BaseEstimator) -> None:
    """Validate the parameters of the classifier.

    Parameters
    ----------
    model : HybridLesionClassifier
        The estimator whose parameters are checked.

    Raises
    ------
    ValueError
        If a parameter is out of range or not among its choices.
    """
    given = model.get_params(deep=False)
    for name, allowed in _CHOICES.items():
        check_choice(name, given[name], allowed)
    for name, least in _LEAST.items():
        if (name, given[name]) != ("n_jobs", -1):
            check_number(name, given[name], low=least, integer=True)
    check_number("linear_weight", given["linear_weight"], low=0, high=1)
    check_number("negatives_per_positive", given["negatives_per_positive"], low=1)
    check_number("learning_rate", given["learning_rate"], low=1e-6, high=1)
    check_number("random_state", given["random_state"], low=0, high=2**31 - 1, integer=True)
    check_decision(given["sensitivity"], given["threshold"], given["cost_ratio"])


def check_decision(
    sensitivity: float, threshold: str | float | None, cost_ratio: float | None
) -> None:
    """Validate the rules for the threshold, which exclude each other.

    Parameters
    ----------
    sensitivity : float
        Sensitivity to reach.
    threshold : str, float or None
        ``"f1"``, ``"youden"`` or a number.
    cost_ratio : float or None
        Cost of one missed malignant lesion in false positives.

    Raises
    ------
    ValueError
        If a value is out of range, or more than one rule is set.
    """
    check_number("sensitivity", sensitivity, low=1e-6, high=1)
    if cost_ratio is not None:
        check_number("cost_ratio", cost_ratio, low=1e-6, high=1e6)
    if isinstance(threshold, str):
        check_choice("threshold", threshold, ("f1", "youden"))
    elif threshold is not None:
        check_number("threshold", threshold, low=0, high=1)
    given: dict[str, object] = {"sensitivity": None if sensitivity == SENSITIVITY else sensitivity}
    given |= {"threshold": threshold, "cost_ratio": cost_ratio}
    words = [f"{name}={value!r}" for name, value in given.items() if value is not None]
    if len(words) > 1:
        raise OptionError(
            f"{' and '.join(words)} exclude each other, since each sets the threshold of the "
            "labels: give one of sensitivity, threshold and cost_ratio."
        )
