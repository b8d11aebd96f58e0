"""Learning curves, decision curves, and the comparison of two scores."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from hybridlesion.exceptions import TableError
from hybridlesion.metrics import LOWER_IS_BETTER, decision_curve, roc_curve
from hybridlesion.plotting._style import (
    BENIGN,
    INK,
    MALIGNANT,
    MODEL,
    NOTE,
    finish_axes,
    plain_text,
    save_figure,
    write,
)

# The palette of Okabe and Ito, for data sources.
_COLORS = (MODEL, MALIGNANT, BENIGN, "#E69F00", "#56B4E9", "#CC79A7", INK)


def curve_figure(curves: pd.DataFrame, out: str | os.PathLike) -> Path:
    """Draw the learning curves of a fine-tuning run.

    Parameters
    ----------
    curves : DataFrame
        Columns fold, epoch, loss, and AUCs of held-out images, for example ``melanoma AUC,
        ham10000``, as in ``curves.csv`` from `hybridlesion finetune`.
    out : str or path-like
        File to write, usually PNG.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    TableError
        If a column is missing, or `curves` is empty.
    """
    if curves.empty or not {"fold", "epoch", "loss"} <= set(curves.columns):
        raise TableError("`curves` must have rows and the columns epoch, fold, loss.")
    panels = {"training loss": {"": "loss"}}
    for column in curves.columns:
        measure, comma, source = column.partition(" AUC, ")
        if comma:
            panels.setdefault(f"{measure.replace('_', ' ')}, held-out AUC", {})[source] = column
    figure = Figure(figsize=(4.6 * len(panels), 3.4), layout="constrained")
    places = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, (label, columns) in zip(places, panels.items(), strict=True):
        for number, (source, column) in enumerate(columns.items()):
            color = _COLORS[number % len(_COLORS)] if len(columns) > 1 else MODEL
            for _, curve in curves.groupby("fold"):
                axes.plot(curve["epoch"], curve[column], color=color, alpha=0.25, linewidth=1)
            mean = curves.groupby("epoch")[column].mean()
            axes.plot(mean.index, mean, color=color, linewidth=2.2, label=plain_text(source))
        finish_axes(axes, x_label="epoch", y_label=label)
        axes.xaxis.get_major_locator().set_params(integer=True)
    # The sources are the same in every panel.
    if len(columns) > 1:
        handles = axes.get_legend_handles_labels()
        figure.legend(*handles, loc="outside right center", fontsize=8, frameon=False)
    n_folds = curves["fold"].nunique()
    figure.suptitle(f"Bold: mean of {n_folds} folds. Pale: single folds.", fontsize=9, color=NOTE)
    return save_figure(figure, out, dpi=150)


_TICKS = np.array([0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5])
_LESIONS = 1000


def decision_figure(
    y: ArrayLike,
    score: ArrayLike,
    out: str | os.PathLike,
    *,
    threshold: float | None = None,
    groups: ArrayLike | None = None,
    n_bootstrap: int = 500,
    random_state: int | None = 0,
    title: str | None = None,
) -> Path:
    """Draw the decision curve: net benefit against the threshold probability.

    Parameters
    ----------
    y : array-like of shape (n,), 0 or 1
        Truth, 1 for malignant; both must occur.
    score : array-like of shape (n,), 0 to 1
        Predicted probability of malignancy.
    out : str or path-like
        File to write, usually PNG.
    threshold : float, default=None
        Threshold to mark, if any.
    groups : array-like of shape (n,), default=None
        Patient of each row, used for the band. If None, each row is treated as its own patient.
    n_bootstrap : int, default=500
        Number of bootstrap samples for the 95 % band; if 0, no band is drawn.
    random_state : int or None, default=0
        Random seed.
    title : str, default=None
        Title. If None, it states the number of images.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    TableError
        If only one class occurs, or a score lies outside 0 to 1.

    Notes
    -----
    See `hybridlesion.metrics.net_benefit`. The upper axis gives the odds that correspond to the
    probability: a threshold of 5 % accepts 19 false positives for one true positive.
    """
    y, score = np.asarray(y, dtype=int), np.asarray(score, dtype=float)
    options = {"n_bootstrap": n_bootstrap, "random_state": random_state}
    try:
        curve = decision_curve(
            y, score, groups=None if groups is None else np.asarray(groups), **options
        )
    except ValueError as error:
        raise TableError(f"cannot compute the decision curve: {error}") from error
    prevalence = float(np.mean(y))
    figure = Figure(figsize=(7.6, 4.9), layout="constrained")
    axes = figure.subplots()
    _draw_lines(axes, curve)
    _finish(axes, curve, prevalence)
    if threshold is not None and curve["threshold"].min() <= threshold <= 0.5:
        axes.axvline(threshold, color=MALIGNANT, lw=1.2, ls="--")
        place = {"transform": axes.get_xaxis_transform(), "va": "top"}
        place["ha"] = "right" if threshold > 0.08 else "left"
        write(axes, threshold, 0.985, f" threshold {threshold:.3g} ", 9, color=MALIGNANT, **place)
    heading = title or f"Net benefit: {len(y):,} images, {int(np.sum(y)):,} malignant"
    figure.suptitle(heading, fontsize=12, color=INK, fontweight="bold", x=0.02, ha="left")
    return save_figure(figure, out, dpi=150)


def _draw_lines(axes: Axes, curve: pd.DataFrame) -> None:
    t = curve["threshold"]
    axes.axhline(0, color=NOTE, lw=1.4, label="treat none")
    axes.plot(t, _LESIONS * curve["act_on_all"], color=BENIGN, lw=1.8, label="treat all")
    if "low" in curve:
        low, high = _LESIONS * curve["low"], _LESIONS * curve["high"]
        axes.fill_between(t, low, high, color=MODEL, alpha=0.15, lw=0, label="95 % interval")
    axes.plot(t, _LESIONS * curve["net_benefit"], color=MODEL, lw=2.2, label="treat by score")
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles[::-1], labels[::-1], loc="lower left", fontsize=9, frameon=False)


def _finish(axes: Axes, curve: pd.DataFrame, prevalence: float) -> None:
    top = _LESIONS * max(prevalence, curve.get("high", curve["net_benefit"]).max())
    axes.set_xscale("log")
    axes.set(xlim=(curve["threshold"].min(), 0.5), ylim=(-0.45 * top, 1.12 * top))
    ticks = _TICKS[(curve["threshold"].min() <= _TICKS) & (_TICKS <= 0.5)]
    axes.set_xticks(ticks, [f"{100 * tick:g} %" for tick in ticks])
    axes.minorticks_off()
    y_label = f"Net benefit (true positives per {_LESIONS:,} lesions)"
    finish_axes(axes, x_label="Threshold probability", y_label=y_label)
    above = axes.secondary_xaxis("top")
    above.set_xticks(ticks, [f"{(1 - tick) / tick:,.0f}" for tick in ticks])
    above.minorticks_off()
    above.spines["top"].set_visible(False)
    above.tick_params(colors=NOTE, labelsize=9, length=0)
    above.set_xlabel("False positives accepted for one true positive", color=NOTE, fontsize=9)


# Metrics that improve in one direction; slope and calibration in the large are best at 1.
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
    """Draw the ROC curves of two scores, and their differences with intervals.

    Parameters
    ----------
    y : array-like of shape (n,), 0 or 1
        Truth, 1 for malignant; both must occur.
    score, against : array-like of shape (n,)
        The two scores.
    out : str or path-like
        File to write, usually PNG.
    comparison : DataFrame
        Result of `hybridlesion.metrics.compare_scores`.
    names : tuple of str, default=("score", "against")
        Names of the two scores.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    TableError
        If only one class occurs.
    """
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
        x, height = curve["false_positive_rate"], curve["sensitivity"]
        roc.plot(x, height, color=colour, lw=2, label=label)
    roc.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), box_aspect=1)
    legend = roc.legend(loc="lower right", fontsize=9, frameon=False, reverse=True)
    for text in legend.get_texts():
        text.set_parse_math(False)
    _draw_differences(differences, rows)
    finish_axes(roc, x_label="1 - specificity", y_label="Sensitivity")
    finish_axes(differences)
    better = f"{theirs} better   |   {ours} better"
    differences.set_xlabel(better, color=INK, parse_math=False)
    heading = f"Two scores of {len(y):,} images, {y.sum():,} malignant"
    figure.suptitle(heading, fontsize=12, color=INK, fontweight="bold", x=0.01, ha="left")
    return save_figure(figure, out, dpi=130)


def _draw_differences(axes: Axes, rows: pd.DataFrame) -> None:
    """Draw the differences so that values to the right are better."""
    known = [name for name in _NAMES if name in rows.index and np.isfinite(rows.loc[name, "low"])]
    axes.axvline(0, color=NOTE, lw=1.2)
    reach = 1e-6
    for height, name in enumerate(reversed(known)):
        sign = -1 if name in LOWER_IS_BETTER else 1
        value, *ends = (sign * rows.loc[name, key] for key in ("difference", "low", "high"))
        # Intervals that exclude zero are coloured.
        settled = min(ends) > 0 or max(ends) < 0
        colour = (MODEL if value > 0 else MALIGNANT) if settled else NOTE
        axes.plot(ends, [height] * 2, color=colour, lw=2, solid_capstyle="butt")
        axes.plot(value, height, "o", color=colour, ms=6)
        p = rows.loc[name, "p"]
        digits, p_text = 3 if abs(value) >= 0.002 else 5, "< 0.001" if p < 0.001 else f"{p:.3f}"
        words = f"{value:+.{digits}f}   p {p_text}"
        write(axes, 1.02, height, words, 9, transform=axes.get_yaxis_transform())
        reach = max(reach, *map(abs, ends))
    labels = [_NAMES[name] + (", reversed" if name in LOWER_IS_BETTER else "") for name in known]
    axes.set_yticks(range(len(known)), labels[::-1])
    axes.set_xlim(-1.1 * reach, 1.1 * reach)
    axes.set_ylim(-0.6, len(known) - 0.4)
    axes.set_title("Differences with 95 % intervals", color=INK, fontsize=10.5, loc="left")
