"""Reasons as columns of a score table."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from hybridlesion._validation import as_pandas
from hybridlesion.features import FEATURES
from hybridlesion.reasons._explain import explain_scores
from hybridlesion.reasons._families import family_shares
from hybridlesion.reasons._words import reason_words
from hybridlesion.splits import grouping

__all__ = ["SHARE_PREFIX", "reason_columns"]

SHARE_PREFIX = "share_"

# What a report shows beside a score: the ABCD sheet, and what the subgroup audit asks for.
_SHOWN = (
    *(row.name for row in FEATURES if row.family == "score"),
    *("abcd__skin_ita", "qa__hair_share", "qa__dark_corner_share"),
)
# Rows taken apart at once: the parts of 400,000 lesions do not fit into memory together.
_CHUNK = 4096


def reason_columns(
    model: BaseEstimator, table: pd.DataFrame, *, n_reasons: int = 3
) -> pd.DataFrame:
    """Make the columns that ``hybridlesion score --explain`` adds.

    Parameters
    ----------
    model : Pipeline or HybridLesionClassifier
        Fitted model.
    table : DataFrame of shape (n, columns)
        Feature table with the columns of training, on an index without repeats.
    n_reasons : int, default=3
        Reasons a row, at least 1.

    Returns
    -------
    DataFrame of shape (n, columns)
        ``base`` and ``share_FAMILY`` (parts of a probability: they sum to the score), then
        ``reason_1`` and so on in words, and, where the table has them, the five ABCD scores, skin
        tone, hair and dark corner.
    """
    table = as_pandas(table)
    chunks = [_explain_chunk(model, table.iloc[rows], n_reasons) for rows in _cut(table)]
    return pd.concat(chunks).reindex(table.index)


def _cut(table: pd.DataFrame) -> list[np.ndarray]:
    """Cut a table into parts of some thousand rows that keep patients whole."""
    groups = grouping(table).to_numpy()
    order = np.argsort(groups, kind="stable")
    ends = np.flatnonzero(np.diff(groups[order])) + 1
    wanted = np.arange(_CHUNK, len(table), _CHUNK)
    places = np.searchsorted(ends, wanted)
    cuts = np.unique(ends[places[places < len(ends)]])
    return [np.sort(rows) for rows in np.split(order, cuts)]


def _explain_chunk(model: BaseEstimator, rows: pd.DataFrame, n_reasons: int) -> pd.DataFrame:
    parts = explain_scores(model, rows)
    shares = family_shares(parts).add_prefix(SHARE_PREFIX)
    words = reason_words(model, rows, parts, n_reasons=n_reasons)
    padded = [[*row, *[np.nan] * (n_reasons - len(row))] for row in words]
    reasons = pd.DataFrame(padded, index=rows.index, columns=range(n_reasons))
    reasons.columns = [f"reason_{number + 1}" for number in range(n_reasons)]
    shown = rows[[name for name in _SHOWN if name in rows]]
    return pd.concat([parts[["base"]], shares, reasons, shown], axis=1)
