"""The cards of the gallery: one lesion each, with what the page says of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from hybridlesion.reasons import FAMILY_TITLES, SHARE_PREFIX, points_words
from hybridlesion.report._abcd_words import SCORE_RANGES
from hybridlesion.report.page._details import Detail
from hybridlesion.report.page._pictures import Picture

__all__ = ["ERRORS", "Bar", "Card", "make_cards"]

ERRORS = ("missed", "false alarm", "right", "truth unknown")
_SHEET = {
    "abcd__asymmetry": "A asymmetry",
    "abcd__border": "B border",
    "abcd__color": "C colour",
    "abcd__structures": "D structures",
    "abcd__tds": "total (TDS)",
}
_MOST_BARS = 5


@dataclass(frozen=True)
class Bar:
    """A bar with its words.

    Parameters
    ----------
    label, words : str
        What is drawn, and its value.
    start, length : float
        Share of the whole width, 0 to 1.
    kind : str
        ``"up"``, ``"down"`` or ``"level"``.
    """

    label: str
    words: str
    start: float
    length: float
    kind: str


@dataclass(frozen=True)
class Card:
    """One lesion of the gallery; every string may come from outside.

    Parameters
    ----------
    number : int
        Its place, from 0, in the order of falling scores.
    image_id, patient : str
        Names; `patient` is empty where it is unknown.
    score : float
        Probability of malignancy.
    called : bool
        Whether the score reaches the threshold.
    truth : str
        ``"malignant"``, ``"benign"`` or ``"unknown"``.
    error : str
        One of `ERRORS`.
    about : str
        Age, sex, site and diagnosis, where known.
    picture : Picture
        Its picture.
    detail : Detail
        Its drawn sheet and map.
    reasons : tuple of str
        The strongest, in words.
    shares : tuple of Bar
        What the families of measurements add to the score.
    sheet : tuple of Bar
        ABCD scores on their ranges.
    others : tuple of (int, float)
        The patient's lesions among the cards, this one too: number and score, by falling score.
    """

    number: int
    image_id: str
    patient: str
    score: float
    called: bool
    truth: str
    error: str
    about: str
    picture: Picture
    detail: Detail
    reasons: tuple[str, ...]
    shares: tuple[Bar, ...]
    sheet: tuple[Bar, ...]
    others: tuple[tuple[int, float], ...]


def make_cards(
    cases: pd.DataFrame,
    pictures: Sequence[Picture],
    details: Mapping[str, Detail],
    threshold: float | None,
) -> list[Card]:
    """Make the cards of the gallery.

    Parameters
    ----------
    cases : DataFrame of shape (n, columns)
        Scored lesions by falling score, with a clean index.
    pictures : sequence of Picture
        One each.
    details : mapping of str to Detail
        What was drawn, by image id; of some lesions only.
    threshold : float or None
        From which score on a lesion counts as called; None calls none.

    Returns
    -------
    list of Card
        One a lesion, in order.
    """
    patients = _texts(cases, "patient_id")
    together: dict[str, list[tuple[int, float]]] = {}
    for number, patient in enumerate(patients):
        if patient:
            together.setdefault(patient, []).append((number, float(cases["score"][number])))
    records = cases.to_dict("records")
    widest = _widest_share(cases)
    return [
        _make_card(
            *(number, row, patients[number], pictures[number]),
            *(details.get(str(row["image_id"]), Detail()), threshold, widest, together),
        )
        for number, row in enumerate(records)
    ]


def _make_card(number, row, patient, picture, detail, threshold, widest, together) -> Card:
    called = threshold is not None and row["score"] >= threshold
    truth = {1: "malignant", 0: "benign"}.get(row.get("target"), "unknown")
    others = tuple(together.get(patient, ()))
    return Card(
        number=number,
        image_id=str(row["image_id"]),
        patient=patient,
        score=float(row["score"]),
        called=bool(called),
        truth=truth,
        error=_error(truth, called, threshold),
        about=_about(row),
        picture=picture,
        detail=detail,
        reasons=tuple(str(row[f"reason_{k}"]) for k in (1, 2, 3) if _known(row.get(f"reason_{k}"))),
        shares=_shares(row, widest),
        sheet=_sheet(row),
        others=others if len(others) > 1 else (),
    )


def _error(truth: str, called: bool, threshold: float | None) -> str:
    if truth == "unknown" or threshold is None:
        return "truth unknown"
    if called == (truth == "malignant"):
        return "right"
    return "false alarm" if called else "missed"


def _about(row: dict) -> str:
    age = f"{row['age']:.0f} years" if _known(row.get("age")) else ""
    rest = [str(row[name]) for name in ("sex", "site", "diagnosis") if _known(row.get(name))]
    return ", ".join([age, *rest] if age else rest)


def _shares(row: dict, widest: float) -> tuple[Bar, ...]:
    """Diverging bars: what adds reaches right of the middle, what takes left of it."""
    found = {
        family: float(row[f"{SHARE_PREFIX}{family}"])
        for family in FAMILY_TITLES
        if _known(row.get(f"{SHARE_PREFIX}{family}"))
    }
    strongest = sorted(found, key=lambda family: -abs(found[family]))[:_MOST_BARS]
    bars = []
    for family in strongest:
        share = found[family]
        length = 0.5 * abs(share) / widest
        start = 0.5 if share >= 0 else 0.5 - length
        kind = "up" if share >= 0 else "down"
        bars.append(Bar(FAMILY_TITLES[family], points_words(share), start, length, kind))
    return tuple(bars)


def _sheet(row: dict) -> tuple[Bar, ...]:
    bars = []
    for name, title in _SHEET.items():
        if _known(row.get(name)):
            low, high = SCORE_RANGES[name]
            length = (float(row[name]) - low) / (high - low)
            bars.append(Bar(title, f"{row[name]:.1f} of {high:g}", 0.0, length, "level"))
    return tuple(bars)


def _widest_share(cases: pd.DataFrame) -> float:
    names = [name for name in cases if str(name).startswith(SHARE_PREFIX)]
    widest = float(cases[names].abs().max(axis=None)) if names and len(cases) else 0.0
    return widest if widest > 0 else 1.0


def _texts(cases: pd.DataFrame, name: str) -> list[str]:
    if name not in cases:
        return [""] * len(cases)
    return [str(value) if _known(value) else "" for value in cases[name]]


def _known(value: object) -> bool:
    return (
        value is not None
        and value == value
        and not (isinstance(value, float) and math.isnan(value))
    )
