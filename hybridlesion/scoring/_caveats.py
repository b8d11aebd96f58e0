"""What weakens the scores of a table: a CNN that knows the images, patients without company."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from sklearn.base import BaseEstimator

from hybridlesion._words import count_words

__all__ = ["note_caveats", "uses_context"]

_SEEN = "qa__cnn_seen"
_OUT_OF_FOLD, _OPTIMISTIC = 1, 2


def uses_context(classifier: BaseEstimator) -> bool:
    """Whether a classifier compares each lesion with the patient's others.

    Parameters
    ----------
    classifier : estimator
        Fitted classifier.

    Returns
    -------
    bool
        True if it computes or reads ``ctx__`` columns.
    """
    encoder = getattr(classifier, "encoder_", None)
    names = [] if encoder is None else encoder.names_
    return any(str(name).startswith("ctx__") for name in names)


def note_caveats(
    names: Sequence[str], table: pd.DataFrame, *, context: bool = False
) -> tuple[str, ...]:
    """Say how many scores rest on less than they seem to.

    Parameters
    ----------
    names : sequence of str
        Columns that the model uses.
    table : DataFrame of shape (n, columns)
        Measured rows that are to be scored.
    context : bool, default=False
        Whether the model compares each lesion with the patient's others.

    Returns
    -------
    tuple of str
        One note for each thing found.

    Examples
    --------
    >>> table = pd.DataFrame({"qa__cnn_seen": [0.0, 1.0, 2.0]})
    >>> note_caveats(["cnn__score"], table)[1]
    'the CNN learned from 1 image of 3 and has no score without it; its score is optimistic.'
    """
    return (*_note_cnn(names, table), *(_note_context(table) if context else ()))


def _note_cnn(names: Sequence[str], table: pd.DataFrame) -> list[str]:
    if _SEEN not in table or not any(name.startswith("cnn__") for name in names):
        return []
    notes, seen = [], table[_SEEN].to_numpy(float)
    out_of_fold, optimistic = int((seen == _OUT_OF_FOLD).sum()), int((seen == _OPTIMISTIC).sum())
    if out_of_fold:
        notes.append(
            f"the CNN learned from {count_words(out_of_fold, 'image')} of {len(table):,}; their "
            "CNN score is that of a network which did not see them."
        )
    if optimistic:
        whose = "its score is" if optimistic == 1 else "their scores are"
        notes.append(
            f"the CNN learned from {count_words(optimistic, 'image')} of {len(table):,} and has no "
            f"score without {'it' if optimistic == 1 else 'them'}; {whose} optimistic."
        )
    return notes


def _note_context(table: pd.DataFrame) -> list[str]:
    alone = len(table)
    if "patient_id" in table:
        alone -= int(table["patient_id"].dropna().duplicated(keep=False).sum())
    if not alone:
        return []
    return [
        f"the model compares a lesion with the patient's others; {alone:,} of {len(table):,} "
        "images have none here, or no patient_id."
    ]
