"""The words of an ABCD sheet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hybridlesion.features import COLORS, FEATURES
from hybridlesion.features.scores import structure_presence

__all__ = ["SCORE_RANGES", "color_word", "flag_words", "percent", "score_words"]

SCORE_RANGES = {row.name: (row.low, row.high) for row in FEATURES if row.family == "score"}
"""Lowest and highest value of each score by column name."""

_SEEN_AS = {"asymmetry": "asymmetric", "border": "irregular", "color": "variegated"}
_FLAGS = {
    "empty": "no lesion was found",
    "touches_border": "the lesion leaves the field of view",
    "several": "another region looks almost as much like a lesion",
    "fills_frame": "hardly any skin is left to compare with",
    "unrefined": "the refiner saw no lesion, so the mask is the classical one",
}


def color_word(name: str) -> str:
    """Name a colour for people.

    Parameters
    ----------
    name : str
        One of `COLORS`.

    Returns
    -------
    str
        For example ``"blue-grey"``.
    """
    return "blue-grey" if name == "blue_gray" else name.replace("_", " ")


def flag_words(flags: Sequence[str]) -> str:
    """Say what a segmentation flags.

    Parameters
    ----------
    flags : sequence of str
        Flags of `Segmentation`.

    Returns
    -------
    str
        A sentence, or nothing.

    Examples
    --------
    >>> flag_words(("touches_border", "several"))
    'The lesion leaves the field of view; another region looks almost as much like a lesion.'
    """
    words = "; ".join(_FLAGS.get(flag, flag.replace("_", " ")) for flag in flags)
    return f"{words[0].upper()}{words[1:]}." if words else ""


def percent(share: float) -> str:
    """Write a share as a whole percentage.

    Parameters
    ----------
    share : float
        0 to 1.

    Returns
    -------
    str
        ``"<1 %"`` for what is there but rounds to nothing.

    Examples
    --------
    >>> percent(0.126), percent(0.001), percent(0.0)
    ('13 %', '<1 %', '0 %')
    """
    return "<1 %" if 0.0 < share < 0.005 else f"{100 * max(share, 0.0):.0f} %"


def score_words(name: str, values: Mapping[str, float]) -> list[str]:
    """Say in plain words what a score rests on.

    Parameters
    ----------
    name : {"asymmetry", "border", "color", "structures", "tds"}
        Which score.
    values : mapping of str to float
        Features by column name.

    Returns
    -------
    list of str
        Lines of at most 50 characters.
    """
    if name == "structures":
        parts = [f"{part} {share:.1f}" for part, share in structure_presence(values).items()]
        return [
            "Each structure counts from 0 (absent) to 1:",
            ", ".join(parts[:3]) + ",",
            ", ".join(parts[3:]) + ". At least 1 in all.",
        ]
    if name == "tds":
        return [
            "1.3 A + 0.1 B + 0.5 C + 0.5 D, as coloured.",
            "Published limits hold for scores given by",
            "dermatologists, not for these.",
        ]
    low, high = SCORE_RANGES[f"abcd__{name}"]
    rank = (values[f"abcd__{name}"] - low) / (high - low)
    lines = [
        f"Would be seen as more {_SEEN_AS[name]} than",
        f"{percent(rank)} of the lesions that people compared.",
    ]
    if name == "color":
        count = sum(values[f"abcd__color_has_{color}"] > 0 for color in COLORS)
        lines.append(f"Colours present: {count:.0f} of six.")
    return lines
