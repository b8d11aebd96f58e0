"""One figure that answers: does it rank well, and are its probabilities true?"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from hybridlesion._formatting import measure_words
from hybridlesion.exceptions import TableError
from hybridlesion.metrics import precision_recall_curve, reliability_curve, roc_curve
from hybridlesion.plotting._style import BENIGN, GRID, INK, MALIGNANT, MODEL, NOTE, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "draw_precision_recall",
    "draw_reliability",
    "draw_roc",
    "finish_axes",
    "legend_words",
    "metric_figure",
]

_MIN_SENSITIVITY = 0.8
_MAX_BINS = 10
_ROWS_PER_BIN = 20
# Ticks of single scores drawn for each class; more would only make a bar.
_MOST_TICKS = 500


def metric_figure(
    y: ArrayLike,
    score: ArrayLike,
    out: str | os.PathLike,
    *,
    threshold: float | None = None,
    metrics: pd.DataFrame | None = None,
    title: str | None = None,
) -> Path:
    """Draw ROC curve, precision-recall curve and reliability diagram side by side.

    Parameters
    ----------
    y : array-like of shape (n,), 0 or 1
        Truth, 1 for malignant; both must occur.
    score : array-like of shape (n,), 0 to 1
        Predicted probability of malignancy.
    out : str or path-like
        File to write, usually PNG.
    threshold : float, default=None
        Operating point to mark; None marks none.
    metrics : DataFrame, default=None
        Columns metric, value, low, high, for the figures in the legends; None shows none.
    title : str, default=None
        Heading; None takes the number of images.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    TableError
        If only one class occurs.

    Notes
    -----
    The shaded part of the ROC panel is the region above 80 % sensitivity that the ISIC 2024
    partial AUC measures. Reliability bins hold equally many images each; bars are 95 % Wilson
    intervals.
    """
    from matplotlib.figure import Figure

    y, score = np.asarray(y, dtype=int), np.asarray(score, dtype=float)
    if len(np.unique(y)) < 2:
        raise TableError("curves need benign and malignant cases; only one class occurs.")
    words = legend_words(metrics)
    figure = Figure(figsize=(13.2, 4.9), layout="constrained")
    roc, precision_recall, reliability = figure.subplots(1, 3)
    draw_roc(roc, y, score, threshold, words)
    draw_precision_recall(precision_recall, y, score, threshold, words)
    draw_reliability(reliability, y, score, words)
    heading = title or f"{len(y):,} images, {y.sum():,} malignant ({y.mean():.1%})"
    figure.suptitle(heading, fontsize=13, color=INK, fontweight="bold")
    return save_figure(figure, out, dpi=130)


def legend_words(metrics: pd.DataFrame | None) -> dict[str, str]:
    """Word each measure with its interval.

    Parameters
    ----------
    metrics : DataFrame or None
        Columns metric, value, low, high; None gives nothing.

    Returns
    -------
    dict of str to str
        Words by measure.
    """
    if metrics is None:
        return {}
    words = {}
    for row in metrics.itertuples():
        value, interval = measure_words(row.metric, row.value, row.low, row.high)
        words[row.metric] = f"{value} ({interval})" if interval else value
    return words


def draw_roc(axes: Axes, y, score, threshold, words) -> None:
    """Draw the ROC curve into a panel.

    Parameters
    ----------
    axes : Axes
        Empty panel.
    y : ndarray of shape (n,), int
        Truth, 1 for malignant; both classes occur.
    score : ndarray of shape (n,), 0 to 1
        Predicted probability of malignancy.
    threshold : float or None
        Operating point to mark.
    words : dict of str to str
        What `legend_words` gave.
    """
    curve = roc_curve(y, score)
    axes.axhspan(_MIN_SENSITIVITY, 1, color=MODEL, alpha=0.08, lw=0)
    axes.text(0.77, 0.81, "pAUC region", ha="right", va="bottom", fontsize=8, color=MODEL)
    axes.plot([0, 1], [0, 1], color=NOTE, lw=1, ls=":")
    axes.plot(curve["false_positive_rate"], curve["sensitivity"], color=MODEL, lw=2)
    if threshold is not None:
        called = score >= threshold
        x, height = called[y == 0].mean(), called[y == 1].mean()
        _mark_threshold(axes, x, height, threshold)
    finish_axes(axes, "1 - specificity", "Sensitivity", "ROC curve")
    _note(axes, [("AUC", "auc"), ("pAUC", "pauc")], words)


def draw_precision_recall(axes: Axes, y, score, threshold, words) -> None:
    """Draw precision against recall into a panel.

    Parameters
    ----------
    axes : Axes
        Empty panel.
    y : ndarray of shape (n,), int
        Truth, 1 for malignant; both classes occur.
    score : ndarray of shape (n,), 0 to 1
        Predicted probability of malignancy.
    threshold : float or None
        Operating point to mark.
    words : dict of str to str
        What `legend_words` gave.
    """
    curve = precision_recall_curve(y, score)
    axes.axhline(y.mean(), color=NOTE, lw=1, ls=":")
    axes.text(0.02, y.mean() + 0.012, "prevalence", fontsize=8, color=NOTE)
    axes.plot(curve["recall"], curve["precision"], color=MODEL, lw=2, drawstyle="steps-post")
    if threshold is not None and (score >= threshold).any():
        called = score >= threshold
        _mark_threshold(axes, called[y == 1].mean(), y[called].mean(), threshold)
    finish_axes(axes, "Sensitivity (recall)", "Precision", "Precision and recall")
    _note(axes, [("Average precision", "average_precision")], words)


def draw_reliability(axes: Axes, y, score, words) -> None:
    """Draw the reliability diagram into a panel.

    Parameters
    ----------
    axes : Axes
        Empty panel.
    y : ndarray of shape (n,), int
        Truth, 1 for malignant; both classes occur.
    score : ndarray of shape (n,), 0 to 1
        Predicted probability of malignancy.
    words : dict of str to str
        What `legend_words` gave.
    """
    n_bins = int(np.clip(len(y) // _ROWS_PER_BIN, 2, _MAX_BINS))
    bins = reliability_curve(y, score, n_bins=n_bins)
    limit = min(1.0, 1.1 * max(bins["predicted"].max(), bins["high"].max(), 0.05))
    # Rounding may put a bound of 0 or 1 just past the value it belongs to.
    below = (bins["observed"] - bins["low"]).clip(lower=0)
    above = (bins["high"] - bins["observed"]).clip(lower=0)
    axes.plot([0, 1], [0, 1], color=NOTE, lw=1, ls=":")
    axes.errorbar(
        bins["predicted"],
        bins["observed"],
        yerr=[below, above],
        color=MODEL,
        marker="o",
        ms=6,
        lw=1.6,
        capsize=3,
    )
    # Where the scores lie: malignant along the top edge, benign along the bottom.
    for value, height, color in ((1, 0.985, MALIGNANT), (0, 0.015, BENIGN)):
        ticks = _thin(score[y == value])
        axes.plot(ticks, np.full(len(ticks), height * limit), "|", color=color, ms=9)
    box = {"facecolor": "white", "alpha": 0.8, "lw": 0, "pad": 1}
    axes.text(0.02, 0.945, "malignant", color=MALIGNANT, fontsize=8, va="top",
              transform=axes.transAxes, bbox=box)  # fmt: skip
    axes.text(0.98, 0.055, "benign", color=BENIGN, fontsize=8, ha="right",
              transform=axes.transAxes, bbox=box)  # fmt: skip
    finish_axes(axes, "Predicted probability", "Observed share malignant", "Reliability", limit)
    _note(axes, [("Slope", "calibration_slope"), ("error", "calibration_error")], words)


def _thin(scores: np.ndarray) -> np.ndarray:
    """Keep evenly spread ranks of many scores."""
    if len(scores) <= _MOST_TICKS:
        return scores
    return np.sort(scores)[np.linspace(0, len(scores) - 1, _MOST_TICKS).astype(int)]


def _mark_threshold(axes: Axes, x: float, height: float, threshold: float) -> None:
    axes.plot(x, height, "o", color=MALIGNANT, ms=8, mec="white", mew=1.2, zorder=5)
    below = height > 0.5
    axes.annotate(
        f"threshold {threshold:.3g}",
        (x, height),
        xytext=(-10 if x > 0.7 else 10, -14 if below else 10),
        textcoords="offset points",
        ha="right" if x > 0.7 else "left",
        fontsize=9,
        color=MALIGNANT,
        bbox={"facecolor": "white", "alpha": 0.75, "lw": 0, "pad": 1},
        zorder=4,
    )


def _note(axes: Axes, parts, words) -> None:
    """Write figures between title and panel: inside, a curve may run anywhere."""
    text = ", ".join(f"{label} {words[name]}" for label, name in parts if name in words)
    axes.text(0, 1.015, text, ha="left", va="bottom", fontsize=9, color=INK,
              transform=axes.transAxes)  # fmt: skip


def finish_axes(axes: Axes, x_label: str, y_label: str, title: str, limit: float = 1.0) -> None:
    """Give a square panel its limits, labels and grid.

    Parameters
    ----------
    axes : Axes
        Panel.
    x_label, y_label, title : str
        What stands beside, below and above it.
    limit : float, default=1.0
        End of both axes.
    """
    axes.set(xlim=(-0.01 * limit, limit * 1.01), ylim=(-0.01 * limit, limit * 1.01))
    axes.set_xlabel(x_label, color=INK)
    axes.set_ylabel(y_label, color=INK)
    axes.set_title(title, color=INK, fontsize=11, loc="left", pad=20)
    axes.grid(color=GRID, lw=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_box_aspect(1)
