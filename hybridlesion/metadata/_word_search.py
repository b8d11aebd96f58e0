"""Known words and phrases in free text, whatever its case, accents and punctuation."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

__all__ = ["Found", "WordSearch", "fold", "split_words"]

_LIGATURES = str.maketrans({"æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "ı": "i", "đ": "d"})
# How nouns on -m and the like end in English, German and the Romance languages.
_ENDING = "(?:a|as|ata|e|en|er|es|i|o|os|u|y)?"


def fold(text: str) -> str:
    """Bring text to the form in which words are compared.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    str
        Lower case without accents; umlauts lose their dots.

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
    """A known word in a list of words.

    Parameters
    ----------
    name : str
        What the word stands for.
    first, last : int
        Positions of its first and last word.
    """

    name: str
    first: int
    last: int


class WordSearch:
    """Finds words that stand for names; of words within each other the longest counts.

    Parameters
    ----------
    *groups : mapping of str to iterable of str
        Name -> its words and phrases. ``*`` stands for any letters, ``~`` for the ending of a
        noun. Where two names have the same word, the first takes it.
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
            In their order.
        """
        found: list[Found] = []
        for new in self._matches(" ".join(words)):
            if not any(old.first <= new.first and new.last <= old.last for old in found):
                found = [
                    old for old in found if not (new.first <= old.first and old.last <= new.last)
                ]
                found.append(new)
        return sorted(found, key=lambda one: one.first)

    def _matches(self, sentence: str) -> Iterator[Found]:
        for name, pattern in self._patterns:
            for match in pattern.finditer(sentence):
                first, last = (sentence.count(" ", 0, place) for place in match.span())
                yield Found(name, first, last)


def _compile(words: Iterable[str]) -> re.Pattern[str]:
    parts = [
        re.escape(fold(word)).replace(r"\ ", " ").replace(r"\*", "[^ ]*").replace("\\~", "~")
        for word in sorted(words, key=len, reverse=True)
    ]
    alternatives = "|".join(parts).replace("~", _ENDING)
    return re.compile(f"(?<![^ ])(?:{alternatives})(?![^ ])")
