"""Colours and words that every figure shares."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from hybridlesion._files import atomic_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["BENIGN", "GRID", "INK", "MALIGNANT", "MODEL", "NOTE", "RESEARCH_ONLY", "save_figure"]

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
