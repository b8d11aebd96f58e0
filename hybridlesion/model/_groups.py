"""Which training rows belong together, and how many folds they allow."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd

from hybridlesion._validation import LEFT_OUT
from hybridlesion.model._columns import is_feature_table
from hybridlesion.splits import GROUP_COLUMNS, grouping, parted, repeated_grouped_folds

__all__ = ["check_folds", "count_folds", "deal_folds", "read_groups"]


def read_groups(table: object, groups: np.ndarray | None, n: int) -> np.ndarray:
    """Number the groups given, else those that the table knows of.

    Parameters
    ----------
    table : DataFrame or array-like of shape (n, columns)
        What was handed to ``fit``.
    groups : array-like of shape (n,) or None
        Patient of each row, if given.
    n : int
        Number of rows.

    Returns
    -------
    ndarray of shape (n,), int
        Group numbers; a row that knows of no group is one of its own.

    Raises
    ------
    ValueError
        If `groups` has another length.

    Warns
    -----
    UserWarning
        If the featurizer before the model left out columns of patients or lesions.
    """
    if groups is not None:
        if len(groups) != n:
            raise ValueError(f"groups must have one value a row, got {len(groups)} for {n} rows.")
        return grouping(pd.DataFrame({"patient_id": np.asarray(groups)})).to_numpy()
    if is_feature_table(table):
        left_out = table.attrs.get(LEFT_OUT)
        if left_out:
            warnings.warn(
                f"the featurizer left out {', '.join(left_out)}, so each row is a group of its own "
                "and folds may part a patient. LesionFeaturizer(passthrough='ids') hands them on, "
                "as make_hybrid_pipeline does; or give groups.",
                UserWarning,
                stacklevel=3,
            )
        # Rows of one image are one group, too, whoever listed it twice.
        return grouping(table, (*GROUP_COLUMNS, "image_id")).to_numpy()
    return np.arange(n)


def count_folds(
    target: np.ndarray, groups: np.ndarray, n_splits: int, *, has_embedding: bool
) -> int:
    """Return how many folds the groups allow.

    Parameters
    ----------
    target : ndarray of shape (n,), bool
        True where malignant.
    groups : ndarray of shape (n,), int
        Group of each row.
    n_splits : int
        Folds wanted.
    has_embedding : bool
        Whether an embedding asks for a third fold, to cross-fit inside.

    Returns
    -------
    int
        `n_splits`, or with a warning as many as hold both classes.

    Raises
    ------
    ValueError
        If a class occurs in too few groups.
    """
    carriers = min(len(np.unique(groups[target == value])) for value in (True, False))
    least = 3 if has_embedding else 2
    if carriers < least:
        raise ValueError(
            f"each class must occur in at least {least} groups (patients)"
            f"{' when there are emb__ columns' if has_embedding else ''}, got {carriers}: a "
            f"model cannot be checked out of fold. n_samples = {len(target)} with "
            f"{int(target.sum())} positives. Bring more patients."
        )
    n_folds = max(least, min(n_splits, carriers))
    if n_folds < n_splits:
        warnings.warn(
            f"only {carriers} groups hold one of the classes: {n_folds} folds are made "
            f"instead of n_splits={n_splits}.",
            UserWarning,
            stacklevel=4,
        )
    return n_folds


def deal_folds(
    target: np.ndarray,
    groups: np.ndarray,
    n_splits: int,
    n_seeds: int,
    random_state: int,
    *,
    has_embedding: bool,
) -> np.ndarray:
    """Deal whole groups to as many folds as they allow.

    Parameters
    ----------
    target : ndarray of shape (n,), bool
        True where malignant.
    groups : ndarray of shape (n,), int
        Group of each row.
    n_splits : int
        Folds wanted.
    n_seeds : int
        Draws.
    random_state : int
        Seed of the first draw.
    has_embedding : bool
        Whether an embedding asks for a third fold.

    Returns
    -------
    ndarray of shape (n, n_seeds), int
        Folds, from 0.

    Raises
    ------
    ValueError
        If a class occurs in too few groups.
    """
    n_folds = count_folds(target, groups, n_splits, has_embedding=has_embedding)
    return repeated_grouped_folds(
        target, groups, n_splits=n_folds, n_repeats=n_seeds, random_state=random_state
    )


def check_folds(
    folds: np.ndarray, target: np.ndarray, groups: np.ndarray, *, has_embedding: bool
) -> np.ndarray:
    """Return folds that were given as one column a draw, or say why they cannot be used.

    Parameters
    ----------
    folds : array-like of shape (n,) or (n, r)
        Fold of each row.
    target : ndarray of shape (n,), bool
        True where malignant.
    groups : ndarray of shape (n,), int
        Group of each row.
    has_embedding : bool
        Whether an embedding asks for a third fold, to cross-fit inside.

    Returns
    -------
    ndarray of shape (n, r), int
        Folds 0 to k - 1, k the same in every draw.

    Raises
    ------
    ValueError
        If they are no such numbers, or a class occurs in too few folds.
    """
    draws = np.asarray(folds)
    draws = draws[:, None] if draws.ndim == 1 else draws
    if draws.ndim != 2 or len(draws) != len(target) or not draws.shape[1]:
        raise ValueError(
            f"folds must have one value a row, or one column a draw, got shape "
            f"{np.shape(folds)} for {len(target)} rows."
        )
    n_folds = len(np.unique(draws[:, 0]))
    if any(np.unique(draw).tolist() != list(range(n_folds)) for draw in draws.T):
        raise ValueError(
            "folds must be the whole numbers from 0 to k - 1, each of them in every draw, got "
            f"{np.unique(draws)[:10].tolist()}."
        )
    least = 3 if has_embedding else 2
    holding = min(
        len(np.unique(draw[target == value])) for draw in draws.T for value in (True, False)
    )
    if holding < least:
        raise ValueError(
            f"each class must occur in at least {least} folds"
            f"{' when there are emb__ columns' if has_embedding else ''}, got {holding}. Deal the "
            "folds by target, as hybridlesion.splits.grouped_folds does."
        )
    torn = len(np.unique(groups[parted(pd.Series(groups), draws)]))
    if torn:
        warnings.warn(
            f"the folds given part {torn} of {len(np.unique(groups))} groups (patients): "
            "out-of-fold scores are not all of unseen patients.",
            UserWarning,
            stacklevel=3,
        )
    return draws.astype(np.intp)
