"""Learning curves: loss, and validation score where there is one, of each fold over the epochs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from hybridlesion.exceptions import TableError
from hybridlesion.metrics import LOWER_IS_BETTER, decision_curve, roc_curve
from hybridlesion.plotting._style import (
    BENIGN,
    GRID,
    INK,
    MALIGNANT,
    MODEL,
    NOTE,
    plain_text,
    save_figure,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["comparison_figure", "curve_figure", "decision_figure"]

_NEEDED = {"fold", "epoch", "loss"}


def curve_figure(curves: pd.DataFrame, out: str | os.PathLike) -> Path:
    """Draw the learning curves of a fine-tuning.

    Parameters
    ----------
    curves : DataFrame
        Columns fold, epoch, loss, and validation where it was measured; ``curves.csv`` of
        `hybridlesion finetune`.
    out : str or path-like
        File to write, usually PNG.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    TableError
        If a column is missing, or there is no row.
    """
    missing = _NEEDED - set(curves.columns)
    if missing or curves.empty:
        raise TableError(f"learning curves need rows with {', '.join(sorted(_NEEDED))}.")
    from matplotlib.figure import Figure

    panels = [("loss", "loss in training")]
    if "validation" in curves and curves["validation"].notna().any():
        panels.append(("validation", "average precision in validation"))
    figure = Figure(figsize=(4.6 * len(panels), 3.4), layout="constrained")
    for axes, (column, label) in zip(
        figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True
    ):
        for _, curve in curves.groupby("fold"):
            axes.plot(curve["epoch"], curve[column], color=MODEL, alpha=0.35, linewidth=1)
        mean = curves.groupby("epoch")[column].mean()
        axes.plot(mean.index, mean, color=MODEL, linewidth=2.2, marker="o", markersize=4)
        axes.set(xlabel="epoch", ylabel=label)
        axes.grid(color=GRID, linewidth=0.6)
        axes.tick_params(colors=INK)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        axes.xaxis.get_major_locator().set_params(integer=True)
    n_folds = curves["fold"].nunique()
    figure.suptitle(f"Mean of {n_folds} folds; each fold in pale", fontsize=9, color=NOTE)
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
    """Draw the decision curve: net benefit over the probability from which one acts.

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
    groups : array-like of shape (n,), default=None
        Patient of each row, for the band; None takes each row for a patient.
    n_bootstrap : int, default=500
        Draws behind the 95 % band; 0 draws none.
    random_state : int or None, default=0
        Seed.
    title : str, default=None
        Heading; None takes the number of images.

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
    See `hybridlesion.metrics.net_benefit`. The upper axis says the same as the lower one: who
    acts from 5 % on takes 19 needless actions for one that was needed.
    """
    from matplotlib.figure import Figure

    try:
        curve = decision_curve(
            np.asarray(y, dtype=int),
            np.asarray(score, dtype=float),
            groups=None if groups is None else np.asarray(groups),
            n_bootstrap=n_bootstrap,
            random_state=random_state,
        )
    except ValueError as error:
        raise TableError(f"no decision curve: {error}") from error
    prevalence = float(np.mean(y))
    figure = Figure(figsize=(7.6, 4.9), layout="constrained")
    axes = figure.subplots()
    _draw_lines(axes, curve)
    _finish(axes, curve, prevalence)
    if threshold is not None and curve["threshold"].min() <= threshold <= 0.5:
        axes.axvline(threshold, color=MALIGNANT, lw=1.2, ls="--")
        axes.text(threshold, 0.985, f" threshold {threshold:.3g} ", color=MALIGNANT, fontsize=9,
                  transform=axes.get_xaxis_transform(), va="top",
                  ha="right" if threshold > 0.08 else "left")  # fmt: skip
    heading = title or f"Net benefit: {len(y):,} images, {int(np.sum(y)):,} malignant"
    figure.suptitle(heading, fontsize=12, color=INK, fontweight="bold", x=0.02, ha="left")
    return save_figure(figure, out, dpi=150)


def _draw_lines(axes: Axes, curve: pd.DataFrame) -> None:
    t = curve["threshold"]
    axes.axhline(0, color=NOTE, lw=1.4, label="act on none")
    axes.plot(t, _LESIONS * curve["act_on_all"], color=BENIGN, lw=1.8, label="act on all")
    if "low" in curve:
        axes.fill_between(
            t, _LESIONS * curve["low"], _LESIONS * curve["high"], color=MODEL, alpha=0.15, lw=0,
            label="95 % interval",
        )  # fmt: skip
    axes.plot(t, _LESIONS * curve["net_benefit"], color=MODEL, lw=2.2, label="act on the score")
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles[::-1], labels[::-1], loc="lower left", fontsize=9, frameon=False)


def _finish(axes: Axes, curve: pd.DataFrame, prevalence: float) -> None:
    top = _LESIONS * max(prevalence, curve.get("high", curve["net_benefit"]).max())
    axes.set_xscale("log")
    axes.set(xlim=(curve["threshold"].min(), 0.5), ylim=(-0.45 * top, 1.12 * top))
    ticks = _TICKS[(curve["threshold"].min() <= _TICKS) & (_TICKS <= 0.5)]
    axes.set_xticks(ticks, [f"{100 * tick:g} %" for tick in ticks])
    axes.minorticks_off()
    axes.set_xlabel("Probability from which one acts", color=INK)
    axes.set_ylabel(f"Net benefit, true calls in {_LESIONS:,} lesions", color=INK)
    axes.grid(color=GRID, lw=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK, labelsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    above = axes.secondary_xaxis("top")
    above.set_xticks(ticks, [f"{(1 - tick) / tick:,.0f}" for tick in ticks])
    above.minorticks_off()
    above.spines["top"].set_visible(False)
    above.tick_params(colors=NOTE, labelsize=9, length=0)
    above.set_xlabel("Needless actions taken for one that was needed", color=NOTE, fontsize=9)


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
        What `hybridlesion.metrics.compare_scores` gave.
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
