"""Columns that a model reads and that give the answer away."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from hybridlesion.metadata import is_acquisition, leak_reason
from hybridlesion.training._audit import Finding, Severity

__all__ = ["find_answers", "find_idle", "find_named_leaks", "single_auc"]

# From this AUC on one column alone is the answer, or knows it.
_TOO_GOOD = 0.995
# It is looked at closely if it reaches so much on so many rows of each class.
_WORTH_A_LOOK, _GLANCE = 0.98, 1000
# A column of words is looked at if it has at most so many.
_MOST_WORDS = 10
# Chance that noise would look like the answer, over all columns.
_BY_CHANCE = 1e-3
_FROM_PIXELS = ("abcd__", "emb__")


def find_answers(table: pd.DataFrame, y: np.ndarray, names: Sequence[str]) -> list[Finding]:
    """Find columns that alone rank the rows almost without a fault.

    Parameters
    ----------
    table : DataFrame of shape (n, columns)
        Training table.
    y : ndarray of shape (n,), 0 or 1
        Target.
    names : sequence of str
        Columns that the model reads.

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
        glance = single_auc(table[name].iloc[sample], y[sample])
        if not any(max(auc, 1 - auc) > _WORTH_A_LOOK for auc, _ in glance):
            continue
        if not any(
            max(auc, 1 - auc) > _TOO_GOOD and _cannot_be_chance(y[known], len(names))
            for auc, known in single_auc(table[name], y)
        ):
            continue
        measured = name.startswith(_FROM_PIXELS) or _is_unseen_score(table, name)
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


def single_auc(column: pd.Series, y: np.ndarray) -> list[tuple[float, np.ndarray]]:
    """Rank rows by one column alone.

    Parameters
    ----------
    column : Series of shape (n,)
        Numbers, or words: these count as the share of positives among the rows of their word.
    y : ndarray of shape (n,), 0 or 1
        Target.

    Returns
    -------
    list of (float, ndarray of shape (n,), bool)
        AUC and the rows it is over: by the values, where they differ, and by whether there is a
        value, where some lack one.

    Examples
    --------
    >>> [(auc, int(known.sum())) for auc, known in single_auc(pd.Series([1, 2, None]), [0, 1, 1])]
    [(1.0, 2), (0.25, 3)]
    """
    y, known = np.asarray(y) == 1, column.notna().to_numpy()
    values = [] if known.all() else [(known.astype(float), np.ones(len(y), dtype=bool))]
    numbers = _as_numbers(column, y)
    if numbers is not None:
        values.insert(0, (numbers, known))
    return [
        (_auc(numbers[rows], y[rows]), rows)
        for numbers, rows in values
        if 0 < y[rows].sum() < rows.sum()
    ]


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


def _as_numbers(column: pd.Series, y: np.ndarray) -> np.ndarray | None:
    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        return pd.to_numeric(column).to_numpy(dtype=float, na_value=np.nan)
    words = column.astype(object).map(str, na_action="ignore")
    if not 2 <= words.nunique() <= _MOST_WORDS:
        return None
    return words.map(pd.Series(y, index=words.index).groupby(words).mean()).to_numpy(dtype=float)


def _auc(values: np.ndarray, y: np.ndarray) -> float:
    positives = y.sum()
    above = rankdata(values)[y].sum() - positives * (positives + 1) / 2
    return float(above / (positives * (len(y) - positives)))


def _sample(y: np.ndarray) -> np.ndarray:
    """Draw some rows of each class, so that a thousand columns are glanced at in no time."""
    rng = np.random.default_rng(0)
    classes = (np.flatnonzero(y == value) for value in (False, True))
    return np.sort(
        np.concatenate([rng.choice(rows, min(len(rows), _GLANCE), False) for rows in classes])
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
