"""How well one column alone ranks the malignant lesions above the benign ones."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import ndtri
from scipy.stats import rankdata

__all__ = ["Ranking", "lower_bound", "rank_by_column"]

_FOLDS = 5
# Numbers with at most so many values are read as codes, too; others are cut into bins.
_CODES, _BINS = 50, 20
# Text is read as numbers or dates if at least this share of it can be.
_READABLE = 0.95


class Ranking(NamedTuple):
    """How a column ranks rows.

    Parameters
    ----------
    auc : float
        Area under the ROC curve in the better direction.
    known : ndarray of shape (n,), bool
        Rows that it is over.
    by_missing : bool
        Whether rows are ranked by having a value rather than by the value.
    """

    auc: float
    known: np.ndarray
    by_missing: bool


def rank_by_column(
    column: pd.Series, y: np.ndarray, groups: np.ndarray | None = None, *, codes: bool = True
) -> list[Ranking]:
    """Rank rows by one column alone.

    Parameters
    ----------
    column : Series of shape (n,)
        Numbers, booleans, dates or words.
    y : ndarray of shape (n,), 0 or 1
        Target.
    groups : ndarray of shape (n,), default=None
        Patient of each row; None takes each row as its own.
    codes : bool, default=True
        Whether numbers are also ranked as codes, in any order of their values.

    Returns
    -------
    list of Ranking
        By the order of the values, where there is one; by the share of malignant rows among the
        rows of other patients with the same value, for words and codes; and by whether there is a
        value, where some lack one.

    Examples
    --------
    >>> found = rank_by_column(pd.Series([1, 2, None]), [0, 1, 1], codes=False)
    >>> [(one.auc, int(one.known.sum()), one.by_missing) for one in found]
    [(1.0, 2, False), (0.75, 3, True)]
    """
    y, known = np.asarray(y) == 1, column.notna().to_numpy()
    found = []

    def add(values: np.ndarray, rows: np.ndarray, *, turn: bool, by_missing: bool = False) -> None:
        if 0 < y[rows].sum() < rows.sum():
            auc = _auc(values[rows], y[rows])
            found.append(Ranking(max(auc, 1 - auc) if turn else auc, rows, by_missing))

    numbers = _as_numbers(column)
    if numbers is not None:
        add(numbers, known, turn=True)
    if codes or numbers is None:
        # Shares out of fold have a direction: turned round, those of noise would rank.
        labels = _as_codes(column, numbers)
        add(_shares(labels, y, groups), known, turn=False)
    if not known.all():
        add(known.astype(float), np.ones(len(y), dtype=bool), turn=True, by_missing=True)
    return found


def lower_bound(auc: float, n_positive: int, n_negative: int, confidence: float = 0.975) -> float:
    """Bound an AUC from below.

    Parameters
    ----------
    auc : float
        Area under the ROC curve, 0.5 to 1.
    n_positive, n_negative : int
        Rows of each class, at least 1.
    confidence : float, default=0.975
        One-sided.

    Returns
    -------
    float
        Lowest AUC, from 0.5 on, that the one found does not contradict.

    Notes
    -----
    The standard error of Hanley and McNeil [1]_ at the bound rather than at the estimate, which is
    0 for an AUC of 1 [2]_.

    References
    ----------
    .. [1] J. A. Hanley, B. J. McNeil, "The meaning and use of the area under a receiver operating
       characteristic (ROC) curve", Radiology 143, 29-36, 1982.
    .. [2] R. G. Newcombe, "Confidence intervals for an effect size measure based on the
       Mann-Whitney statistic", Statistics in Medicine 25, 559-573, 2006.

    Examples
    --------
    >>> round(lower_bound(0.95, 5, 100), 2), round(lower_bound(0.95, 200, 2000), 2)
    (0.69, 0.92)
    """
    a = np.linspace(0.5, max(auc, 0.5), 501)
    one, two = a / (2 - a), 2 * a**2 / (1 + a)
    spread = a * (1 - a) + (n_positive - 1) * (one - a**2) + (n_negative - 1) * (two - a**2)
    error = np.sqrt(np.clip(spread, 0, None) / (n_positive * n_negative))
    return float(a[np.argmax(auc - a <= ndtri(confidence) * error)])


def _as_numbers(column: pd.Series) -> np.ndarray | None:
    """Read what has an order: numbers, dates, and text that holds either."""
    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        return pd.to_numeric(column).to_numpy(dtype=float, na_value=np.nan)
    known = column.notna()
    if isinstance(column.dtype, pd.CategoricalDtype) or not known.any():
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of dates whose order of day and month is not clear
        for read in (pd.to_numeric, _to_seconds):
            numbers = read(column.astype(object), errors="coerce")
            if numbers[known].notna().mean() >= _READABLE:
                return numbers.to_numpy(dtype=float, na_value=np.nan)
    return None


def _to_seconds(column: pd.Series, errors: str) -> pd.Series:
    dates = pd.to_datetime(column, errors=errors, format="mixed", utc=True)
    return (dates - pd.Timestamp(0, tz="UTC")).dt.total_seconds()


def _as_codes(column: pd.Series, numbers: np.ndarray | None) -> np.ndarray:
    if numbers is None:
        return pd.factorize(column.astype(object).map(str, na_action="ignore"))[0]
    codes, values = pd.factorize(numbers)
    if len(values) <= _CODES:
        return codes
    edges = np.nanquantile(numbers, np.linspace(0, 1, _BINS + 1)[1:-1])
    return np.where(np.isnan(numbers), -1, np.searchsorted(edges, numbers))


def _shares(codes: np.ndarray, y: np.ndarray, groups: np.ndarray | None) -> np.ndarray:
    """Share of malignant rows of each code in the other folds, drawn towards that of all rows."""
    groups = np.arange(len(y)) if groups is None else pd.factorize(np.asarray(groups))[0]
    dealt = np.random.default_rng(0).permutation(groups.max() + 1) % _FOLDS
    fold, shares, n_codes = dealt[groups], np.empty(len(y)), codes.max() + 2
    for held in range(_FOLDS):
        learned = fold != held
        n_rows = np.bincount(codes[learned] + 1, minlength=n_codes)
        n_positive = np.bincount(codes[learned] + 1, y[learned], n_codes)
        share = (n_positive + y.mean()) / (n_rows + 1)
        shares[~learned] = share[codes[~learned] + 1]
    return shares


def _auc(values: np.ndarray, y: np.ndarray) -> float:
    positives = y.sum()
    above = rankdata(values)[y].sum() - positives * (positives + 1) / 2
    return float(above / (positives * (len(y) - positives)))
