"""Charts as inline SVG that follows the page's light and dark colours."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hybridlesion.metrics import decision_curve
from hybridlesion.plotting._metrics import (
    draw_precision_recall,
    draw_reliability,
    draw_roc,
    finish_axes,
    legend_words,
)
from hybridlesion.plotting._style import BENIGN, GRID, INK, MALIGNANT, MODEL, NOTE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Chart", "draw_charts", "figure_to_svg"]

# Colours of the figures, by the variable of the style sheet that takes their place.
_COLORS = {
    MODEL: "model",
    MALIGNANT: "malignant",
    BENIGN: "benign",
    INK: "ink",
    NOTE: "note",
    GRID: "grid",
    "#FFFFFF": "paper",
}


@dataclass(frozen=True)
class Chart:
    """One figure of the page.

    Parameters
    ----------
    key : str
        Begins every id inside the drawing, so that two drawings do not share one.
    svg : str
        The drawing, markup of our own making.
    alt : str
        What it shows, for those who cannot see it.
    caption : str
        How to read it.
    """

    key: str
    svg: str
    alt: str
    caption: str


def draw_charts(
    key: str, y: np.ndarray, score: np.ndarray, threshold: float | None, metrics: pd.DataFrame
) -> list[Chart]:
    """Draw ROC curve, precision-recall curve, reliability diagram and decision curve.

    Parameters
    ----------
    key : str
        Letters that no other call on the page uses.
    y : ndarray of shape (n,), int
        Truth, 1 for malignant; both classes occur.
    score : ndarray of shape (n,), 0 to 1
        Probabilities.
    threshold : float or None
        Operating point to mark.
    metrics : DataFrame
        Columns metric, value, low, high.

    Returns
    -------
    list of Chart
        Four charts.
    """
    words = legend_words(metrics)
    drawn: Mapping[str, tuple[Callable[[Axes], None], str, str]] = {
        "roc": (
            lambda axes: draw_roc(axes, y, score, threshold, words),
            f"ROC curve, area {words.get('auc', 'not measured')}.",
            "The nearer to the upper left corner, the better; the dotted line is chance.",
        ),
        "pr": (
            lambda axes: draw_precision_recall(axes, y, score, threshold, words),
            f"Precision-recall curve, average precision "
            f"{words.get('average_precision', 'not measured')}.",
            "Of the lesions called, how many are malignant, against how many malignant ones are "
            "found. The dotted line is calling at random.",
        ),
        "reliability": (
            lambda axes: draw_reliability(axes, y, score, words),
            f"Reliability diagram, calibration slope "
            f"{words.get('calibration_slope', 'not measured')}.",
            "Points on the dotted line: of lesions with a score of 10 %, one in ten is malignant. "
            "Bars are 95 % intervals, ticks single lesions.",
        ),
        "decision": (
            lambda axes: _draw_decision(axes, y, score, threshold),
            "Decision curve: net benefit of acting on the score, on every lesion and on none.",
            "Where the model's line is highest, acting on its score does more good than acting on "
            "all lesions or on none, if one would act from that probability on.",
        ),
    }
    return [
        Chart(f"{key}-{name}", figure_to_svg(f"{key}-{name}", draw), alt, caption)
        for name, (draw, alt, caption) in drawn.items()
    ]


def _draw_decision(axes: Axes, y: np.ndarray, score: np.ndarray, threshold: float | None) -> None:
    curve = decision_curve(y, score)
    axes.axhline(0, color=NOTE, lw=1, ls=":")
    axes.plot(curve["threshold"], curve["act_on_all"], color=NOTE, lw=1.4, ls="--", label="all")
    axes.plot(curve["threshold"], curve["net_benefit"], color=MODEL, lw=2, label="model")
    finish_axes(axes, "Probability from which one acts", "Net benefit a lesion", "Decision curve")
    top = max(float(curve["net_benefit"].max()), float(y.mean()), 1e-6)
    axes.set(xlim=(0, curve["threshold"].max()), ylim=(-0.25 * top, 1.12 * top))
    axes.plot([], [], color=NOTE, lw=1, ls=":", label="none")
    if threshold is not None and threshold <= curve["threshold"].max():
        axes.axvline(threshold, color=MALIGNANT, lw=1.2, label="threshold")
    axes.legend(frameon=False, fontsize=9, labelcolor=INK, title="acting on", alignment="left")
    axes.get_legend().get_title().set(color=NOTE, fontsize=9)


def figure_to_svg(key: str, draw: Callable[[Axes], None]) -> str:
    """Draw one panel as SVG for the inside of a page.

    Parameters
    ----------
    key : str
        Begins every id in it.
    draw : callable
        Draws into the panel given to it, in colours of `hybridlesion.plotting._style`.

    Returns
    -------
    str
        An ``svg`` element whose colours are variables of the page's style sheet.
    """
    import matplotlib
    from matplotlib.figure import Figure

    # Text stays text: it can be searched, read aloud, and takes the page's font.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": key}):
        figure = Figure(figsize=(4.4, 4.5), layout="constrained")
        axes = figure.subplots()
        draw(axes)
        axes.tick_params(colors=INK, labelsize=9)
        for spine in axes.spines.values():
            spine.set_color(NOTE)
        text = io.StringIO()
        nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
        figure.savefig(text, format="svg", transparent=True, metadata=nothing)
    return _embed(key, text.getvalue())


def _embed(key: str, svg: str) -> str:
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    size = re.search(r'viewBox="[^"]*"', svg)[0]
    svg = re.sub(r"<svg[^>]*>", f'<svg {size} aria-hidden="true" focusable="false">', svg, count=1)
    # Nothing but the namespace would be left that names an address.
    svg = re.sub(r'\bid="', f'id="{key}-', svg)
    svg = re.sub(r'xlink:href="#', f'href="#{key}-', svg)
    svg = svg.replace("url(#", f"url(#{key}-")
    for color, name in _COLORS.items():
        svg = re.sub(color, f"var(--{name})", svg, flags=re.IGNORECASE)
    return svg
