"""Rows of a table that a fine-tuned network learned from."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hybridlesion._words import count_words
from hybridlesion.exceptions import TableError

__all__ = ["CNN_SEEN", "without_optimistic_scores"]

CNN_SEEN = ("blank", "drop", "keep")

_SCORE, _SEEN = "cnn__score", "qa__cnn_seen"


def without_optimistic_scores(
    table: pd.DataFrame, treatment: str
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Take care of scores that come from a network which learned from the row.

    Parameters
    ----------
    table : DataFrame of shape (n, columns)
        With ``cnn__score`` and ``qa__cnn_seen`` where a fine-tuned network measured it.
    treatment : {"blank", "drop", "keep"}
        Leave out the score, the row, or nothing.

    Returns
    -------
    table : DataFrame of shape (m, columns)
        The rows that stay.
    notes : tuple of str
        What was found, and what was done.

    Raises
    ------
    TableError
        If no row is left.

    Examples
    --------
    >>> table = pd.DataFrame({"cnn__score": [0.9, 0.2], "qa__cnn_seen": [2.0, 0.0]})
    >>> without_optimistic_scores(table, "drop")[0]["cnn__score"].tolist()
    [0.2]
    """
    if _SEEN not in table or _SCORE not in table:
        return table, ()
    seen = table[_SEEN].to_numpy(float)
    out_of_fold, optimistic = seen == 1, seen == 2
    notes = []
    if out_of_fold.any():
        notes.append(
            f"{count_words(int(out_of_fold.sum()), 'row')} of {len(table):,} were in the training "
            "of the CNN; their cnn__score is that of a network which did not see them."
        )
    if not optimistic.any():
        return table, tuple(notes)
    found = f"{count_words(int(optimistic.sum()), 'row')} of {len(table):,}"
    if treatment == "keep":
        done = "It was kept: the model trusts the CNN too much, and its measures are optimistic"
    elif treatment == "drop":
        done = "These rows were left out"
        table = table[~optimistic].reset_index(drop=True)
    else:
        done = "It was left out (--cnn-seen drop leaves out the rows)"
        table = table.assign(**{_SCORE: table[_SCORE].where(~optimistic, np.nan)})
    notes.append(f"{found} have a cnn__score of a network that learned from them. {done}.")
    if table.empty:
        raise TableError(f"{notes[-1]} No row is left.")
    return table, tuple(notes)
