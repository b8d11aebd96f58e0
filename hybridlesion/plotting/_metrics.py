"""Discrimination and calibration: ROC, precision-recall, reliability and confusion matrix."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.scale import FuncScale
from numpy.typing import ArrayLike

from hybridlesion._formatting import measure_words
from hybridlesion.exceptions import TableError
from hybridlesion.metrics import precision_recall_curve, reliability_curve, roc_curve
from hybridlesion.plotting._style import (
    BENIGN,
    INK,
    MALIGNANT,
    MODEL,
    NOTE,
    add_heading,
    finish_axes,
    save_figure,
    write,
)

_MIN_SENSITIVITY = 0.8
_MAX_BINS = 10
_ROWS_PER_BIN = 20
# Most ticks for single scores of a class; more would merge into a bar.
_MOST_TICKS = 500
# Background of text that may lie on a curve.
_BOX = {"facecolor": "white", "alpha": 0.75, "lw": 0, "pad": 1}


def metric_figure(
    y: ArrayLike,
    score: ArrayLike,
    out: str | os.PathLike,
    *,
    threshold: float | None = None,
    metrics: pd.DataFrame | None = None,
    title: str | None = None,
) -> Path:
    """Draw the ROC curve, precision-recall curve and reliability diagram side by side.

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
    metrics : DataFrame, default=None
        Columns metric, value, low, high, shown above the panels if given.
    title : str, default=None
        Title. If None, it states the number of images.

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
    The shaded part of the ROC panel is the region above 80 % sensitivity that the ISIC 2024 partial
    AUC measures. Reliability bins contain equal numbers of images; bars are 95 % Wilson intervals.
    """
    y, score = np.asarray(y, dtype=int), np.asarray(score, dtype=float)
    if len(np.unique(y)) < 2:
        raise TableError("curves need benign and malignant cases; only one class occurs.")
    words = legend_words(metrics)
    figure = Figure(figsize=(13.2, 4.9), layout="constrained")
    roc, precision_recall, reliability = figure.subplots(1, 3)
    draw_roc(roc, y, score, threshold, words)
    draw_precision_recall(precision_recall, y, score, threshold, words)
    draw_reliability(reliability, y, score, words)
    heading = title or f"{len(y):,} images, {y.sum():,} malignant ({100 * y.mean():.1f} %)"
    figure.suptitle(heading, fontsize=13, color=INK, fontweight="bold")
    return save_figure(figure, out, dpi=130)


def legend_words(metrics: pd.DataFrame | None) -> dict[str, str]:
    """Format each metric with its interval.

    Parameters
    ----------
    metrics : DataFrame or None
        Columns metric, value, low, high; if None, the result is empty.

    Returns
    -------
    dict of str to str
        Text by metric.
    """
    words = {}
    for row in () if metrics is None else metrics.itertuples():
        value, interval = measure_words(row.metric, row.value, row.low, row.high)
        words[row.metric] = f"{value} ({interval})" if interval else value
    return words


def draw_roc(axes: Axes, y, score, threshold, words, band=None) -> None:
    """Draw the ROC curve in a panel.

    Parameters
    ----------
    axes : Axes
        Empty panel.
    y : ndarray of shape (n,), int
        Truth, 1 for malignant; both classes must occur.
    score : ndarray of shape (n,), 0 to 1
        Predicted probability of malignancy.
    threshold : float or None
        Threshold to mark.
    words : dict of str to str
        Result of `legend_words`.
    band : DataFrame, default=None
        Result of `hybridlesion.metrics.roc_band`, drawn if given.
    """
    curve = roc_curve(y, score)
    if band is not None:
        edges = (1 - band["high"], 1 - band["low"])
        axes.fill_betweenx(band["sensitivity"], *edges, color=MODEL, alpha=0.15, lw=0)
    axes.axhspan(_MIN_SENSITIVITY, 1, color=MODEL, alpha=0.08, lw=0)
    axes.text(0.77, 0.81, "pAUC region", ha="right", va="bottom", fontsize=8, color=MODEL)
    axes.plot([0, 1], [0, 1], color=NOTE, lw=1, ls=":")
    axes.plot(curve["false_positive_rate"], curve["sensitivity"], color=MODEL, lw=2)
    if threshold is not None:
        called = score >= threshold
        _mark_threshold(axes, called[y == 0].mean(), called[y == 1].mean(), threshold)
    square_panel(axes, "1 - specificity", "Sensitivity", "ROC curve")
    _note(axes, {"AUC": "auc", "pAUC": "pauc"}, words)


def draw_precision_recall(axes: Axes, y, score, threshold, words) -> None:
    """Draw precision against recall in a panel.

    Parameters
    ----------
    axes : Axes
        Empty panel.
    y : ndarray of shape (n,), int
        Truth, 1 for malignant; both classes must occur.
    score : ndarray of shape (n,), 0 to 1
        Predicted probability of malignancy.
    threshold : float or None
        Threshold to mark.
    words : dict of str to str
        Result of `legend_words`.
    """
    curve = precision_recall_curve(y, score)
    axes.axhline(y.mean(), color=NOTE, lw=1, ls=":")
    axes.text(0.02, y.mean() + 0.012, "prevalence", fontsize=8, color=NOTE)
    axes.plot(curve["recall"], curve["precision"], color=MODEL, lw=2, drawstyle="steps-post")
    if threshold is not None and (score >= threshold).any():
        called = score >= threshold
        _mark_threshold(axes, called[y == 1].mean(), y[called].mean(), threshold)
    square_panel(axes, "Sensitivity (recall)", "Precision", "Precision and recall")
    _note(axes, {"Average precision": "average_precision"}, words)


def draw_reliability(axes: Axes, y, score, words, limit=None) -> None:
    """Draw the reliability diagram in a panel.

    Parameters
    ----------
    axes : Axes
        Empty panel.
    y : ndarray of shape (n,), int
        Truth, 1 for malignant; both classes must occur.
    score : ndarray of shape (n,), 0 to 1
        Predicted probability of malignancy.
    words : dict of str to str
        Result of `legend_words`.
    limit : float, default=None
        Upper end of both axes. If None, that of `reliability_limit`.
    """
    bins = _bin(y, score, _MAX_BINS)
    limit = reliability_limit(y, score) if limit is None else limit
    axes.plot([0, 1], [0, 1], color=NOTE, lw=1, ls=":")
    _draw_bins(axes, bins, marker="o", ms=6, lw=1.6, capsize=3)
    # Ticks for single scores: malignant along the top edge, benign along the bottom.
    for value, height, color in ((1, 0.985, MALIGNANT), (0, 0.015, BENIGN)):
        ticks = _thin(score[y == value])
        axes.plot(ticks, np.full(len(ticks), height * limit), "|", color=color, ms=9)
    place = {"transform": axes.transAxes, "bbox": _BOX | {"alpha": 0.8}}
    write(axes, 0.02, 0.945, "malignant", 8, color=MALIGNANT, va="top", **place)
    write(axes, 0.98, 0.055, "benign", 8, color=BENIGN, ha="right", va="baseline", **place)
    square_panel(axes, "Predicted probability", "Observed fraction malignant", "Reliability", limit)
    _note(axes, {"Slope": "calibration_slope", "error": "calibration_error"}, words)


def reliability_limit(y: np.ndarray, score: np.ndarray) -> float:
    """Return the upper end of the axes that a reliability diagram needs.

    Parameters
    ----------
    y : ndarray of shape (n,), int
        Truth, 1 for malignant; both classes must occur.
    score : ndarray of shape (n,), 0 to 1
        Predicted probability of malignancy.

    Returns
    -------
    float
        At most 1.
    """
    bins = _bin(y, score, _MAX_BINS)
    return min(1.0, 1.1 * max(bins["predicted"].max(), bins["high"].max(), 0.05))


def _bin(y: np.ndarray, score: np.ndarray, most: int) -> pd.DataFrame:
    return reliability_curve(y, score, n_bins=int(np.clip(len(y) // _ROWS_PER_BIN, 2, most)))


def _draw_bins(axes: Axes, bins: pd.DataFrame, **style: object) -> None:
    observed = bins["observed"]
    # Rounding may put a bound of 0 or 1 slightly beyond the value.
    yerr = [(observed - bins["low"]).clip(lower=0), (bins["high"] - observed).clip(lower=0)]
    axes.errorbar(bins["predicted"], observed, yerr=yerr, color=MODEL, **style)


def _thin(scores: np.ndarray) -> np.ndarray:
    """Keep scores at evenly spaced ranks."""
    if len(scores) <= _MOST_TICKS:
        return scores
    return np.sort(scores)[np.linspace(0, len(scores) - 1, _MOST_TICKS).astype(int)]


def _mark_threshold(axes: Axes, x: float, height: float, threshold: float) -> None:
    axes.plot(x, height, "o", color=MALIGNANT, ms=8, mec="white", mew=1.2, zorder=5)
    away, side = (-10, "right") if x > 0.7 else (10, "left")
    place = {"xytext": (away, -14 if height > 0.5 else 10), "textcoords": "offset points"}
    style = {"ha": side, "fontsize": 9, "color": MALIGNANT, "bbox": _BOX, "zorder": 4}
    axes.annotate(f"threshold {threshold:.3g}", (x, height), **place, **style)


def _note(axes: Axes, names: Mapping[str, str], words: Mapping[str, str]) -> None:
    """Write metrics between title and panel, away from the curves."""
    text = ", ".join(_label(names, words))
    write(axes, 0, 1.015, text, 9, va="bottom", transform=axes.transAxes)


def _label(names: Mapping[str, str], words: Mapping[str, str]) -> list[str]:
    """Return the known metrics with their labels."""
    return [f"{label} {words[name]}" for label, name in names.items() if name in words]


def square_panel(axes: Axes, x_label: str, y_label: str, title: str, limit: float = 1.0) -> None:
    """Set the limits, labels and grid of a square panel.

    Parameters
    ----------
    axes : Axes
        Panel.
    x_label, y_label, title : str
        Labels of the axes, and title.
    limit : float, default=1.0
        Upper limit of both axes.
    """
    finish_axes(axes, x_label=x_label, y_label=y_label)
    axes.set(xlim=(-0.01 * limit, limit * 1.01), ylim=(-0.01 * limit, limit * 1.01))
    axes.set_title(title, color=INK, fontsize=11, loc="left", pad=20)
    axes.set_box_aspect(1)


# Number of images above which twice as many bins are stable.
_MANY = 4000
# Below this prevalence, both axes have a square-root scale; bins would crowd in one corner.
_RARE = 0.15
_TICKS = (0, 0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1)
_CALIBRATION = {
    "Slope": "calibration_slope",
    "Observed / expected": "calibration_in_the_large",
    "Brier": "brier",
}


def reliability_figure(
    y: ArrayLike,
    score: ArrayLike,
    out: str | os.PathLike,
    *,
    metrics: pd.DataFrame | None = None,
    title: str | None = None,
) -> Path:
    """Draw observed fractions against predicted probabilities, and the distribution of scores.

    Parameters
    ----------
    y : array-like of shape (n,), 0 or 1
        Truth, 1 for malignant; both must occur.
    score : array-like of shape (n,), 0 to 1
        Predicted probability of malignancy.
    out : str or path-like
        File to write, usually PNG.
    metrics : DataFrame, default=None
        Columns metric, value, low, high, shown below the title if given.
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
    The points are bins with equal numbers of images and 95 % Wilson intervals. The pale line is the
    isotonic regression of the truth on the score, which needs no bins [1]_. If fewer than 15 % of
    the images are malignant, both axes have a square-root scale.

    References
    ----------
    .. [1] T. Dimitriadis, T. Gneiting, A. I. Jordan, "Stable reliability diagrams for
       probabilistic classifiers", PNAS 118 (8), e2016191118, 2021.
    """
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
    finish_axes(spread, x_label="Predicted probability of malignancy")
    spread.grid(visible=False)
    finish_axes(curve, y_label="Observed fraction malignant")
    _set_scale(curve, limit, rare)
    heading = (
        title or f"Reliability: {len(y):,} images, {y.sum():,} malignant ({100 * y.mean():.1f} %)"
    )
    add_heading(figure, heading)
    parts = _label(_CALIBRATION, legend_words(metrics))
    subtitle = "   ".join(parts[:2]) + "".join(f"\n{part}" for part in parts[2:])
    curve.set_title(subtitle, fontsize=9, color=INK, loc="left")
    return save_figure(figure, out, dpi=150)


def _draw_curve(axes: Axes, y: np.ndarray, score: np.ndarray) -> float:
    from sklearn.isotonic import IsotonicRegression

    bins = _bin(y, score, _MAX_BINS if len(y) < _MANY else 2 * _MAX_BINS)
    limit = float(min(1.0, 1.02 * max(score.max(), bins["high"].max())))
    axes.plot([0, 1], [0, 1], color=NOTE, lw=1, ls=":", zorder=1)
    ordered = np.unique(score)
    fitted = IsotonicRegression(y_min=0, y_max=1).fit(score, y).predict(ordered)
    axes.plot(ordered, fitted, color=MODEL, lw=2, alpha=0.35, zorder=2, label="without bins")
    label = f"{len(bins)} bins of about {round(len(y) / len(bins)):,}, 95 % interval"
    _draw_bins(axes, bins, fmt="o", ms=5.5, elinewidth=1.4, zorder=3, label=label)
    axes.legend(loc="upper left", fontsize=9, frameon=False, labelcolor=INK)
    place = {"transform": axes.transAxes, "ha": "center", "va": "baseline", "style": "italic"}
    write(axes, 0.3, 0.62, "scores too low", 8.5, color=NOTE, **place)
    write(axes, 0.82, 0.36, "scores too high", 8.5, color=NOTE, **place)
    return limit


def _draw_spread(axes: Axes, y: np.ndarray, score: np.ndarray, limit: float, rare: bool) -> None:
    """Draw the distribution of scores by class: malignant upward, benign downward."""
    edges = np.linspace(0, np.sqrt(limit), 41) ** 2 if rare else np.linspace(0, limit, 41)
    for value, colour, sign in ((1, MALIGNANT, 1), (0, BENIGN, -1)):
        inside = score[y == value]
        share = np.histogram(inside, edges)[0] / len(inside)
        axes.stairs(sign * share, edges, fill=True, color=colour, alpha=0.75, lw=0)
    axes.axhline(0, color=INK, lw=0.8)
    height = 1.15 * np.abs(axes.get_ylim()).max()
    axes.set(ylim=(-height, height), yticks=[])
    axes.spines["left"].set_visible(False)
    place = {"transform": axes.transAxes, "ha": "right"}
    write(axes, 0.995, 0.93, "malignant", 9, color=MALIGNANT, va="top", **place)
    write(axes, 0.995, 0.07, "benign", 9, color=BENIGN, va="bottom", **place)


def _set_scale(axes: Axes, limit: float, rare: bool) -> None:
    if rare:
        root = FuncScale(axes, (lambda values: np.sqrt(np.maximum(values, 0)), np.square))
        axes.set(xscale=root, yscale=root)
        ticks = _choose_ticks(limit)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_ticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
    axes.set(xlim=(0, limit), ylim=(0, limit))


def _choose_ticks(limit: float) -> list[float]:
    """Choose ticks that do not overlap on a square-root axis, from the highest down."""
    chosen: list[float] = []
    for tick in reversed([tick for tick in _TICKS if tick <= limit]):
        if not chosen or np.sqrt(chosen[-1]) - np.sqrt(tick) > 0.065 * np.sqrt(limit):
            chosen.append(tick)
    return chosen


_DIAGNOSES = {"Balanced accuracy": "balanced_accuracy", "macro AUC": "macro_auc"}
# Share of a row above which cells are dark and need light text.
_DARK = 0.6


def confusion_figure(
    counts: pd.DataFrame, out: str | os.PathLike, *, metrics: pd.DataFrame | None = None
) -> Path:
    """Draw a confusion matrix, coloured by the shares within each row.

    Parameters
    ----------
    counts : DataFrame of shape (k, k), int
        Result of `hybridlesion.metrics.confusion_matrix`.
    out : str or path-like
        File to write, usually PNG.
    metrics : DataFrame, default=None
        Result of `hybridlesion.metrics.evaluate_diagnoses`, shown above the matrix if given.

    Returns
    -------
    Path
        `out`.
    """
    values = counts.to_numpy()
    shares = values / np.maximum(values.sum(axis=1, keepdims=True), 1)
    figure = Figure(figsize=(8.4, 7.6), layout="constrained")
    axes = figure.subplots()
    shades = LinearSegmentedColormap.from_list("", ["white", MODEL])
    axes.imshow(shares, cmap=shades, vmin=0, vmax=1)
    for (row, column), n in np.ndenumerate(values):
        share = shares[row, column]
        text, color = f"{n:,}\n{100 * share:.0f} %" if n else "0", "white" if share > _DARK else INK
        write(axes, column, row, text, 8.5, ha="center", color=color)
    names = [str(name) for name in counts.columns]
    axes.set_xticks(range(len(names)), names, rotation=35, ha="right", fontsize=9, color=INK)
    axes.set_yticks(range(len(names)), names, fontsize=9, color=INK)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("Predicted diagnosis", color=INK)
    axes.set_ylabel("Diagnosis", color=INK)
    subtitle = ", ".join(_label(_DIAGNOSES, legend_words(metrics)))
    axes.set_title(subtitle, fontsize=9, color=INK, loc="left")
    add_heading(figure, f"Diagnoses of {values.sum():,} images")
    return save_figure(figure, out, dpi=130)
