"""Normalisation of ages, sexes and sites to one vocabulary."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum

import numpy as np
import pandas as pd

from hybridlesion._formatting import count_words
from hybridlesion.metadata._diagnosis import WordSearch, clean, fold, split_words, to_float
from hybridlesion.metadata._reading import MOST_FAULTS, ParsedColumn, describe_rows, shorten_faults
from hybridlesion.metadata._vocabulary import GROUPS, MISSING_WORDS, WORDS, Role, invert


class Sex(StrEnum):
    """Sex of a patient."""

    MALE = "male"
    FEMALE = "female"


class Site(StrEnum):
    """Body site of a lesion: the six sites of the ISIC 2020 table."""

    HEAD_NECK = "head/neck"
    TORSO = "torso"
    UPPER_EXTREMITY = "upper extremity"
    LOWER_EXTREMITY = "lower extremity"
    PALMS_SOLES = "palms/soles"
    ORAL_GENITAL = "oral/genital"


SEXES: tuple[str, ...] = tuple(sex.value for sex in Sex)
SITES: tuple[str, ...] = tuple(site.value for site in Site)

# A name is also a word for itself.
SITE_WORDS = invert({name: (name, *words) for name, words in GROUPS["site"].items()})
_SEX_WORDS = invert({name: (name, *words) for name, words in GROUPS["sex"].items()})
# The meaning of a letter depends on the other letters in its column: M is male with F or W, and
# female (mujer) with H. Other pairs are ambiguous: V and M are varon and mujer in Spanish, but
# vrouw and man in Dutch. Each pair is male and female.
_LETTER_PAIRS = ("mf", "mw", "hm", "hf", "vh", "vf", "ud", "mk", "ek", "mz", "мж")
_LONE_LETTERS = {"m": Sex.MALE, "f": Sex.FEMALE, "w": Sex.FEMALE}
# Initials implied by Spanish words: together with H, M stands for mujer.
_SPANISH = {"hombre": "h", "varon": "h", "mujer": "hf", "hembra": "hf"}

# The ISIC archive publishes every age above 85 as 85, so ages in all tables are capped at 85.
_TOP_AGE = 85.0
_HIGHEST_AGE = 120
_NUMBER = r"(\d+(?:[.,]\d+)?)"
# Years per unit, by the first letter of the unit.
_UNITS = {"y": 1.0, "j": 1.0, "a": 1.0, "m": 1 / 12, "w": 7 / 365.25, "s": 7 / 365.25}
_UNITS |= {"d": 1 / 365.25, "t": 1 / 365.25}
# Largest age with a letter that may also be a sex: men and women, Maenner and Weiber.
_LARGEST = {"m": 24.0, "w": 24.0}
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
_DASH = re.compile("[\u2010-\u2015\u2212\ufe58\ufe63\uff0d]")


def _parse_age(cell: str) -> float | None:
    """Read an age in years.

    Parameters
    ----------
    cell : str
        For example ``"45"``, ``"45,5"``, ``"85+"``, ``"45-50"``, ``"<20"``, ``"45 y"`` or
        ``"6 months"``.

    Returns
    -------
    float or None
        The age, at most 85, since the ISIC archive gives the age of older patients as 85. A range
        is read as its middle, an open range as its bound.

    Raises
    ------
    ValueError
        If it is not an age from 0 to 120 years.

    Examples
    --------
    >>> _parse_age("90.0"), _parse_age("45-50"), _parse_age("<20"), _parse_age("unknown")
    (85.0, 47.5, 20.0, None)
    """
    if cell in MISSING_WORDS:
        return None
    text = _plain(cell)
    number = to_float(text)
    ages = _read_text(text) if number is None else [number]
    if not all(0 <= age <= _HIGHEST_AGE for age in ages):
        raise ValueError(f"lies outside 0 to {_HIGHEST_AGE} years")
    if ages != sorted(ages):
        raise ValueError("is a range whose end lies before its start")
    return min(sum(ages) / len(ages), _TOP_AGE)


def _is_approximate_age(cell: str) -> bool:
    """Whether an age is a range, a bound or approximate, rather than a number.

    Parameters
    ----------
    cell : str
        A cell in which `_parse_age` finds an age.

    Returns
    -------
    bool
        True if it is; False for ``"85+"``, which is how tables write the highest age.

    Examples
    --------
    >>> _is_approximate_age("45-50"), _is_approximate_age("45 years"), _is_approximate_age("85+")
    (True, False, False)
    """
    text = _plain(cell)
    return not (text == f"{_TOP_AGE:g}+" or _EXACT.fullmatch(text) or to_float(text) is not None)


def _plain(cell: str) -> str:
    return fold(_DASH.sub("-", cell)).replace("years of age", "years").strip()


def _read_text(text: str) -> list[float]:
    """Read both ends of a range, or a single number."""
    if found := _RANGE.fullmatch(text):
        low, unit, high, other = found.groups()[:4] if found[1] else found.groups()[4:]
        return [_years(low, unit or other), _years(high, other or unit)]
    if found := _DECADE.fullmatch(text):
        return [float(found[1]), float(found[1]) + 10]
    for pattern in (_EXACT, _BOUND, _OPEN, _OPEN_PLUS, _ABOUT):
        if found := pattern.fullmatch(text):
            return [_years(*found.groups())]
    raise ValueError("is not a number of years")


def _years(number: str, unit: str | None) -> float:
    age = float(number.replace(",", "."))
    if unit in _LARGEST and age > _LARGEST[unit]:
        word = {"m": "months", "w": "weeks"}[unit]
        raise ValueError(f"may mean {word}, or the sex; write {number}, or {number} {word}")
    return age * _UNITS[(unit or "y")[0]]


def _drop_details(words: list[str]) -> list[str]:
    return [word for word in words if word not in WORDS["site_details"]]


_SITE_TOKENS = {" ".join(split_words(word)): site for word, site in SITE_WORDS.items()}
_SITE_SEARCH = WordSearch(
    {
        site: filter(None, [" ".join(_drop_details(split_words(word))) for word in (site, *words)])
        for site, words in GROUPS["site"].items()
    }
)
_SITE_PARTS = frozenset(part for word in SITE_WORDS for part in split_words(word))


def normalise(
    column: pd.Series, parse: Callable[[str], float | str | None], rows: np.ndarray
) -> ParsedColumn:
    """Parse a column, evaluating each distinct cell value once.

    Parameters
    ----------
    column : Series of shape (n,)
        Cells as written.
    parse : callable
        Takes a cell in lower case and returns its value, or None if it stands for a missing value;
        raises a ValueError that says what is allowed.
    rows : ndarray of shape (n,)
        Row labels, for the faults.

    Returns
    -------
    ParsedColumn
        Values with the index of `column`, and faults in row order.
    """
    codes, cells = pd.factorize(column.to_numpy(dtype=object, na_value=None))
    # The code of a blank cell is -1, which selects the last value.
    parsed = np.full(len(cells) + 1, np.nan, dtype=object)
    faults = []
    for code, cell in enumerate(cells):
        try:
            value = parse(clean(cell))
            parsed[code] = np.nan if value is None else value
        except ValueError as error:
            where = describe_rows(rows[codes == code]) if len(faults) < MOST_FAULTS else ""
            faults.append(f"{where}: {column.name} {str(cell)!r} {error}")
    values = pd.Series(parsed[codes], index=column.index).infer_objects()
    return ParsedColumn(values, shorten_faults(faults, column.name))


def _normalise_age(column: pd.Series, rows: np.ndarray) -> ParsedColumn:
    """Parse a column of ages in years, capped at 85.

    Parameters
    ----------
    column : Series of shape (n,)
        Cells as written; see `_parse_age`.
    rows : ndarray of shape (n,)
        Row labels, for the faults.

    Returns
    -------
    ParsedColumn
        Ages; a note counts the ranges and bounds.
    """
    ages = normalise(column, _parse_age, rows)
    known = column[ages.values.notna()]
    # Each distinct cell is checked once: a table of 400,000 rows has about a hundred ages.
    cells = [cell for cell in known.unique() if _is_approximate_age(clean(cell))]
    rough = known[known.isin(cells)].map(clean)
    if rough.empty:
        return ages
    cells = f"{count_words(len(rough), 'cell')} without a single age, such as {rough.iloc[0]!r}"
    note = "a range counts as its midpoint, an open one as its bound."
    return replace(ages, notes=(f"{column.name}: {cells}; {note}",))


def _normalise_sex(column: pd.Series, rows: np.ndarray) -> ParsedColumn:
    """Parse a column of sexes.

    Parameters
    ----------
    column : Series of shape (n,)
        Cells as written: words in several languages, or initials, which are read in pairs: M is
        male with F or W, but female with H (hombre and mujer).
    rows : ndarray of shape (n,)
        Row labels, for the faults.

    Returns
    -------
    ParsedColumn
        Sexes; a note reports an M without a counterpart.

    Notes
    -----
    Numbers are not guessed: which of 0, 1 and 2 is male differs from table to table.
    """
    cells = {fold(clean(cell)).rstrip(".") for cell in column.dropna().unique()}
    letters = _read_letters(cells)
    known = {**letters, **_SEX_WORDS}

    def parse(cell: str) -> str | None:
        word = fold(cell).rstrip(".")
        if cell in MISSING_WORDS or word in MISSING_WORDS:
            return None
        if word in known:
            return str(known[word])
        if word.replace(".", "", 1).isdigit():
            raise ValueError("is a number, and its meaning is not guessed: write male or female")
        if word in {*"".join(_LETTER_PAIRS)}:
            others = ", ".join(sorted(cell.upper() for cell in cells if len(cell) == 1))
            raise ValueError(f"may be male or female in a column of {others}: write the words")
        raise ValueError(f"is not among {', '.join(SEXES)}")

    sexes = normalise(column, parse, rows)
    if letters.keys() == {"m"} and not cells & _SEX_WORDS.keys():
        note = f"{column.name}: the only letter is M; it was read as male."
        return replace(sexes, notes=(note,))
    return sexes


def _read_letters(cells: set[str]) -> dict[str, Sex]:
    """Interpret initials jointly, leaving out letters that may mean either sex."""
    found = cells & set("".join(_LETTER_PAIRS))
    found |= {letter for word, implied in _SPANISH.items() if word in cells for letter in implied}
    pairs = [pair for pair in _LETTER_PAIRS if found.issuperset(pair)]
    if not pairs:
        return {letter: sex for letter, sex in _LONE_LETTERS.items() if found == {letter}}
    males, females = map(set, zip(*pairs, strict=True))
    return {letter: Sex.MALE if letter in males else Sex.FEMALE for letter in males ^ females}


def normalise_site(column: pd.Series, rows: np.ndarray) -> ParsedColumn:
    """Parse a column of body sites.

    Parameters
    ----------
    column : Series of shape (n,)
        Cells as written; see `_parse_site`.
    rows : ndarray of shape (n,)
        Row labels, for the faults.

    Returns
    -------
    ParsedColumn
        Sites.
    """
    return normalise(column, _parse_site, rows)


def _parse_site(cell: str) -> str | None:
    """Read a body site.

    Parameters
    ----------
    cell : str
        For example ``"anterior torso"``, ``"scalp"``, ``"left forearm"`` or ``"Unterschenkel"``.

    Returns
    -------
    str or None
        One of `SITES`, or None if it is missing.

    Raises
    ------
    ValueError
        If it contains no known site, or more than one.

    Examples
    --------
    >>> _parse_site("posterior torso"), _parse_site("back of the hand")
    ('torso', 'upper extremity')
    """
    if cell in MISSING_WORDS:
        return None
    words = [_singular(word) for word in split_words(cell)]
    if site := _SITE_TOKENS.get(" ".join(words)):
        return site
    sites = {one.name for one in _SITE_SEARCH.find(_drop_details(words))}
    if len(sites) > 1:
        raise ValueError(f"names several sites: {', '.join(sorted(sites))}")
    if not sites:
        raise ValueError(f"is not among {', '.join(SITES)}")
    return sites.pop()


def _singular(word: str) -> str:
    for ending in ("s", "es"):
        if word not in _SITE_PARTS and word.removesuffix(ending) in _SITE_PARTS:
            return word.removesuffix(ending)
    return word


PARSERS = {Role.AGE: _normalise_age, Role.SEX: _normalise_sex, Role.SITE: normalise_site}
