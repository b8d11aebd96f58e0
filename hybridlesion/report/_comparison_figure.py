"""Which of two scores is better, and by how much?"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from hybridlesion.evaluation import LOWER_IS_BETTER, roc_curve
from hybridlesion.exceptions import TableError
from hybridlesion.report._plain_text import plain_text
from hybridlesion.report._style import GRID, INK, MALIGNANT, MODEL, NOTE, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["comparison_figure"]

# Measures of which more, or less, is better; slope and calibration in the large are best at 1.
_NAMES = {
    "auc": "AUC",
    "average_precision": "average precision",
    "pauc": "pAUC above 80 %",
    "specificity_at_80_sensitivity": "specificity at 80 %",
    "specificity_at_90_sensitivity": "specificity at 90 %",
    "specificity_at_95_sensitivity": "specificity at 95 %",
    "f1": "F1",
    "net_benefit": "net benefit",
    "brier": "Brier score",
}


def comparison_figure(
    y: ArrayLike,
    score: ArrayLike,
    against: ArrayLike,
    out: str | os.PathLike,
    *,
    comparison: pd.DataFrame,
    names: tuple[str, str] = ("score", "against"),
) -> Path:
    """Draw both ROC curves, and the differences with their intervals.

    Parameters
    ----------
    y : array-like of shape (n,), 0 or 1
        Truth, 1 for malignant; both must occur.
    score, against : array-like of shape (n,)
        The two scores.
    out : str or path-like
        File to write, usually PNG.
    comparison : DataFrame
        What `hybridlesion.evaluation.compare_scores` gave.
    names : tuple of str, default=("score", "against")
        What the two scores are called.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    TableError
        If only one class occurs.
    """
    from matplotlib.figure import Figure

    y = np.asarray(y, dtype=int)
    if len(np.unique(y)) < 2:
        raise TableError("curves need benign and malignant cases; only one class occurs.")
    ours, theirs = (plain_text(name, 30) for name in names)
    figure = Figure(figsize=(11.6, 4.9), layout="constrained")
    roc, differences = figure.subplots(1, 2, width_ratios=(1, 1.25))
    rows = comparison.set_index("metric")
    roc.plot([0, 1], [0, 1], color=NOTE, lw=1, ls=":")
    for values, column, name, colour in (
        (against, "against", theirs, MALIGNANT),
        (score, "value", ours, MODEL),
    ):
        curve = roc_curve(y, np.asarray(values, dtype=float))
        label = f"{name}: AUC {rows.loc['auc', column]:.3f}"
        roc.plot(
            curve["false_positive_rate"], curve["sensitivity"], color=colour, lw=2, label=label
        )
    roc.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), box_aspect=1)
    roc.set_xlabel("1 - specificity", color=INK)
    roc.set_ylabel("Sensitivity", color=INK)
    legend = roc.legend(loc="lower right", fontsize=9, frameon=False, reverse=True)
    for text in legend.get_texts():
        text.set_parse_math(False)
    _draw_differences(differences, rows, ours, theirs)
    for axes in (roc, differences):
        axes.grid(color=GRID, lw=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(colors=INK, labelsize=9)
    heading = f"Two scores of {len(y):,} images, {y.sum():,} malignant"
    figure.suptitle(heading, fontsize=12, color=INK, fontweight="bold", x=0.01, ha="left")
    return save_figure(figure, out, dpi=130)


def _draw_differences(axes: Axes, rows: pd.DataFrame, ours: str, theirs: str) -> None:
    """Draw each difference so that the right is the better side for the score in question."""
    known = [name for name in _NAMES if name in rows.index and np.isfinite(rows.loc[name, "low"])]
    axes.axvline(0, color=NOTE, lw=1.2)
    reach = 1e-6
    for height, name in enumerate(reversed(known)):
        sign = -1 if name in LOWER_IS_BETTER else 1
        value, *ends = (sign * rows.loc[name, key] for key in ("difference", "low", "high"))
        # An interval without zero is drawn in full colour.
        settled = min(ends) > 0 or max(ends) < 0
        colour = (MODEL if value > 0 else MALIGNANT) if settled else NOTE
        axes.plot(ends, [height] * 2, color=colour, lw=2, solid_capstyle="butt")
        axes.plot(value, height, "o", color=colour, ms=6)
        words = f"{value:+.{_digits(value)}f}   p {_p_words(rows.loc[name, 'p'])}"
        axes.text(1.02, height, words, va="center", fontsize=9, color=INK,
                  transform=axes.get_yaxis_transform())  # fmt: skip
        reach = max(reach, *map(abs, ends))
    labels = [
        _NAMES[name] + (", turned round" if name in LOWER_IS_BETTER else "") for name in known
    ]
    axes.set_yticks(range(len(known)), labels[::-1])
    axes.set_xlim(-1.1 * reach, 1.1 * reach)
    axes.set_ylim(-0.6, len(known) - 0.4)
    axes.set_xlabel(f"{theirs} better   |   {ours} better", color=INK, parse_math=False)
    axes.set_title("Differences with 95 % intervals", color=INK, fontsize=10.5, loc="left")


def _digits(value: float) -> int:
    return 3 if abs(value) >= 0.002 else 5


def _p_words(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
