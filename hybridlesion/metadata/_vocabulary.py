"""Vocabulary of sexes, body sites and diagnoses, loaded from ``vocabulary.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

__all__ = [
    "AGE_LIMITS",
    "CODES",
    "MISSING_NUMBERS",
    "MISSING_WORDS",
    "NARROWER_DIAGNOSES",
    "NOT_MELANOMA",
    "OUTCOME_WORDS",
    "QUALITIES",
    "SEXES",
    "SEX_LETTERS",
    "SEX_WORDS",
    "SITES",
    "SITE_DETAILS",
    "SITE_REFINEMENTS",
    "SITE_WORDS",
    "TOP_AGE",
    "UNSPECIFIC",
    "WORDS",
    "Sex",
    "Site",
    "load_words",
]


def load_words(name: str) -> Mapping[str, tuple[str, ...] | Mapping[str, tuple[str, ...]]]:
    """Load lists of words from a TOML file of this package.

    Parameters
    ----------
    name : str
        File name. Each value is a list of words separated by commas, or a table of such lists.

    Returns
    -------
    mapping
        The lists as tuples of words.
    """

    def split(value: str | dict[str, str]) -> tuple[str, ...] | Mapping[str, tuple[str, ...]]:
        if isinstance(value, dict):
            return MappingProxyType({key: split(words) for key, words in value.items()})
        return tuple(word.strip() for word in value.split(","))

    text = Path(__file__).with_name(name).read_text(encoding="utf-8")
    return MappingProxyType({key: split(value) for key, value in tomllib.loads(text).items()})


def _invert(groups: Mapping[str, tuple[str, ...]], *, own_word: bool = False) -> Mapping[str, str]:
    """Turn name -> its words into word -> name; with `own_word`, each name is its own word too."""
    return MappingProxyType(
        {
            word: name
            for name, words in groups.items()
            for word in ((name, *words) if own_word else words)
        }
    )


# The ISIC archive publishes every age above 85 as 85, so all tables are brought to that.
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

WORDS = load_words("vocabulary.toml")
MISSING_WORDS: frozenset[str] = frozenset({"", *WORDS["missing"]})
MISSING_NUMBERS: frozenset[str] = MISSING_WORDS | {*WORDS["missing_number"]}
SEX_WORDS = _invert(WORDS["sex"], own_word=True)
SITE_WORDS = _invert(WORDS["site"], own_word=True)
SITE_DETAILS: frozenset[str] = frozenset(WORDS["site_details"])
SITE_REFINEMENTS = WORDS["site_refinements"]
OUTCOME_WORDS: Mapping[str, float] = MappingProxyType(
    dict.fromkeys(WORDS["outcome"]["benign"], 0.0)
    | dict.fromkeys(WORDS["outcome"]["malignant"], 1.0)
)
CODES = _invert(WORDS["codes"])
NARROWER_DIAGNOSES = WORDS["narrower"]

# The meaning of a letter depends on the other letters of its column: M is male with F or W, and
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

# Ignored where a narrower malignancy is named, too.
UNSPECIFIC: frozenset[str] = frozenset({"carcinoma", "sarcoma", "non-melanoma skin cancer"})
# "not melanoma" may be any other malignancy.
NOT_MELANOMA = "not melanoma"
# "non-ulcerated melanoma" negates the ulcer.
QUALITIES = (
    "pigment|invas|ulcer|nodul|infiltr|metasta|acral|akral|spitzoid|desmoplast|in[ -]situ|regress"
)
