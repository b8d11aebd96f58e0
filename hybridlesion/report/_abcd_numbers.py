"""The numbers of an ABCD sheet: five scores, each on its range, in plain words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from hybridlesion.report._abcd_words import SCORE_RANGES, score_words
from hybridlesion.report._style import GRID, INK, MODEL, NOTE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_numbers"]

_BAR = 3.3  # inches
_WEIGHTS = {"asymmetry": 1.3, "border": 0.1, "color": 0.5, "structures": 0.5}
_SHADES = ("#0072B2", "#56B4E9", "#E69F00", "#009E73")
_TITLES = {
    "asymmetry": "A  Asymmetry",
    "border": "B  Border",
    "color": "C  Colour",
    "structures": "D  Dermoscopic structures",
    "tds": "Total dermoscopy score",
}


def draw_numbers(axes: Axes, values: Mapping[str, float]) -> None:
    """Write the scores, each with a bar over its range and two lines of words.

    Parameters
    ----------
    axes : Axes
        Column in inches, y downwards.
    values : mapping of str to float
        Features by column name.
    """
    top = 0.15
    for name, title in _TITLES.items():
        value, (low, high) = values[f"abcd__{name}"], SCORE_RANGES[f"abcd__{name}"]
        lines = score_words(name, values)
        axes.text(0, top, title, fontsize=12, fontweight="bold", va="center", color=INK)
        axes.text(_BAR, top, f"{value:.1f}", fontsize=14, fontweight="bold", va="center",
                  ha="right", color=INK)  # fmt: skip
        _bar(axes, top + 0.32, (low, high), _parts(name, value, low, values))
        for row, line in enumerate(lines):
            axes.text(0, top + 0.72 + 0.2 * row, line, fontsize=9.5, va="center", color=INK)
        top += 1.17 + 0.2 * len(lines)


def _parts(
    name: str, value: float, low: float, values: Mapping[str, float]
) -> list[tuple[float, float, str]]:
    """Pieces of a bar: start, end, colour."""
    if name != "tds":
        return [(low, value, MODEL)]
    parts, start = [], 0.0
    for (part, weight), shade in zip(_WEIGHTS.items(), _SHADES, strict=True):
        stop = start + weight * values[f"abcd__{part}"]
        parts.append((start, stop, shade))
        start = stop
    return parts


def _bar(axes: Axes, y: float, span: tuple[float, float], parts) -> None:
    low, high = (0.0, span[1]) if len(parts) > 1 else span
    axes.barh(y, _BAR, 0.14, left=0, color=GRID)
    for start, stop, color in parts:
        at, end = ((x - low) / (high - low) * _BAR for x in (start, stop))
        axes.barh(y, max(end - at, 0.0), 0.14, left=at, color=color)
        if len(parts) > 1 and end - at > 0.12:
            axes.text((at + end) / 2, y, "ABCD"[_SHADES.index(color)], ha="center", va="center",
                      fontsize=8, color="white")  # fmt: skip
    for x, bound, side in ((0, low, "left"), (_BAR, high, "right")):
        axes.text(x, y + 0.19, f"{bound:g}", ha=side, va="center", fontsize=8.5, color=NOTE)
