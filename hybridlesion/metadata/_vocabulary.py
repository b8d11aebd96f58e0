"""The words that records use, and every word of the ISIC tables that means one of them.

Data only. Words are compared in lower case, with underscores read as blanks. The HAM10000
localizations go where ISIC 2019 put the same 10,015 images (face -> head/neck, foot -> lower
extremity, hand -> upper extremity, acral -> palms/soles).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

__all__ = [
    "AGE_LIMITS",
    "DIAGNOSIS_WORDS",
    "MISSING_WORDS",
    "NARROWER_DIAGNOSES",
    "OUTCOME_WORDS",
    "SEXES",
    "SEX_WORDS",
    "SITES",
    "SITE_REFINEMENTS",
    "SITE_WORDS",
    "TOP_AGE",
    "UNDECIDED_WORDS",
    "Sex",
    "Site",
]

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

MISSING_WORDS: frozenset[str] = frozenset(
    {"", "unknown", "unk", "not known", "unspecified", "not specified", "not reported"}
    | {"na", "n/a", "<na>", "nan", "none", "null", "missing", "?", "-"}
)


def _invert(words: Mapping[str, tuple[str, ...]]) -> Mapping[str, str]:
    """Turn name -> its words into word -> name, each name being its own word too."""
    return MappingProxyType(
        {word: str(name) for name, group in words.items() for word in (str(name), *group)}
    )


SEX_WORDS = _invert({Sex.MALE: ("m", "man"), Sex.FEMALE: ("f", "woman")})

SITE_WORDS = _invert(
    {
        Site.HEAD_NECK: (
            *("head and neck", "head & neck", "head neck", "head", "neck", "head neck face"),
            *("face", "scalp", "ear", "forehead", "cheek", "nose", "eyelid", "lip", "chin"),
        ),
        Site.TORSO: (
            *("trunk", "anterior torso", "posterior torso", "lateral torso"),
            *("anterior trunk", "posterior trunk", "lateral trunk"),
            *("back", "upper back", "lower back", "chest", "abdomen", "breast", "flank"),
        ),
        Site.UPPER_EXTREMITY: (
            *("upper extremities", "upper limb", "arm", "upper arm", "forearm"),
            *("shoulder", "elbow", "wrist", "hand", "finger"),
        ),
        Site.LOWER_EXTREMITY: (
            *("lower extremities", "lower limb", "leg", "lower leg", "thigh"),
            *("knee", "ankle", "buttock", "foot", "toe"),
        ),
        Site.PALMS_SOLES: (
            *("palms and soles", "palm", "sole", "palm of hand", "sole of foot"),
            *("acral", "acral palms or soles"),
        ),
        Site.ORAL_GENITAL: (
            *("oral and genital", "oral or genital", "genital", "anogenital region"),
            *("genital region", "perianal region", "oral", "mouth", "mucosa"),
        ),
    }
)

# Columns of the ISIC archive that say more than the general site, and which of their words
# overrule it; their other words ("nail") say nothing about the six sites.
SITE_REFINEMENTS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "anatom_site_special": frozenset({"acral palms or soles", "oral or genital"}),
        "anatom_site_3": frozenset({"palm of hand", "sole of foot"}),
    }
)

DIAGNOSIS_WORDS = _invert(
    {
        "melanoma": (
            *("mel", "melanoma in situ", "melanoma invasive", "melanoma metastasis"),
            *("invasive melanoma", "malignant melanocytic proliferations (melanoma)"),
        ),
        "nevus": ("nv", "naevus", "melanocytic nevus", "melanocytic nevi", "nevi"),
        "basal cell carcinoma": ("bcc",),
        "squamous cell carcinoma": ("scc", "squamous cell carcinoma in situ"),
        "actinic keratosis": ("ak", "akiec", "solar or actinic keratosis"),
        "benign keratosis": ("bkl", "pigmented benign keratosis"),
        "seborrheic keratosis": ("sk", "seborrhoeic keratosis"),
        "dermatofibroma": ("df",),
        "vascular lesion": ("vasc",),
    }
)

# Broad diagnosis -> narrower ones it covers: a table that knows better does not contradict.
NARROWER_DIAGNOSES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "benign keratosis": frozenset(
            {"seborrheic keratosis", "solar lentigo", "lichenoid keratosis"}
            | {"lichen planus like keratosis", "benign epidermal proliferations"}
        ),
        "vascular lesion": frozenset(
            {"angioma", "angiokeratoma", "hemangioma", "pyogenic granuloma", "hemorrhage"}
            | {"benign soft tissue proliferations - vascular"}
        ),
    }
)

OUTCOME_WORDS: Mapping[str, float] = MappingProxyType(
    {"benign": 0.0, "false": 0.0, "malignant": 1.0, "true": 1.0}
)
# Known to be undecided: such a record has no target.
UNDECIDED_WORDS: frozenset[str] = frozenset(
    {"indeterminate", "indeterminate/benign", "indeterminate/malignant"}
)
