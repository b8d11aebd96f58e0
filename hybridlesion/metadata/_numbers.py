"""Columns of numbers as spreadsheets of several countries write them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np
import pandas as pd

from hybridlesion.metadata._layouts import FAMILIES, column_key
from hybridlesion.metadata._problems import describe_rows
from hybridlesion.metadata._vocabulary import MISSING_WORDS

__all__ = ["Numbers", "is_measurement", "read_numbers", "uses_decimal_comma"]

# Columns that hold numbers and nothing else; some of tbp_lv_* are words in every row.
_MEASUREMENTS = (*(f"{family}*" for family in FAMILIES), "tbp_lv_*", "clin_size_*")
_SCORES = ("score", "threshold")

# How tables of several languages write that a number is missing, in lower case without blanks.
_MISSING = MISSING_WORDS | {
    *("k.a.", "k.a", "ka", "keineangabe", "keineangaben", "unbekannt", "nichtbekannt", "fehlt"),
    *("n.b.", "n.b", "nb", "n.d.", "n.d", "nd", "n.a.", "n.a", "n.v.", "nv", "s/d", "s.d.", "sd"),
    *("sindato", "sindatos", "desconocido", "nodisponible", "noconsta", "nc", "n.c.", "inconnu"),
    *("nonrenseigné", "nondisponible", "sconosciuto", "nondisponibile", "desconhecido"),
    *("notavailable", "notapplicable", "notmeasured", "notdone", "notknown", "notspecified"),
    *("--", "---", ".", "..", "–", "—", "x", "xx", "#n/a", "#nv", "#nd", "#wert!", "#value!"),
    *("#div/0!", "#ref!", "#bezug!", "#name?", "#num!", "#zahl!", "#null!", "leer", "empty"),
}
_NUMBER = re.compile(r"(?P<body>[-+]?[\d.,]*\d[.,]?)(?P<exponent>e[-+]?\d+)?", re.IGNORECASE)
# Blanks and apostrophes between groups of digits: 1 234,5 and 1'234.5.
_GAPS = re.compile("(?<=\\d)[ \u00a0\u202f\u2009'\u2019](?=\\d{3}(?!\\d))")
_SHOWN = 20


@dataclass(frozen=True)
class Numbers:
    """A column read as numbers.

    Parameters
    ----------
    values : Series of shape (n,)
        Numbers; the column as it was if it holds words.
    notes : tuple of str, default=()
        Cells taken as missing or read in one of two ways, with their rows.
    faults : tuple of str, default=()
        Cells of a column of numbers that are none, with their rows.
    """

    values: pd.Series
    notes: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()


def is_measurement(column: object) -> bool:
    """Whether a column must hold numbers, by its name.

    Parameters
    ----------
    column : object
        Name of the column.

    Returns
    -------
    bool
        True for features, ISIC 2024 measurements and scores.

    Examples
    --------
    >>> is_measurement("tbp_lv_A"), is_measurement("score"), is_measurement("note")
    (True, True, False)
    """
    key = column_key(column)
    return key in _SCORES or any(fnmatchcase(key, name) for name in _MEASUREMENTS)


def uses_decimal_comma(columns: Iterable[pd.Series]) -> bool:
    """Whether any column of a table has numbers with a decimal comma.

    Parameters
    ----------
    columns : iterable of Series
        Columns of text.

    Returns
    -------
    bool
        Whether there is a number such as ``1,5`` or ``1.234,5``, and none such as ``1,234.5``.
    """
    marks = set()
    for column in columns:
        cells = [cell for cell in column.dropna().unique()[:1000] if isinstance(cell, str)]
        marks |= {mark for cell in cells for mark, sure in [_mark(_clean(cell))] if sure}
    return "," in marks


def read_numbers(column: pd.Series, rows: np.ndarray, *, decimal_comma: bool = False) -> Numbers:
    """Turn text into numbers where the column holds numbers.

    Parameters
    ----------
    column : Series of shape (n,)
        Cells as written.
    rows : ndarray of shape (n,)
        Row labels.
    decimal_comma : bool, default=False
        Whether other columns of the table have a decimal comma, which settles what 1.234 is where
        this column does not say.

    Returns
    -------
    Numbers
        The numbers, with notes and faults. A column without any number, or with words in a column
        that need not hold numbers, stays as it is.
    """
    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        return Numbers(column)
    codes, cells = pd.factorize(column.to_numpy(dtype=object, na_value=None))
    texts = [_clean(cell) for cell in cells]
    must = is_measurement(column.name)
    # The first hundred settle it for nearly every column of words.
    if not must and all(
        _mark_of(*pair)[0] is None for pair in zip(cells[:100], texts[:100], strict=True)
    ):
        return Numbers(column)
    marks = [_mark_of(*pair) for pair in zip(cells, texts, strict=True)]
    words = [
        code
        for code, (text, (mark, _)) in enumerate(zip(texts, marks, strict=True))
        if mark is None and text not in _MISSING
    ]
    if all(mark is None for mark, _ in marks) and (words or not must):
        return Numbers(column)
    if words:
        faults = [_fault(column, rows, codes, code, cells, "is no number") for code in words]
        return (
            Numbers(column, faults=tuple(_shortened(faults, column))) if must else Numbers(column)
        )
    decimal, doubtful = _decimal_mark(marks, decimal_comma)
    unsure = [code for code, (mark, sure) in enumerate(marks) if mark and not sure]
    if decimal is None:
        reason = "is one of two numbers, as its column has decimal points and decimal commas"
        faults = [_fault(column, rows, codes, code, cells, reason) for code in unsure]
        return (
            Numbers(column, faults=tuple(_shortened(faults, column))) if must else Numbers(column)
        )
    numbers = [
        np.nan if mark is None else _number(text, mark if sure and mark else decimal)
        for text, (mark, sure) in zip(texts, marks, strict=True)
    ]
    notes = [
        f"{describe_rows(rows[codes == code])}: {column.name} {str(cells[code])!r} taken as missing"
        for code, (mark, _) in enumerate(marks)
        if mark is None and texts[code]
    ]
    if doubtful:
        example = unsure[0]
        notes.append(
            f"{column.name}: {str(cells[example])!r} is read as {numbers[example]:g}, as its mark "
            f"is taken for {'a decimal mark' if marks[example][0] == decimal else 'thousands'}"
        )
    values = np.array([*numbers, np.nan])[codes]
    return Numbers(
        pd.Series(values, index=column.index, name=column.name), _shortened(notes, column)
    )


def _clean(cell: object) -> str:
    text = _GAPS.sub("", str(cell).strip()).replace("\u2212", "-").lower()
    return text if _NUMBER.fullmatch(text) else "".join(text.split())


def _mark_of(cell: object, text: str) -> tuple[str | None, bool]:
    # Numbers among the words of a sheet or a frame are numbers, whatever mark their text has.
    if isinstance(cell, (int, float)) and not isinstance(cell, bool):
        return ".", True
    return _mark(text)


def _mark(text: str) -> tuple[str | None, bool]:
    """Decimal mark of a number: "" for none, None for no number; and whether it is beyond doubt."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None, False
    body = match["body"].lstrip("+-")
    comma, point = body.count(","), body.count(".")
    if not comma and not point:
        return "", True
    if comma and point:
        decimal, group = (",", ".") if body.rfind(",") > body.rfind(".") else (".", ",")
        grouped = re.fullmatch(rf"\d{{1,3}}(\{group}\d{{3}})+\{decimal}\d*", body)
        return (decimal, True) if grouped else (None, False)
    mark = "," if comma else "."
    if max(comma, point) > 1:
        grouped = re.fullmatch(rf"\d{{1,3}}(\{mark}\d{{3}})+", body)
        return ("." if mark == "," else ",", True) if grouped else (None, False)
    doubtful = re.fullmatch(r"[1-9]\d{0,2}[.,]\d{3}", body) and not match["exponent"]
    return mark, not doubtful


