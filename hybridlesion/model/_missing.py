"""Values taken out of the training rows at random, so that a missing one is no evidence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["blank_at_random", "metadata_columns"]

# Share of the rows that lose a whole family (all metadata, say), and of the values lost one by one.
_ROWS, _VALUES = 0.2, 0.05


def blank_at_random(
    columns: np.ndarray, y: np.ndarray, families: Sequence[str], rng: np.random.Generator
) -> None:
    """Blank values of training rows in place, whatever their class.

    Parameters
    ----------
    columns : ndarray of shape (n, columns), float32
        Training rows; NaN where a value is missing.
    y : ndarray of shape (n,), bool
        Target; both classes occur.
    families : sequence of str
        Family of each column. Columns of one family may be missing together.
    rng : Generator
        Random numbers.

    Notes
    -----
    LightGBM sends a missing value to the side of zero where training had none, so that an unknown
    age counts as that of an infant. Trees that saw values missing at random learn where such rows
    belong.

    Where values are missing more often in one class, missingness itself would be evidence. So each
    row also loses the values that a random row of the other class lacks. A row then lacks what
    either of two rows lacks, one of each class, and the pattern is equally frequent in both.
    """
    gone = np.isnan(columns)
    other = np.empty(len(y), dtype=np.intp)
    for value in (False, True):
        other[y == value] = rng.choice(np.flatnonzero(y != value), np.count_nonzero(y == value))
    gone |= gone[other]
    gone |= rng.random(gone.shape, dtype=np.float32) < _VALUES
    own = [np.array([name == family for name in families]) for family in sorted(set(families))]
    for family in own if len(own) > 1 else ():
        gone[np.ix_(rng.random(len(y)) < _ROWS, family)] = True
    # A column of one value would tell nothing but where it is missing.
    gone |= np.fmin.reduce(columns) == np.fmax.reduce(columns)
    columns[gone] = np.nan


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
    metadata = np.array([name.startswith(("meta__", "ctx__meta_")) for name in names])
    if metadata.all():
        return np.array([], dtype=np.intp)
    return np.flatnonzero(metadata & ~np.isnan(encoded).all(axis=0))
