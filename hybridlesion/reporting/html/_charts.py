"""Charts as inline SVG in the light and dark colours of the page."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hybridlesion.metrics import decision_curve
from hybridlesion.plotting import (
    THEME,
    draw_precision_recall,
    draw_reliability,
    draw_roc,
    legend_words,
    square_panel,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MODEL, MALIGNANT, INK, NOTE = (THEME[name] for name in ("model", "malignant", "ink", "note"))


@dataclass(frozen=True)
class Chart:
    """One figure of the page.

    Parameters
    ----------
    key : str
        Prefix of the ids in the drawing, so that they are unique on the page.
    svg : str
        The drawing; contains no text from outside.
    alt : str
        Text alternative.
    caption : str
        Caption.
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
        Prefix of ids, unique on the page.
    y : ndarray of shape (n,), int
        Truth, 1 for malignant; both classes occur.
    score : ndarray of shape (n,), 0 to 1
        Probabilities.
    threshold : float or None
        Threshold to mark.
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
            f"ROC curve, area {words.get('auc', 'not available')}.",
            "A curve closer to the upper left corner is better; the dotted line is chance.",
        ),
        "pr": (
            lambda axes: draw_precision_recall(axes, y, score, threshold, words),
            f"Precision-recall curve, average precision "
            f"{words.get('average_precision', 'not available')}.",
            "Share of positive lesions that are malignant, against sensitivity. The dotted line is "
            "a random classifier.",
        ),
        "reliability": (
            lambda axes: draw_reliability(axes, y, score, words),
            f"Reliability diagram, calibration slope "
            f"{words.get('calibration_slope', 'not available')}.",
            "On the dotted line, one in ten lesions with a score of 10 % is malignant. Bars are "
            "95 % intervals; ticks are single lesions.",
        ),
        "decision": (
            lambda axes: _draw_decision(axes, y, score, threshold),
            "Decision curve: net benefit of treating by score, treating all lesions, and none.",
            "Where the line of the model is highest, treating by score has a higher net benefit "
            "than treating all lesions or none, at that threshold probability.",
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
    square_panel(axes, "Threshold probability", "Net benefit per lesion", "Decision curve")
    top = max(float(curve["net_benefit"].max()), float(y.mean()), 1e-6)
    axes.set(xlim=(0, curve["threshold"].max()), ylim=(-0.25 * top, 1.12 * top))
    axes.plot([], [], color=NOTE, lw=1, ls=":", label="none")
    if threshold is not None and threshold <= curve["threshold"].max():
        axes.axvline(threshold, color=MALIGNANT, lw=1.2, label="threshold")
    axes.legend(frameon=False, fontsize=9, labelcolor=INK, title="treat", alignment="left")
    axes.get_legend().get_title().set(color=NOTE, fontsize=9)


def figure_to_svg(key: str, draw: Callable[[Axes], None]) -> str:
    """Draw one panel as SVG for the inside of a page.

    Parameters
    ----------
    key : str
        Prefix of its ids.
    draw : callable
        Draws into the panel, in colours of `hybridlesion.plotting.THEME`.

    Returns
    -------
    str
        An ``svg`` element whose colours are variables of the style sheet.
    """
    import matplotlib
    from matplotlib.figure import Figure

    # Keep text as text: searchable, readable by screen readers, in the font of the page.
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
    # Remove addresses: links within the drawing need no namespace.
    svg = re.sub(r'\bid="', f'id="{key}-', svg)
    svg = re.sub(r'xlink:href="#', f'href="#{key}-', svg)
    svg = svg.replace("url(#", f"url(#{key}-")
    for name, color in THEME.items():
        svg = re.sub(color, f"var(--{name})", svg, flags=re.IGNORECASE)
    return svg
