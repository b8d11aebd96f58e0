"""Scores of networks that learned from the very row, which no model should learn to trust."""

from __future__ import annotations

import numpy as np
import pandas as pd

__all__ = ["leave_out_optimistic", "optimistic_rows"]

_SCORE, _SEEN = "cnn__score", "qa__cnn_seen"
_OPTIMISTIC = 2.0


def optimistic_rows(table: pd.DataFrame) -> np.ndarray:
    """Find rows whose ``cnn__score`` comes from a network that learned from them.

    Parameters
    ----------
    table : DataFrame of shape (n, columns)
        Feature table; without ``cnn__score`` and ``qa__cnn_seen`` there are no such rows.

    Returns
    -------
    ndarray of shape (n,), bool
        True where ``qa__cnn_seen`` is 2 (see `LesionScorer`) and there is a score.

    Examples
    --------
    >>> table = pd.DataFrame({"cnn__score": [0.9, 0.2], "qa__cnn_seen": [2.0, 1.0]})
    >>> optimistic_rows(table).tolist()
    [True, False]
    """
    if _SCORE not in table or _SEEN not in table:
        return np.zeros(len(table), dtype=bool)
    return ((table[_SEEN] == _OPTIMISTIC) & table[_SCORE].notna()).to_numpy(dtype=bool)


def leave_out_optimistic(table: pd.DataFrame) -> pd.DataFrame:
    """Put NaN in the place of such scores; a model would come to trust them too much.

    Parameters
    ----------
    table : DataFrame of shape (n, columns)
        Feature table.

    Returns
    -------
    DataFrame of shape (n, columns)
        The table, or a copy with fewer scores.

    Examples
    --------
    >>> table = pd.DataFrame({"cnn__score": [0.9, 0.2], "qa__cnn_seen": [2.0, 1.0]})
    >>> leave_out_optimistic(table)["cnn__score"].tolist()
    [nan, 0.2]
    """
    optimistic = optimistic_rows(table)
    if not optimistic.any():
        return table
    return table.assign(**{_SCORE: table[_SCORE].where(~optimistic)})
