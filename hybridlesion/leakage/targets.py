"""Columns that a model reads and that give the answer away."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import ndtri
from scipy.stats import rankdata

from hybridlesion.leakage.audit import Finding, Severity
from hybridlesion.metadata import is_acquisition, leak_reason

__all__ = [
    "Ranking",
    "find_answers",
    "find_idle",
    "find_named_leaks",
    "find_suspicious",
    "lower_bound",
    "rank_by_column",
]

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


# From this AUC on one column alone is the answer, or knows it.
_TOO_GOOD = 0.995
# It is looked at closely if it reaches so much on so many rows of each class.
_WORTH_A_LOOK, _GLANCE = 0.98, 1000
# Chance that noise would look like the answer, over all columns.
_BY_CHANCE = 1e-3
_FROM_PIXELS = ("abcd__", "emb__")
# From this AUC on one column of metadata alone is suspicious, and from the next on if it ranks so
# much better than the other columns; each unless chance may explain it.
_HIGH, _REMARKABLE, _MARGIN = 0.90, 0.80, 0.10
_AT_LEAST_HIGH, _AT_LEAST = 0.75, 0.70
_STANDARD = ("meta__age", "meta__sex_male", "meta__site_")
_ENOUGH_ROWS = 10_000


def find_answers(
    table: pd.DataFrame, y: np.ndarray, names: Sequence[str], groups: np.ndarray | None = None
) -> list[Finding]:
    """Find columns that alone rank the rows almost without a fault.

    Parameters
    ----------
    table : DataFrame of shape (n, columns)
        Training table.
    y : ndarray of shape (n,), 0 or 1
        Target.
    names : sequence of str
        Columns that the model reads.
    groups : ndarray of shape (n,), default=None
        Patient or lesion of each row, so that a code shared by its images alone is no answer; None
        takes each row as its own.

    Returns
    -------
    list of Finding
        To refuse where the column is metadata or a score of unknown origin; a warning where it was
        measured in the pixels, as can be with easy images.

    Notes
    -----
    A column is found if its AUC, turned round where below a half, is above 0.995 over the rows that
    have a value, or if to have a value says it; and only if so many rows could not be ranked so by
    chance by any of the columns: the number of ways to choose the positives, ``C(n, p)``, must
    exceed a thousand times the number of columns.
    """
    y, void, good = np.asarray(y) == 1, [], []
    sample = _sample(y)
    for name in names:
        measured = name.startswith(_FROM_PIXELS) or _is_unseen_score(table, name)
        column, codes = table[name], not measured
        some = None if groups is None else groups[sample]
        glance = rank_by_column(column.iloc[sample], y[sample], some, codes=codes)
        if not any(one.auc > _WORTH_A_LOOK for one in glance):
            continue
        if not any(
            one.auc > _TOO_GOOD and _cannot_be_chance(y[one.known], len(names))
            for one in rank_by_column(column, y, groups, codes=codes)
        ):
            continue
        (good if measured else void).append(name)
    findings = []
    if void:
        findings.append(
            Finding(
                "answer in disguise",
                Severity.REFUSE,
                f"{_columns(void, 'tell')} malignant from benign alone, with an AUC above "
                f"{_TOO_GOOD}: such values come from the diagnosis or from a model that saw these "
                "rows; leave them out",
                columns=tuple(void),
            )
        )
    if good:
        findings.append(
            Finding(
                "answer in disguise",
                Severity.WARN,
                f"{_columns(good, 'tell')} malignant from benign alone, with an AUC above "
                f"{_TOO_GOOD}; look whether both classes were photographed alike",
                columns=tuple(good),
            )
        )
    return findings


def find_suspicious(
    table: pd.DataFrame, y: np.ndarray, names: Sequence[str], groups: np.ndarray | None = None
) -> list[Finding]:
    """Find columns of metadata that alone rank the rows better than metadata do.

    Parameters
    ----------
    table : DataFrame of shape (n, columns)
        Training table.
    y : ndarray of shape (n,), 0 or 1
        Target.
    names : sequence of str
        Columns that the model reads; those of ``meta__`` are suspected, and what is measured in the
        pixels is what they are compared with.
    groups : ndarray of shape (n,), default=None
        Patient of each row; None takes each row as its own.

    Returns
    -------
    list of Finding
        Warnings: of columns by their values, and of columns by which rows have a value.

    Notes
    -----
    A column is named if its AUC is above 0.90 and, with 97.5 % confidence, above 0.75; or if it is
    above 0.80, above that of every other column by 0.10, and with confidence above them and 0.70.
    The others are age, sex, site, what was measured in the pixels, and what lies below 0.80. Both
    must exceed what the best of so many columns without meaning would reach. Columns that
    `find_answers` or `find_named_leaks` name are left to them.
    """
    y = np.asarray(y) == 1
    sample = _sample(y, _ENOUGH_ROWS)
    table, y = table.iloc[sample], y[sample]
    groups = None if groups is None else np.asarray(groups)[sample]
    suspected = [name for name in names if name.startswith("meta__")]
    measured = [name for name in names if name.startswith(("abcd__", "cnn__"))]
    rankings = _rank_all(table, y, suspected, groups)
    others = [one.auc for name, one in rankings if _is_standard(name, one)]
    others += [one.auc for name, one in rankings if one.auc <= _REMARKABLE]
    others += [one.auc for name in measured for one in rank_by_column(table[name], y, codes=False)]
    best = max(others, default=0.5)
    found: dict[bool, dict[str, float]] = {False: {}, True: {}}
    for name, one in rankings:
        if _is_suspicious(one, y, best, len(rankings), standard=_is_standard(name, one)):
            found[one.by_missing][name] = one.auc
    return [_warn(by_missing, aucs, best) for by_missing, aucs in found.items() if aucs]


def find_named_leaks(names: Sequence[str]) -> list[Finding]:
    """Find feature columns whose very name says that no model may see them.

    Parameters
    ----------
    names : sequence of str
        Columns that the model reads, such as ``meta__mel_thick_mm``; those of ``meta__`` and
        ``ctx__`` are looked at.

    Returns
    -------
    list of Finding
        To refuse what is known only with or after the diagnosis; a warning for acquisition facts.
    """
    bare = {name: name.split("__", 1)[1] for name in names if name.startswith(("meta__", "ctx__"))}
    leaks = [name for name in bare if leak_reason(bare[name]) is not None]
    facts = [name for name in leaks if is_acquisition(bare[name])]
    void = [name for name in leaks if name not in facts]
    findings = []
    if void:
        words = f"{_columns(void, 'hold')} what is known only with or after the diagnosis"
        findings.append(
            Finding("train-only column", Severity.REFUSE, f"{words}; leave out", tuple(void))
        )
    if facts:
        words = f"{_columns(facts, 'tell')} how or where an image was taken, not what it shows"
        findings.append(
            Finding("acquisition column", Severity.WARN, f"{words}; leave out", tuple(facts))
        )
    return findings


def find_idle(table: pd.DataFrame, names: Sequence[str]) -> list[Finding]:
    """Find feature columns with one value or none.

    Parameters
    ----------
    table : DataFrame of shape (n, columns)
        Training table.
    names : sequence of str
        Columns that the model reads.

    Returns
    -------
    list of Finding
        A note: such columns stay in the model, at weight 0.
    """
    idle = tuple(name for name in names if table[name].nunique(dropna=False) < 2)
    if not idle:
        return []
    words = f"{_columns(idle, 'hold')} the same in every row: kept, at weight 0"
    return [Finding("constant column", Severity.NOTE, words, idle)]


def _sample(y: np.ndarray, most: int = _GLANCE) -> np.ndarray:
    """Draw some rows of each class, so that a thousand columns are glanced at in no time."""
    rng = np.random.default_rng(0)
    classes = (np.flatnonzero(y == value) for value in (False, True))
    return np.sort(
        np.concatenate([rng.choice(rows, min(len(rows), most), False) for rows in classes])
    )


def _rank_all(
    table: pd.DataFrame, y: np.ndarray, names: Sequence[str], groups: np.ndarray | None
) -> list[tuple[str, Ranking]]:
    """Rank by each column in its best way; by missing values once where columns share them."""
    patterns, rankings = set(), []
    for name in names:
        found = rank_by_column(table[name], y, groups)
        values = [one for one in found if not one.by_missing]
        if values:
            rankings.append((name, max(values, key=lambda one: one.auc)))
        pattern = table[name].isna().to_numpy().tobytes()
        if pattern not in patterns:
            patterns.add(pattern)
            rankings += [(name, one) for one in found if one.by_missing]
    return rankings


def _is_standard(name: str, one: Ranking) -> bool:
    """Whether a ranking is by age, sex or site, which may well rank better than all else."""
    return name.startswith(_STANDARD) and not one.by_missing


def _is_suspicious(
    one: Ranking, y: np.ndarray, best: float, n_columns: int, *, standard: bool
) -> bool:
    positives = int(y[one.known].sum())
    negatives = int(one.known.sum()) - positives
    error = math.sqrt((positives + negatives + 1) / (12 * positives * negatives))
    if one.auc - 0.5 < error * -ndtri(_BY_CHANCE / n_columns):
        return False
    low = lower_bound(one.auc, positives, negatives)
    if one.auc > _HIGH and low > _AT_LEAST_HIGH:
        return True
    far = one.auc > max(_REMARKABLE, best + _MARGIN) and low > max(_AT_LEAST, best)
    return far and not standard


def _warn(by_missing: bool, aucs: dict[str, float], best: float) -> Finding:
    low, high = min(aucs.values()), max(aucs.values())
    reached = f"{high:.3f}" if len(aucs) == 1 else f"{low:.3f} to {high:.3f}"
    what = (
        f"whether {'a value is' if len(aucs) == 1 else 'values are'} known in {len(aucs):,} "
        f"column{'' if len(aucs) == 1 else 's'} tells"
        if by_missing
        else _columns(tuple(aucs), "tell")
    )
    return Finding(
        "suspicious column",
        Severity.WARN,
        f"{what} malignant from benign alone with an AUC of {reached}, where the best other column "
        f"reaches {best:.3f}; keep only what is known of every new lesion before its diagnosis",
        columns=tuple(aucs),
    )


def _cannot_be_chance(y: np.ndarray, n_columns: int) -> bool:
    n, p = len(y), int(y.sum())
    ways = math.lgamma(n + 1) - math.lgamma(p + 1) - math.lgamma(n - p + 1)
    return ways > math.log(n_columns / _BY_CHANCE)


def _is_unseen_score(table: pd.DataFrame, name: str) -> bool:
    """Whether a score is our own network's, of rows that it did not learn from."""
    return (
        name == "cnn__score" and "qa__cnn_seen" in table and bool((table["qa__cnn_seen"] < 2).all())
    )


def _columns(names: Sequence[str], verb: str) -> str:
    return f"1 column {verb}s" if len(names) == 1 else f"{len(names):,} columns {verb}"
