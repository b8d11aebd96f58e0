"""Which diagnoses records have, how often, and on which side they count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from hybridlesion._words import count_words
from hybridlesion.exceptions import TableError
from hybridlesion.metadata._diagnosis import read_diagnosis
from hybridlesion.metadata._problems import shorten

__all__ = ["COLUMNS", "count_diagnoses", "list_diagnoses", "list_untargeted", "refuse_unknown"]

COLUMNS = ("diagnosis", "side", "n_rows", "words")
_SIDES = {1.0: "malignant", 0.0: "benign"}
_QUOTES = " Quote words that hold a comma, as in --benign 'other,\"wen, left\"'."
_ORDER = ("malignant", "benign", "undecided", "unknown", "")


def count_diagnoses(
    frame: pd.DataFrame, words: Mapping[str, Sequence[str]] | pd.DataFrame
) -> pd.DataFrame:
    """Count the diagnoses of records by the side on which they count.

    Parameters
    ----------
    frame : DataFrame of shape (n, columns)
        Records.
    words : mapping of str to sequence of str, or DataFrame
        Diagnosis -> how the tables write it; or an earlier count, which knows that.

    Returns
    -------
    DataFrame of shape (m, 4)
        ``diagnosis`` in our words, "" where a record has none; ``side``: malignant, benign,
        undecided (known, but neither), unknown (no known diagnosis), or "" if the records have no
        target; ``n_rows``; ``words`` as written, a tuple. Empty if the records have no diagnoses.
    """
    if "diagnosis" not in frame:
        return pd.DataFrame(columns=list(COLUMNS))
    if isinstance(words, pd.DataFrame):
        words = dict(zip(words["diagnosis"], words["words"], strict=True))
    diagnosis = frame["diagnosis"].astype(object).where(frame["diagnosis"].notna(), "")
    side = pd.Series("", frame.index)
    if "target" in frame:
        known = {word: read_diagnosis(word).understood for word in diagnosis.unique()}
        open_side = diagnosis.map(known).map({True: "undecided", False: "unknown"})
        side = frame["target"].map(_SIDES).astype(object).fillna(open_side)
    counts = pd.DataFrame({"diagnosis": diagnosis, "side": side}).value_counts().reset_index()
    counts = counts.rename(columns={"count": "n_rows"})
    counts["words"] = [tuple(words.get(name, ())) for name in counts["diagnosis"]]
    return counts.sort_values(
        "side", key=lambda sides: sides.map(_ORDER.index), kind="stable", ignore_index=True
    )


def list_diagnoses(diagnosis: pd.Series, words: Mapping[str, Sequence[str]] | None = None) -> str:
    """Write diagnoses with their counts, the most frequent first.

    Parameters
    ----------
    diagnosis : Series of shape (n,)
        Diagnoses.
    words : mapping of str to sequence of str, default=None
        Diagnosis -> how the tables write it, where that is to be written, too.

    Returns
    -------
    str
        For example ``"nevus (30 rows), melanoma (1 row)"``.

    Examples
    --------
    >>> list_diagnoses(pd.Series(["nevus", "melanoma", "nevus", None]))
    'nevus (2 rows), melanoma (1 row)'
    """
    parts = []
    for name, n in diagnosis.value_counts().items():
        written = [word for word in (words or {}).get(name, ()) if word.lower() != name]
        also = f", written {shorten(written)}" if written else ""
        shown = f'"{name}"' if "," in name else name
        parts.append(f"{shown} ({count_words(n, 'row')}{also})")
    return shorten(parts)


def list_untargeted(frame: pd.DataFrame, *, understood: bool) -> str:
    """Write the diagnoses that leave the target missing, with their counts.

    Parameters
    ----------
    frame : DataFrame of shape (n, columns)
        Records.
    understood : bool
        True for those that are known, but in doubt or stated as indeterminate; False for words
        that are no known diagnosis.

    Returns
    -------
    str
        As `list_diagnoses` writes them; empty if there are none.
    """
    if not {"diagnosis", "target"} <= set(frame.columns):
        return ""
    diagnosis = frame.loc[frame["target"].isna(), "diagnosis"].dropna()
    known = diagnosis.map(lambda word: read_diagnosis(word).understood).astype(bool)
    return list_diagnoses(diagnosis[known == understood])


def refuse_unknown(frame: pd.DataFrame) -> None:
    """Refuse records whose target is missing because their diagnosis is not known.

    Parameters
    ----------
    frame : DataFrame of shape (n, columns)
        Records.

    Raises
    ------
    TableError
        If there are such records; the diagnoses are listed with their counts.
    """
    unknown = list_untargeted(frame, understood=False)
    if unknown:
        raise TableError(
            f"these diagnoses are not known: {unknown}. None of them is taken as benign. Name each "
            "as benign (--benign) or, with all others that are, as malignant (--malignant); or "
            "clear the cells, and the rows are left out." + _QUOTES * ('"' in unknown)
        )
