"""Rows of a table that a network learned from, as far as the table knows."""

from __future__ import annotations

import pandas as pd

from hybridlesion._words import count_words
from hybridlesion.embedding.finetuning import leave_out_optimistic, optimistic_rows
from hybridlesion.exceptions import TableError
from hybridlesion.training._audit import Finding, Severity, names_of

__all__ = ["CNN_SEEN", "without_optimistic_scores"]

CNN_SEEN = ("blank", "drop", "keep")

_SCORE, _SEEN = "cnn__score", "qa__cnn_seen"
_OUT_OF_FOLD = 1.0


def without_optimistic_scores(
    table: pd.DataFrame, treatment: str
) -> tuple[pd.DataFrame, list[Finding]]:
    """Take care of scores that come from a network which learned from the row.

    Parameters
    ----------
    table : DataFrame of shape (n, columns)
        With ``image_id``, and ``cnn__score`` and ``qa__cnn_seen`` where a fine-tuned network
        measured it.
    treatment : {"blank", "drop", "keep"}
        Leave out the score, the row, or nothing.

    Returns
    -------
    table : DataFrame of shape (m, columns)
        The rows that stay.
    findings : list of Finding
        What was found, and what was done.

    Raises
    ------
    TableError
        If no row is left.

    Examples
    --------
    >>> columns = {"image_id": ["a", "b"], "cnn__score": [0.9, 0.2], "qa__cnn_seen": [2.0, 0.0]}
    >>> without_optimistic_scores(pd.DataFrame(columns), "drop")[0]["image_id"].tolist()
    ['b']
    """
    optimistic, findings = optimistic_rows(table), _find_unknown(table)
    n, ids = len(table), table["image_id"]
    if _SCORE in table and _SEEN in table and (table[_SEEN] == _OUT_OF_FOLD).any():
        rows = table[_SEEN] == _OUT_OF_FOLD
        words = (
            f"{count_words(int(rows.sum()), 'row')} of {n:,} were in the training of the CNN; "
            "their cnn__score is that of a network which did not see them"
        )
        findings.append(Finding("CNN overlap", Severity.NOTE, words))
    if not optimistic.any():
        return table, findings
    severity = Severity.WARN if treatment == "keep" else Severity.NOTE
    if treatment == "keep":
        done = "it was kept: the model trusts the CNN too much, and its measures are optimistic"
    elif treatment == "drop":
        done = "these rows were left out"
        table = table[~optimistic].reset_index(drop=True)
    else:
        done = "it was left out (--cnn-seen drop leaves out the rows)"
        table = leave_out_optimistic(table)
    found = f"{count_words(int(optimistic.sum()), 'row')} of {n:,} have a cnn__score of a network"
    words = f"{found} that learned from them; {done}"
    if table.empty:
        raise TableError(f"{words}. No row is left.")
    findings.append(Finding("CNN overlap", severity, words, rows=names_of(ids[optimistic])))
    return table, findings


def _find_unknown(table: pd.DataFrame) -> list[Finding]:
    """Name scores of networks of which nobody says what they learned from."""
    scores = [str(name) for name in table.columns if str(name).startswith("cnn__")]
    unknown = tuple(name for name in scores if name != _SCORE or _SEEN not in table)
    if not unknown:
        return []
    words = "nothing says which rows these scores' network learned from: they must be out of fold"
    return [Finding("CNN overlap", Severity.NOTE, words, unknown)]
