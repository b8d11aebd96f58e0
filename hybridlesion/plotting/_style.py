"""Colours, axes and output shared by all figures."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font

from hybridlesion._atomic import atomic_path

# Palette of Okabe and Ito, distinguishable with all common types of colour vision.
THEME = {
    "model": "#0072B2",
    "malignant": "#D55E00",
    "benign": "#009E73",
    "ink": "#222222",
    "note": "#666666",
    "grid": "#DDDDDD",
    "paper": "#FFFFFF",
}
"""Colours by the name that a style sheet gives them."""

MODEL, MALIGNANT, BENIGN, INK, NOTE, GRID, PAPER = THEME.values()

SCORE = "#555555"
"""Bars of scores, in no colour that a map uses."""

RESEARCH_ONLY = "Research software, not a medical device."


def save_figure(figure: Figure, out: str | os.PathLike, *, dpi: int) -> Path:
    """Write a figure to a temporary file and move it into place.

    Parameters
    ----------
    figure : Figure
        Figure to write.
    out : str or path-like
        File to write; its suffix determines the format.
    dpi : int
        Pixels per inch.

    Returns
    -------
    Path
        `out`.
    """
    FigureCanvasAgg(figure)
    with atomic_path(out) as temporary:
        figure.savefig(temporary, dpi=dpi, facecolor="white")
    return Path(out)


def add_heading(figure: Figure, text: str, *, x: float = 0.02) -> None:
    """Write a heading above all panels.

    Parameters
    ----------
    figure : Figure
        Figure to write to.
    text : str
        Heading.
    x : float, default=0.02
        Position of its left end, as a fraction of the width.
    """
    figure.suptitle(text, fontsize=12, color=INK, fontweight="bold", x=x, ha="left")


def finish_axes(axes: Axes, *, x_label: str = "", y_label: str = "") -> None:
    """Add labels and a grid to a panel, and remove its top and right spines.

    Parameters
    ----------
    axes : Axes
        Panel.
    x_label, y_label : str, default=""
        Labels of the axes.
    """
    axes.set_xlabel(x_label, color=INK)
    axes.set_ylabel(y_label, color=INK)
    axes.grid(color=GRID, lw=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK, labelsize=9)
    axes.spines[["top", "right"]].set_visible(False)


def write(
    place: Axes | Figure, x: float, y: float, text: str, size: float = 9.5, **style: object
) -> None:
    """Write vertically centred text.

    Parameters
    ----------
    place : Axes or Figure
        Axes or figure to write to.
    x, y : float
        Position, in the coordinates of `place`.
    text : str
        Text.
    size : float, default=9.5
        Size in points.
    **style : object
        Other text properties.
    """
    place.text(x, y, text, fontsize=size, **{"va": "center", "color": INK} | style)


_UNKNOWN = "\N{REPLACEMENT CHARACTER}"


def plain_text(text: str, longest: int = 80) -> str:
    """Replace characters that the font cannot show, and shorten long text.

    Dollar signs are kept: draw the text with ``parse_math=False``.

    Parameters
    ----------
    text : str
        Any text, such as an image id.
    longest : int, default=80
        Maximum length; an ellipsis replaces the middle of a longer text.

    Returns
    -------
    str
        One line of characters available in the default font of matplotlib.

    Examples
    --------
    >>> plain_text("a\\nb"), plain_text("abcdefgh", longest=5)
    ('a\ufffdb', 'ab\u2026gh')
    """
    shown = "".join(c if c.isprintable() and ord(c) in _known() else _UNKNOWN for c in text)
    if len(shown) <= longest:
        return shown
    tail = (longest - 1) // 2
    return f"{shown[: longest - 1 - tail]}\u2026{shown[-tail:]}"


@lru_cache(maxsize=1)
def _known() -> frozenset[int]:
    return frozenset(get_font(findfont("DejaVu Sans")).get_charmap())
