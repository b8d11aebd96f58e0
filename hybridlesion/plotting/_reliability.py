"""Are the probabilities true? Observed against predicted, with and without bins."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from hybridlesion._formatting import measure_words
from hybridlesion.exceptions import TableError
from hybridlesion.metrics import reliability_curve
from hybridlesion.plotting._style import BENIGN, GRID, INK, MALIGNANT, MODEL, NOTE, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["reliability_figure"]

_ROWS_PER_BIN = 20
_MAX_BINS = 10
# From so many images on, twice as many bins are still steady.
_MANY = 4000
# Below this prevalence the axes are drawn by square roots, or all bins would share one corner.
_RARE = 0.15
_TICKS = (0, 0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1)
_NAMES = (
    ("Slope", "calibration_slope"),
    ("Observed / expected", "calibration_in_the_large"),
    ("Brier", "brier"),
)


def reliability_figure(
    y: ArrayLike,
    score: ArrayLike,
    out: str | os.PathLike,
    *,
    metrics: pd.DataFrame | None = None,
    title: str | None = None,
) -> Path:
    """Draw observed shares against predicted probabilities, and how the scores are spread.

    Parameters
    ----------
    y : array-like of shape (n,), 0 or 1
        Truth, 1 for malignant; both must occur.
    score : array-like of shape (n,), 0 to 1
        Predicted probability of malignancy.
    out : str or path-like
        File to write, usually PNG.
    metrics : DataFrame, default=None
        Columns metric, value, low, high, for the figures in the heading; None shows none.
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
    The points are bins of equally many images with 95 % Wilson intervals. The pale line is the
    isotonic regression of the truth on the score, which needs no bins [1]_. Where fewer than 15 %
    are malignant, both axes are drawn by square roots; the diagonal stays straight.

    References
    ----------
    .. [1] T. Dimitriadis, T. Gneiting, A. I. Jordan, "Stable reliability diagrams for
       probabilistic classifiers", PNAS 118 (8), e2016191118, 2021.
    """
    from matplotlib.figure import Figure

    y, score = np.asarray(y, dtype=int), np.asarray(score, dtype=float)
    if len(np.unique(y)) < 2 or score.min() < 0 or score.max() > 1:
        raise TableError(
            "reliability needs benign and malignant cases and scores from 0 to 1; got "
            f"{len(np.unique(y))} classes and scores from {score.min():g} to {score.max():g}."
        )
    figure = Figure(figsize=(6.2, 7.2), layout="constrained")
    curve, spread = figure.subplots(2, 1, height_ratios=(3.4, 1), sharex=True)
    rare = y.mean() < _RARE
    limit = _draw_curve(curve, y, score)
    _draw_spread(spread, y, score, limit, rare)
    for axes in (curve, spread):
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(colors=INK, labelsize=9)
        axes.set_axisbelow(True)
    _scale(curve, limit, rare, ("x", "y"))
    spread.set_xlabel("Predicted probability of malignancy", color=INK)
    heading = title or f"Reliability: {len(y):,} images, {y.sum():,} malignant ({y.mean():.1%})"
    figure.suptitle(heading, fontsize=12, color=INK, fontweight="bold", x=0.02, ha="left")
    curve.set_title(_words(metrics), fontsize=9, color=INK, loc="left")
    return save_figure(figure, out, dpi=150)


def _draw_curve(axes: Axes, y: np.ndarray, score: np.ndarray) -> float:
    from sklearn.isotonic import IsotonicRegression

    most = _MAX_BINS if len(y) < _MANY else 2 * _MAX_BINS
    bins = reliability_curve(y, score, n_bins=int(np.clip(len(y) // _ROWS_PER_BIN, 2, most)))
    limit = float(min(1.0, 1.02 * max(score.max(), bins["high"].max())))
    axes.plot([0, 1], [0, 1], color=NOTE, lw=1, ls=":", zorder=1)
    ordered = np.unique(score)
    fitted = IsotonicRegression(y_min=0, y_max=1).fit(score, y).predict(ordered)
    axes.plot(ordered, fitted, color=MODEL, lw=2, alpha=0.35, zorder=2, label="without bins")
    # Rounding may put a bound of 0 or 1 just past the value it belongs to.
    below = (bins["observed"] - bins["low"]).clip(lower=0)
    above = (bins["high"] - bins["observed"]).clip(lower=0)
    axes.errorbar(
        bins["predicted"],
        bins["observed"],
        yerr=[below, above],
        fmt="o",
        color=MODEL,
        ms=5.5,
        elinewidth=1.4,
        zorder=3,
        label=f"{len(bins)} bins of about {round(len(y) / len(bins)):,}, 95 % interval",
    )
    axes.set_ylabel("Observed share malignant", color=INK)
    axes.legend(loc="upper left", fontsize=9, frameon=False, labelcolor=INK)
    for words, x, height in (("too low", 0.3, 0.62), ("too high", 0.82, 0.36)):
        axes.text(x, height, f"scores {words}", transform=axes.transAxes, color=NOTE, fontsize=8.5,
                  ha="center", style="italic")  # fmt: skip
    return limit


def _draw_spread(axes: Axes, y: np.ndarray, score: np.ndarray, limit: float, rare: bool) -> None:
    """Draw what share of each class lies where: malignant upward, benign downward."""
    roots = np.linspace(0, np.sqrt(limit), 41)
    edges = roots**2 if rare else np.linspace(0, limit, 41)
    for value, colour, sign in ((1, MALIGNANT, 1), (0, BENIGN, -1)):
        inside = score[y == value]
        share = np.histogram(inside, edges)[0] / len(inside)
        axes.stairs(sign * share, edges, fill=True, color=colour, alpha=0.75, lw=0)
    axes.axhline(0, color=INK, lw=0.8)
    height = 1.15 * max(abs(bound) for bound in axes.get_ylim())
    axes.set_ylim(-height, height)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    for word, colour, place in (("malignant", MALIGNANT, 0.93), ("benign", BENIGN, 0.07)):
        axes.text(0.995, place, word, transform=axes.transAxes, color=colour, fontsize=9,
                  ha="right", va="top" if place > 0.5 else "bottom")  # fmt: skip


def _scale(axes: Axes, limit: float, rare: bool, sides: tuple[str, ...]) -> None:
    ticks = _choose_ticks(limit)
    for side in sides:
        if rare:
            getattr(axes, f"set_{side}scale")("function", functions=(_root, np.square))
            getattr(axes, f"set_{side}ticks")(ticks, [f"{tick:g}" for tick in ticks])
            getattr(axes, f"{side}axis").minorticks_off()
        axes.set(**{f"{side}lim": (0, limit)})
    axes.grid(color=GRID, lw=0.6)


def _choose_ticks(limit: float) -> list[float]:
    """Take as many ticks as have room on an axis of square roots, from the highest down."""
    chosen: list[float] = []
    for tick in reversed([tick for tick in _TICKS if tick <= limit]):
        if not chosen or np.sqrt(chosen[-1]) - np.sqrt(tick) > 0.065 * np.sqrt(limit):
            chosen.append(tick)
    return chosen


def _root(values: np.ndarray) -> np.ndarray:
    return np.sqrt(np.maximum(values, 0))


def _words(metrics: pd.DataFrame | None) -> str:
    if metrics is None:
        return ""
    rows = {row.metric: row for row in metrics.itertuples()}
    parts = []
    for label, name in _NAMES:
        if name in rows:
            value, interval = measure_words(name, rows[name].value, rows[name].low, rows[name].high)
            parts.append(f"{label} {value}" + (f" ({interval})" if interval else ""))
    return "   ".join(parts[:2]) + "".join(f"\n{part}" for part in parts[2:])
