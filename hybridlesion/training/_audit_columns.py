"""Columns that a model reads and that give the answer away."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.special import ndtri

from hybridlesion.metadata import is_acquisition, leak_reason
from hybridlesion.training._audit import Finding, Severity
from hybridlesion.training._single_column import Ranking, lower_bound, rank_by_column

__all__ = ["find_answers", "find_idle", "find_named_leaks", "find_suspicious"]

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
