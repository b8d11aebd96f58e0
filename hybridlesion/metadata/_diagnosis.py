"""Interpretation of written diagnoses and outcomes: name and malignancy."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise

from hybridlesion.metadata._vocabulary import GROUPS, MISSING_WORDS, WORDS, invert

_LIGATURES = str.maketrans({"æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "ı": "i", "đ": "d"})
# Endings of nouns in -m and similar in English, German and the Romance languages.
_ENDING = "(?:a|as|ata|e|en|er|es|i|o|os|u|y)?"


def to_float(text: str) -> float | None:
    """Convert text to a number.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    float or None
        The number, or None if the text is not one.
    """
    try:
        return float(text)
    except ValueError:
        return None


def clean(cell: object) -> str:
    """Normalise case and spaces of a cell.

    Parameters
    ----------
    cell : object
        Any value.

    Returns
    -------
    str
        Its text in lower case, stripped, with single spaces.
    """
    return " ".join(str(cell).lower().split())


def fold(text: str) -> str:
    """Normalise text for comparison.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    str
        The text in lower case, without accents or umlaut dots.

    Examples
    --------
    >>> fold("Nævus, MÉLANOME, Nävi")
    'naevus, melanome, navi'
    """
    parts = unicodedata.normalize("NFKD", text.casefold().translate(_LIGATURES))
    return "".join(part for part in parts if not unicodedata.combining(part))


def split_words(text: str) -> list[str]:
    """Split text into folded words, without punctuation.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    list of str
        The words.

    Examples
    --------
    >>> split_words("Left_fore-arm (distal)")
    ['left', 'fore', 'arm', 'distal']
    """
    return re.findall(r"[^\W_]+", fold(text))


@dataclass(frozen=True)
class Found:
    """A known word or phrase in a list of words.

    Parameters
    ----------
    name : str
        Name that it stands for.
    first, last : int
        Positions of its first and last word.
    """

    name: str
    first: int
    last: int


class WordSearch:
    """Search for words that stand for names, preferring the longest of nested matches.

    Parameters
    ----------
    *groups : mapping of str to iterable of str
        Name -> its words and phrases. ``*`` matches any letters, ``~`` the ending of a noun. If
        two names have the same word, it stands for the first.
    """

    def __init__(self, *groups: Mapping[str, Iterable[str]]):
        self._patterns = [
            (name, _compile(words)) for group in groups for name, words in group.items()
        ]

    def find(self, words: list[str]) -> list[Found]:
        """Find known words.

        Parameters
        ----------
        words : list of str
            Folded words.

        Returns
        -------
        list of Found
            Known words, in order of appearance.
        """
        sentence = " ".join(words)
        found: list[Found] = []
        for name, pattern in self._patterns:
            for match in pattern.finditer(sentence):
                first, last = (sentence.count(" ", 0, place) for place in match.span())
                if not any(old.first <= first and last <= old.last for old in found):
                    kept = [old for old in found if old.first < first or last < old.last]
                    found = [*kept, Found(name, first, last)]
        return sorted(found, key=lambda one: one.first)


def _compile(words: Iterable[str]) -> re.Pattern[str]:
    longest_first = sorted(words, key=len, reverse=True)
    parts = "|".join(re.escape(fold(word)).replace(r"\ ", " ") for word in longest_first)
    alternatives = parts.replace(r"\*", "[^ ]*").replace(r"\~", _ENDING)
    return re.compile(f"(?<![^ ])(?:{alternatives})(?![^ ])")


_OUTCOMES = {"malignant": 1.0, "benign": 0.0}
_OUTCOME_WORDS = invert({side: GROUPS["outcome"][name] for name, side in _OUTCOMES.items()})
_OTHERS = {"other malignant": 1.0, "other benign": 0.0}
_GROUPS: Mapping[str, float | None] = {"malignant": 1.0, "benign": 0.0, "neither": None}
_SIDES = {name: side for group, side in _GROUPS.items() for name in GROUPS[group]} | _OTHERS
_NAMES = WordSearch(
    {"nevus": ("pseudomelanom*",), "other benign": ("pseudolymphom~",)},
    *(GROUPS[group] for group in _GROUPS),
    {"other malignant": WORDS["other_malignant"], "other benign": WORDS["other_benign"]},
)
_OUTCOME_NAMES = WordSearch({name: WORDS[f"{name}_words"] for name in ("benign", "malignant")})
_DOUBT, _EXCLUDED, _BEFORE, _AFTER = (
    WordSearch({name: WORDS[name]})
    for name in ("doubt", "excluded", "denied_before", "denied_after")
)
_CODES = invert(GROUPS["codes"])
# "nevus or mm", "nv with mis"; other words, as in "nevus 4 mm", begin no part.
_BEFORE_CODE = frozenset({*WORDS["alternative"], "and", "with", "und", "mit", "plus"})
# Ignored if a narrower malignancy is also named.
_UNSPECIFIC = {"carcinoma", "sarcoma", "non-melanoma skin cancer", *_OTHERS}
# "not melanoma" may be any other malignancy.
NOT_MELANOMA = "not melanoma"
# "non-ulcerated melanoma" negates the ulcer.
_QUALITIES = (
    "pigment|invas|ulcer|nodul|infiltr|metasta|acral|akral|spitzoid|desmoplast|in[ -]situ|regress"
)

_DENIALS = frozenset({"no", "not", "non", "nicht", "kein", "ne", "pas", "nao", "geen", "niet"})
# Number of words before a diagnosis in which a denial counts: "kein Anhalt fuer ein Melanom".
_REACH = 4
# "negative for melanoma" denies what follows.
_FORWARD = frozenset({"for", "of", "fur", "de", "di", "per", "para", "pour", "voor"})
_LINKS = {"w/o": "without", "/": " or ", "+": " and ", "&": " and ", "?": " ? ", "_": " "}
_NUMBERED = re.compile(r"^\W*\d+\s*[.):_]+\s*(?=\D)")
_INITIALS = re.compile(r"\b([^\W\d_])\.\s?(?=[^\W\d_]\b)")
_JOINED_DENIAL = re.compile(r"\b(non|not|no|nicht|kein)(?=melanom|malign|cancer|neoplas)")
_JOINED_DOUBT = re.compile(
    r"(melanom|karzinom|basaliom)s?(?=verdacht|ahnlich|artig|nachs|scree|risi|ausschl)"
)
_NEGATIVE = re.compile(r"\(\s*-+\s*\)")
_ASIDE = re.compile(
    rf"\b(?:non|not|nicht|niet)[\s-]*(?:{_QUALITIES})\w*|\bna?e?vus[\s-]+(?=associated|assoziiert)"
)
_CLAUSE_END = re.compile(r"[,;:()\[\]|\n\u2013\u2014]|\s-+\s|\.(?=\s|$)")


@dataclass(frozen=True)
class Reading:
    """Interpretation of a written diagnosis.

    Parameters
    ----------
    name : str or None
        The normalised diagnosis, or else the text in lower case; None if the cell is blank.
    malignant : float or None, default=None
        1 if malignant, 0 if benign; None if the text does not say, or if opinions differ.
    named : bool, default=False
        Whether the text names a diagnosis, rather than just calling a lesion malignant or benign.
    understood : bool, default=True
        Whether the text is known at all. A doubtful diagnosis ("melanoma?") is understood, but
        neither named nor malignant nor benign.
    """

    name: str | None
    malignant: float | None = None
    named: bool = False
    understood: bool = True


@lru_cache(maxsize=65536)
def read_diagnosis(cell: str) -> Reading:
    """Read one diagnosis.

    Parameters
    ----------
    cell : str
        For example ``"mel"``, ``"Melanoma (in situ)"``, ``"clark nevus"`` or ``"benign"``.

    Returns
    -------
    Reading
        Its interpretation.

    Notes
    -----
    A text that contains a known diagnosis is read as that diagnosis, unless the text denies or
    doubts it. If two occur together ("melanoma arising in a nevus"), the malignant one counts.
    Alternatives ("nevus vs melanoma") are left undecided, unless all of them are benign.

    Examples
    --------
    >>> read_diagnosis("Malignes Melanom, SSM-Typ").name, read_diagnosis("melanoma?").malignant
    ('melanoma', None)
    >>> read_diagnosis("nevus, melanoma excluded").name, read_diagnosis("wen").understood
    ('nevus', False)
    """
    written = _NUMBERED.sub("", clean(cell))
    clauses = _split_clauses(written)
    words = [word for clause in clauses for word in clause]
    if written in MISSING_WORDS or not set(words) - {"?"}:
        return Reading(None)
    starts = list(accumulate(map(len, clauses[:-1]), initial=0))
    found = _find(words, starts)
    plain = _without(words, [one for one in found if one.name not in _OUTCOMES])
    if _DOUBT.find(plain) or any(map(_is_open, clauses)):
        return Reading(written)
    denied = _find_denied(found, words, starts)
    kept = [one for one in found if one not in denied]
    said = {_OUTCOMES[one.name] for one in kept if one.name in _OUTCOMES}
    names = [one for one in kept if one.name not in _OUTCOMES]
    specific = {_SIDES[one.name] for one in names if one.name not in _UNSPECIFIC}
    vague = {name for name in _UNSPECIFIC if _SIDES[name] in specific}
    names = [one for one in names if one.name not in vague]
    if not names:
        return _read_unnamed(written, said, {one.name for one in denied})
    chosen = _choose(names, words)
    side = None if chosen is None else _SIDES[chosen]
    # "malignant nevus", "benign melanoma": the words contradict each other.
    if chosen is None or (side is not None and 1 - side in said):
        return Reading(written)
    return Reading(written if chosen in _OTHERS else chosen, side, named=True)


def _split_clauses(written: str) -> list[list[str]]:
    text = _INITIALS.sub(r"\1", written)
    text = _ASIDE.sub(" ", fold(_NEGATIVE.sub(" negative ", text)))
    text = _JOINED_DOUBT.sub(r"\1 ", _JOINED_DENIAL.sub(r"\1 ", text))
    for mark, word in _LINKS.items():
        text = text.replace(mark, word)
    clauses = [re.findall(r"[^\W_]+|\?", clause) for clause in _CLAUSE_END.split(text)]
    return [clause for clause in clauses if clause]


def _is_open(clause: list[str]) -> bool:
    """Whether a clause denies that something is excluded."""
    rest = _without(clause, excluded := _EXCLUDED.find(clause))
    return bool(excluded) and not {"cannot", *_DENIALS}.isdisjoint(rest)


def _find(words: list[str], starts: list[int]) -> list[Found]:
    """Find diagnoses, codes at the start of a part, and words for malignant or benign."""
    found = _NAMES.find(words)
    left = _without(words, found)
    joined = [place for place, word in enumerate(words[:-1], 1) if word in _BEFORE_CODE]
    places = sorted({*starts, *joined})
    found += [Found(_CODES[left[place]], place, place) for place in places if left[place] in _CODES]
    found += _OUTCOME_NAMES.find(_without(words, found))
    return sorted(found, key=lambda one: one.first)


def _without(words: list[str], found: list[Found]) -> list[str]:
    covered = {place for one in found for place in range(one.first, one.last + 1)}
    return ["_" if place in covered else word for place, word in enumerate(words)]


def _find_denied(found: list[Found], words: list[str], starts: list[int]) -> list[Found]:
    denied: list[Found] = []
    for number, one in enumerate(found):
        before = found[number - 1].last + 1 if number else 0
        clause = max(start for start in starts if start <= one.first)
        window = words[max(before, clause, one.first - _REACH) : one.first]
        while contrast := set(window) & set(WORDS["contrast"]):
            window = window[window.index(contrast.pop()) + 1 :]
        between = words[before : one.first]
        goes_on = number and found[number - 1] in denied and between
        joined = goes_on and set(between) <= {*WORDS["alternative"], *WORDS["compound"]}
        after = found[number + 1].first if number + 1 < len(found) else len(words)
        rest = words[one.last + 1 : after]
        closing = after == len(words) and len(rest) == 1 and rest[0] in WORDS["denied_at_end"]
        if joined or closing or _BEFORE.find(window) or _is_denied_after(rest):
            denied.append(one)
    return denied


def _is_denied_after(words: list[str]) -> bool:
    following = (words[one.last + 1 : one.last + 2] for one in _AFTER.find(words))
    return any(map(_FORWARD.isdisjoint, following))


def _choose(names: list[Found], words: list[str]) -> str | None:
    """Choose the diagnosis that counts; None if undecided."""
    distinct = list(dict.fromkeys(one.name for one in names))
    if len(distinct) == 1 or {_SIDES[name] for name in distinct} == {0.0}:
        return distinct[0]
    for one, other in pairwise(names):
        between = set(words[one.last + 1 : other.first])
        together = between & set(WORDS["compound"]) and not between & set(WORDS["alternative"])
        if one.name != other.name and not together:
            return None
    order = [1.0, None, 0.0]
    return min(distinct, key=lambda name: (order.index(_SIDES[name]), name != "melanoma"))


def _read_unnamed(written: str, said: set[float], denied: set[str]) -> Reading:
    if said:
        return Reading(written, said.pop() if len(said) == 1 else None)
    if denied == {"melanoma"}:
        return Reading(NOT_MELANOMA, 0.0)
    if "malignant" in denied and all({**_SIDES, **_OUTCOMES}[name] == 1.0 for name in denied):
        return Reading(written, 0.0)
    return Reading(written, understood=False)


def read_outcome(cell: str) -> float | None:
    """Read whether a lesion is malignant.

    Parameters
    ----------
    cell : str
        For example ``"1"``, ``"0.0"``, ``"malignant"``, ``"yes"``, ``"naevus"`` or
        ``"indeterminate"``.

    Returns
    -------
    float or None
        1.0 if malignant, 0.0 if benign, None if undecided.

    Raises
    ------
    ValueError
        If it is none of these.
    """
    if cell in MISSING_WORDS:
        return None
    value = _OUTCOME_WORDS.get(fold(cell), to_float(cell.replace(",", ".")))
    if value in (0.0, 1.0):
        return value
    reading = read_diagnosis(cell)
    undecided = reading.named and reading.malignant is None
    if value is None and reading.understood and not undecided:
        return reading.malignant
    cure = "" if value else ". Name the words in `malignant` or `benign`, or clear the cells"
    raise ValueError(f"is neither 0 or benign nor 1 or malignant{cure}")


def read_label(cell: str) -> float | None:
    """Read one of the two labels of a target.

    Parameters
    ----------
    cell : str
        For example ``"MEL"``, ``"nevus"``, ``"Ja"`` or ``"1"``.

    Returns
    -------
    float or None
        The number, or 1.0 for malignant and 0.0 for benign; None if the word is unknown or
        undecided.

    Examples
    --------
    >>> read_label("Melanoma"), read_label("NV"), read_label("2"), read_label("control")
    (1.0, 0.0, 2.0, None)
    """
    word = clean(cell)
    number = to_float(word)
    if number is not None:
        return number
    return _OUTCOME_WORDS.get(fold(word), read_diagnosis(word).malignant)
