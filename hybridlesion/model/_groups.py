"""Which training rows belong together, and how many folds they allow."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd

from hybridlesion.model._columns import is_feature_table
from hybridlesion.splits import grouping

__all__ = ["count_folds", "read_groups"]


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
    """
    if groups is not None:
        if len(groups) != n:
            raise ValueError(f"groups must have one value a row, got {len(groups)} for {n} rows.")
        return grouping(pd.DataFrame({"patient_id": np.asarray(groups)})).to_numpy()
    if is_feature_table(table):
        return grouping(table).to_numpy()
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
            stacklevel=3,
        )
    return n_folds
