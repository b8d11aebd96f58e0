"""Colours and words that every figure shares."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from hybridlesion._atomic import atomic_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "BENIGN",
    "GRID",
    "INK",
    "MALIGNANT",
    "MODEL",
    "NOTE",
    "RESEARCH_ONLY",
    "plain_text",
    "save_figure",
]

# Okabe and Ito's palette: told apart with every common colour vision.
MODEL = "#0072B2"
MALIGNANT = "#D55E00"
BENIGN = "#009E73"
INK = "#222222"
NOTE = "#666666"
GRID = "#DDDDDD"

RESEARCH_ONLY = "Research software, not a medical device."


def save_figure(figure: Figure, out: str | os.PathLike, *, dpi: int) -> Path:
    """Write a figure, whole or not at all.

    Parameters
    ----------
    figure : Figure
        What to draw.
    out : str or path-like
        File to write; its suffix chooses the format.
    dpi : int
        Pixels per inch.

    Returns
    -------
    Path
        `out`.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    with atomic_path(out) as temporary:
        figure.savefig(temporary, dpi=dpi, facecolor="white")
    return Path(out)


_UNKNOWN = "\N{REPLACEMENT CHARACTER}"


def plain_text(text: str, longest: int = 80) -> str:
    """Replace what the font cannot show, and shorten.

    Dollar signs stay: draw the text with ``parse_math=False``.

    Parameters
    ----------
    text : str
        For example an image id; may hold line breaks, other scripts or broken bytes.
    longest : int, default=80
        Most characters; the middle of a longer text gives way to an ellipsis.

    Returns
    -------
    str
        One line of characters that matplotlib's own font has.

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
    from matplotlib.font_manager import findfont, get_font

    return frozenset(get_font(findfont("DejaVu Sans")).get_charmap())
