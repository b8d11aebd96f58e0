"""Does acting on the score do more good than acting on all or on none?"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from hybridlesion.evaluation import decision_curve
from hybridlesion.exceptions import TableError
from hybridlesion.report._style import BENIGN, GRID, INK, MALIGNANT, MODEL, NOTE, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["decision_figure"]

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
    See `hybridlesion.evaluation.net_benefit`. The upper axis says the same as the lower one: who
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