def _decimal_mark(
    marks: list[tuple[str | None, bool]], decimal_comma: bool
) -> tuple[str | None, bool]:
    """Decide which mark is the decimal one in a column, and whether that is a guess."""
    sure = {mark for mark, beyond in marks if beyond and mark}
    unsure = {mark for mark, beyond in marks if mark and not beyond}
    if not unsure:
        return ".", False
    if len(sure) == 1:
        return next(iter(sure)), False
    if sure or len(unsure) == 2:
        return None, True
    return ("," if decimal_comma or unsure == {","} else "."), decimal_comma or unsure == {","}


def _number(text: str, decimal: str) -> float:
    other = "." if decimal == "," else ","
    return float(text.replace(other, "").replace(decimal, "."))


def _fault(
    column: pd.Series,
    rows: np.ndarray,
    codes: np.ndarray,
    code: int,
    cells: np.ndarray,
    reason: str,
) -> str:
    return (
        f"{describe_rows(rows[codes == code])}: {column.name} {str(cells[code])!r} {reason}. "
        "Correct the cell, or leave it blank."
    )


def _shortened(texts: list[str], column: pd.Series) -> tuple[str, ...]:
    if len(texts) <= _SHOWN:
        return tuple(texts)
    return (*texts[:_SHOWN], f"{column.name}: {len(texts) - _SHOWN:,} more values of that kind")
