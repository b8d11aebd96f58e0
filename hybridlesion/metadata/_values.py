"""Cells as written -> values of the one vocabulary, with what could not be understood."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hybridlesion.metadata._problems import describe_rows
from hybridlesion.metadata._vocabulary import (
    AGE_LIMITS,
    DIAGNOSIS_WORDS,
    MISSING_WORDS,
    OUTCOME_WORDS,
    SEX_WORDS,
    SEXES,
    SITE_WORDS,
    SITES,
    TOP_AGE,
    UNDECIDED_WORDS,
)

__all__ = [
    "Normalised",
    "normalise",
    "normalise_age",
    "normalise_sex",
    "normalise_site",
    "parse_age",
    "parse_diagnosis",
    "parse_outcome",
    "parse_sex",
    "parse_site",
]

_NUMBERED = re.compile(r"^\d+\.\s*")
_SHOWN = 20


@dataclass(frozen=True)
class Normalised:
    """A column brought to the vocabulary.

    Parameters
    ----------
    values : Series of shape (n,)
        The values; missing where the cell is blank or was not understood.
    faults : tuple of str
        One line per cell value that was not understood: rows, value, what is allowed.
    notes : tuple of str, default=()
        What was understood in a way that the user should know of, such as the middle of a range.
    """

    values: pd.Series
    faults: tuple[str, ...]
    notes: tuple[str, ...] = ()


def normalise(
    column: pd.Series, parse: Callable[[str], float | str | None], rows: np.ndarray
) -> Normalised:
    """Bring a column to the vocabulary, parsing each distinct cell value once.

    Parameters
    ----------
    column : Series of shape (n,)
        Cells as written.
    parse : callable
        Takes a cell in lower case; returns its value, or None if it says that the value is
        missing; raises ValueError with what is allowed.
    rows : ndarray of shape (n,)
        Row labels, for the faults.

    Returns
    -------
    Normalised
        Values on the index of `column`, and faults in row order.
    """
    codes, cells = pd.factorize(column.to_numpy(dtype=object, na_value=None))
    parsed: list[object] = []
    faults = []
    for code, cell in enumerate(cells):
        value, reason = None, None
        try:
            value = parse(_clean(cell))
        except ValueError as error:
            reason = str(error)
        parsed.append(np.nan if value is None else value)
        if reason is not None:
            where = describe_rows(rows[codes == code]) if len(faults) < _SHOWN else ""
            faults.append(f"{where}: {column.name} {str(cell)!r} {reason}")
    if len(faults) > _SHOWN:
        faults[_SHOWN:] = [f"{column.name}: {len(faults) - _SHOWN:,} more values of that kind"]
    # The code of a blank cell is -1, the last place.
    values = np.array([*parsed, np.nan], dtype=object)[codes]
    return Normalised(pd.Series(values, index=column.index).infer_objects(), tuple(faults))


def normalise_age(column: pd.Series, rows: np.ndarray) -> Normalised:
    """Bring a column of ages to years up to 85, as `normalise` does."""
    return normalise(column, parse_age, rows)


def normalise_sex(column: pd.Series, rows: np.ndarray) -> Normalised:
    """Bring a column of sexes to the vocabulary, as `normalise` does."""
    return normalise(column, parse_sex, rows)


def normalise_site(column: pd.Series, rows: np.ndarray) -> Normalised:
    """Bring a column of body sites to the vocabulary, as `normalise` does."""
    return normalise(column, parse_site, rows)


def parse_age(cell: str) -> float | None:
    """Read an age in years.

    Parameters
    ----------
    cell : str
        For example ``"45"``, ``"45.0"``, ``"45,5"`` or ``"85+"``.

    Returns
    -------
    float or None
        The age, at most 85: the ISIC archive publishes older patients as 85.

    Raises
    ------
    ValueError
        If it is no number of years from 0 to 120.

    Examples
    --------
    >>> parse_age("90.0"), parse_age("unknown")
    (85.0, None)
    """
    if cell in MISSING_WORDS:
        return None
    low, high = AGE_LIMITS
    try:
        age = float(cell.removesuffix("+").replace(",", "."))
    except ValueError:
        raise ValueError("is no number of years") from None
    if not low <= age <= high:
        raise ValueError(f"lies outside {low:g} to {high:g} years")
    return min(age, TOP_AGE)


def parse_sex(cell: str) -> str | None:
    """Read a sex.

    Parameters
    ----------
    cell : str
        For example ``"male"`` or ``"f"``.

    Returns
    -------
    str or None
        ``"male"``, ``"female"`` or None.

    Raises
    ------
    ValueError
        If the word is unknown.
    """
    return _look_up(cell, SEX_WORDS, SEXES)


def parse_site(cell: str) -> str | None:
    """Read a body site.

    Parameters
    ----------
    cell : str
        For example ``"anterior torso"`` or ``"scalp"``.

    Returns
    -------
    str or None
        One of `SITES`, or None.

    Raises
    ------
    ValueError
        If the word is unknown.

    Examples
    --------
    >>> parse_site("posterior torso"), parse_site("upper_extremity")
    ('torso', 'upper extremity')
    """
    return _look_up(cell.replace("_", " "), SITE_WORDS, SITES)


def parse_diagnosis(cell: str) -> str | None:
    """Bring a diagnosis to the words of `DIAGNOSIS_WORDS`; others stay, in lower case.

    Parameters
    ----------
    cell : str
        For example ``"mel"``, ``"melanoma, nos"`` or ``"9. melanoma"``.

    Returns
    -------
    str or None
        The diagnosis without what follows a comma, or None.

    Examples
    --------
    >>> parse_diagnosis("nevus, nos, compound"), parse_diagnosis("mel"), parse_diagnosis("unknown")
    ('nevus', 'melanoma', None)
    """
    cell = _NUMBERED.sub("", cell)
    head = cell.split(",")[0].removesuffix(" nos").strip()
    if cell in MISSING_WORDS or not head:
        return None
    return DIAGNOSIS_WORDS.get(cell, DIAGNOSIS_WORDS.get(head, head))


def parse_outcome(cell: str) -> float | None:
    """Read whether a lesion is malignant.

    Parameters
    ----------
    cell : str
        For example ``"1"``, ``"0.0"``, ``"malignant"`` or ``"indeterminate"``.

    Returns
    -------
    float or None
        1.0 malignant, 0.0 benign, None undecided.

    Raises
    ------
    ValueError
        If it is none of them.
    """
    if cell in MISSING_WORDS or cell in UNDECIDED_WORDS:
        return None
    try:
        value = OUTCOME_WORDS[cell] if cell in OUTCOME_WORDS else float(cell)
    except ValueError:
        value = np.nan
    if value not in (0.0, 1.0):
        raise ValueError("is neither 0 or benign nor 1 or malignant")
    return value


def _look_up(cell: str, words: Mapping[str, str], allowed: tuple[str, ...]) -> str | None:
    if cell in MISSING_WORDS:
        return None
    if cell not in words:
        raise ValueError(f"is not among {', '.join(allowed)}")
    return words[cell]


def _clean(cell: object) -> str:
    return " ".join(str(cell).lower().split())
