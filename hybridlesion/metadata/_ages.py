"""An age as written -> years."""

from __future__ import annotations

import re

from hybridlesion.metadata._vocabulary import AGE_LIMITS, MISSING_WORDS, TOP_AGE
from hybridlesion.metadata._word_search import fold

__all__ = ["is_approximate_age", "parse_age"]

_NUMBER = r"(\d+(?:[.,]\d+)?)"
# Years in one unit, by how the unit begins.
_UNITS = {"y": 1.0, "j": 1.0, "a": 1.0, "m": 1 / 12, "w": 7 / 365.25, "s": 7 / 365.25}
_UNITS |= {"d": 1 / 365.25, "t": 1 / 365.25}
_UNIT = (
    r"(?:[\s-]*(y|yo|y/o|y\.o|yrs?|years?|j|jahre?|jr|a|anos?|ans?|anni|anno|jaar|m|mo|mos|months?"
    r"|monate?|meses|mes|mois|mesi|w|wks?|weeks?|wochen?|semanas?|d|days?|tage?)\.?"
    r"(?:[\s-]*(?:old|alt))?)?"
)
_ONE = _NUMBER + _UNIT
_EXACT = re.compile(_ONE)
_RANGE = re.compile(
    rf"(?:(?:between|zwischen|entre|tra|tussen)\s+)?{_ONE}\s*(?:-|to|bis|a|until|through|und|and|y|et|e|en|hasta|ate|tot)\s*{_ONE}"
    rf"|[\[(]\s*{_ONE}\s*[,;-]\s*{_ONE}\s*[\])]"
)
_BELOW = "under|below|up to|at most|younger than|less than|unter|bis|menos de|menor de|moins de"
_ABOVE = "over|above|at least|from|older than|more than|uber|ueber|ab|mas de|mayor de|plus de"
_BOUND = re.compile(rf"(?:[<>≤≥]\s*=?|=\s*[<>]|{_BELOW}|{_ABOVE}|oltre|meno di|mais de)\s*{_ONE}")
_OPEN = re.compile(rf"{_ONE}\s*(?:plus|(?:and|or|und|oder|u\.?|y|o|et|ou|e)\s+\w+)")
_OPEN_PLUS = re.compile(rf"{_NUMBER}\s*\+{_UNIT}")
_ABOUT = re.compile(rf"(?:~|≈|ca\.?|circa|about|approx\.?|approximately|around|etwa|c\.)\s*{_ONE}")
_DECADE = re.compile(r"(\d0)\s*(?:'?s|er)")
_DASHES = dict.fromkeys(
    map(ord, "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d"), "-"
)


def parse_age(cell: str) -> float | None:
    """Read an age in years.

    Parameters
    ----------
    cell : str
        For example ``"45"``, ``"45,5"``, ``"85+"``, ``"45-50"``, ``"<20"``, ``"45 y"`` or
        ``"6 months"``.

    Returns
    -------
    float or None
        The age, at most 85: the ISIC archive publishes older patients as 85. Of a range the
        middle, of an open one its bound.

    Raises
    ------
    ValueError
        If it is no number of years from 0 to 120.

    Examples
    --------
    >>> parse_age("90.0"), parse_age("45-50"), parse_age("<20"), parse_age("unknown")
    (85.0, 47.5, 20.0, None)
    """
    if cell in MISSING_WORDS:
        return None
    text = _plain(cell)
    try:
        ages = [float(text)]
    except ValueError:
        ages = _read_text(text)
    low, high = AGE_LIMITS
    if not all(low <= age <= high for age in ages):
        raise ValueError(f"lies outside {low:g} to {high:g} years")
    if ages != sorted(ages):
        raise ValueError("is a range whose end lies before its start")
    return min(sum(ages) / len(ages), TOP_AGE)


def is_approximate_age(cell: str) -> bool:
    """Tell whether an age is a range, a bound or a rough one, rather than a number.

    Parameters
    ----------
    cell : str
        A cell that `parse_age` reads.

    Returns
    -------
    bool
        Whether it is; not for ``"85+"``, which is how tables write the highest age there is.

    Examples
    --------
    >>> is_approximate_age("45-50"), is_approximate_age("45 years"), is_approximate_age("85+")
    (True, False, False)
    """
    text = _plain(cell)
    if cell in MISSING_WORDS or _EXACT.fullmatch(text) or text == f"{TOP_AGE:g}+":
        return False
    try:
        float(text)
    except ValueError:
        return True
    return False


def _plain(cell: str) -> str:
    return fold(cell.translate(_DASHES)).replace("years of age", "years").strip()


def _read_text(text: str) -> list[float]:
    """Read the ends of a range, or the one number there is."""
    if found := _RANGE.fullmatch(text):
        low, unit, high, other = found.groups()[:4] if found[1] else found.groups()[4:]
        return [_years(low, unit or other), _years(high, other or unit)]
    if found := _DECADE.fullmatch(text):
        return [float(found[1]), float(found[1]) + 10]
    for pattern in (_EXACT, _BOUND, _OPEN, _OPEN_PLUS, _ABOUT):
        if found := pattern.fullmatch(text):
            return [_years(*found.groups())]
    raise ValueError("is no number of years")


def _years(number: str, unit: str | None) -> float:
    return float(number.replace(",", ".")) * _UNITS[(unit or "y")[0]]
