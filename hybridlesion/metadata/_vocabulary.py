"""Vocabulary of sexes, body sites and diagnoses, loaded from ``vocabulary.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

Name = TypeVar("Name")


def split_list(text: str) -> tuple[str, ...]:
    """Split a list of words separated by commas.

    Parameters
    ----------
    text : str
        The list.

    Returns
    -------
    tuple of str
        The words.

    Examples
    --------
    >>> split_list("melanoma, nevus")
    ('melanoma', 'nevus')
    """
    return tuple(word.strip() for word in text.split(","))


def load_words(
    name: str,
) -> tuple[Mapping[str, tuple[str, ...]], Mapping[str, Mapping[str, tuple[str, ...]]]]:
    """Load lists of words from a TOML file of this package.

    Parameters
    ----------
    name : str
        File name. Each value in the file is a comma-separated list of words, or a table of these.

    Returns
    -------
    lists : mapping of str to tuple of str
        The lists.
    tables : mapping of str to mapping
        The tables of lists.
    """
    values = tomllib.loads(Path(__file__).with_name(name).read_text(encoding="utf-8"))
    lists = {key: split_list(text) for key, text in values.items() if isinstance(text, str)}
    tables = {
        key: MappingProxyType({name: split_list(text) for name, text in table.items()})
        for key, table in values.items()
        if isinstance(table, dict)
    }
    return MappingProxyType(lists), MappingProxyType(tables)


def invert(groups: Mapping[Name, Iterable[str]]) -> Mapping[str, Name]:
    """Invert a mapping from names to words.

    Parameters
    ----------
    groups : mapping of name to iterable of str
        Name -> its words.

    Returns
    -------
    mapping of str to name
        Word -> name.

    Examples
    --------
    >>> dict(invert({"male": ("m", "man")}))
    {'m': 'male', 'man': 'male'}
    """
    return MappingProxyType({word: name for name, words in groups.items() for word in words})


# The ISIC archive publishes every age above 85 as 85, so ages in all tables are capped at 85.
TOP_AGE = 85.0
AGE_LIMITS = (0.0, 120.0)


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

WORDS, GROUPS = load_words("vocabulary.toml")
MISSING_WORDS: frozenset[str] = frozenset({"", *WORDS["missing"]})
MISSING_NUMBERS: frozenset[str] = MISSING_WORDS | {*WORDS["missing_number"]}
# A name is also a word for itself.
SEX_WORDS = invert({name: (name, *words) for name, words in GROUPS["sex"].items()})
SITE_WORDS = invert({name: (name, *words) for name, words in GROUPS["site"].items()})
SITE_DETAILS: frozenset[str] = frozenset(WORDS["site_details"])
OUTCOME_WORDS = invert({0.0: GROUPS["outcome"]["benign"], 1.0: GROUPS["outcome"]["malignant"]})

# The meaning of a letter depends on the other letters in its column: M is male with F or W, and
# female (mujer) with H. Other pairs are ambiguous: V and M are varon and mujer in Spanish, but
# vrouw and man in Dutch.
SEX_LETTERS: Mapping[frozenset[str], Mapping[str, Sex]] = MappingProxyType(
    {
        frozenset(male + female): {male: Sex.MALE, female: Sex.FEMALE}
        for male, female in ("mf", "mw", "hm", "hf", "vh", "vf", "ud", "mk", "ek", "mz", "мж")
    }
    | {frozenset("m"): {"m": Sex.MALE}}
    | {frozenset(letter): {letter: Sex.FEMALE} for letter in "fw"}
)

# Ignored if a narrower malignancy is also named.
UNSPECIFIC: frozenset[str] = frozenset({"carcinoma", "sarcoma", "non-melanoma skin cancer"})
# "not melanoma" may be any other malignancy.
NOT_MELANOMA = "not melanoma"
# "non-ulcerated melanoma" negates the ulcer.
QUALITIES = (
    "pigment|invas|ulcer|nodul|infiltr|metasta|acral|akral|spitzoid|desmoplast|in[ -]situ|regress"
)
