"""Values taken out of the training rows at random, so that a missing one is no evidence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["are_metadata", "blank_at_random", "metadata_columns"]

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
    Measurements of the image keep their pattern: new lesions have them, and treating a network's
    score likewise, which is left out mostly of malignant lesions, would cost most of its use.
    Hence a measurement that is missing more often in one class remains evidence where it is
    missing.
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
