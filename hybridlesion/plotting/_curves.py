"""Learning curves, decision curves, comparisons of scores, and subgroups."""

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
    add_heading,
    finish_axes,
    plain_text,
    save_figure,
    write,
)

# The palette of Okabe and Ito, for data sources.
_COLORS = (MODEL, MALIGNANT, BENIGN, "#E69F00", "#56B4E9", "#CC79A7", INK)


def curve_figure(curves: pd.DataFrame, out: str | os.PathLike) -> Path:
    """Draw the learning curves of a training.

    Parameters
    ----------
    curves : DataFrame
        Columns fold, epoch, loss and, for held-out images, held_out_loss, held_out_jaccard and
        AUCs, for example ``melanoma AUC, ham10000``, as in ``curves.csv`` from
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
        If a column is missing, or `curves` is empty.
    """
    if curves.empty or not {"fold", "epoch", "loss"} <= set(curves.columns):
        raise TableError("`curves` must have rows and the columns epoch, fold, loss.")
    losses = {"training": "loss", "held out": "held_out_loss"}
    panels = {"loss": {name: column for name, column in losses.items() if column in curves}}
    if "held_out_jaccard" in curves:
        panels["held-out Jaccard index"] = {"": "held_out_jaccard"}
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
        if label == "loss" and len(columns) > 1:
            axes.legend(fontsize=8, frameon=False)
    # The sources are the same in every panel of AUCs.
    if label != "loss" and len(columns) > 1:
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
        curve = decision_curve(y, score, groups=groups, **options)
    except ValueError as error:
        raise TableError(f"cannot compute the decision curve: {error}") from error
    figure = Figure(figsize=(7.6, 4.9), layout="constrained")
    axes = figure.subplots()
    _draw_lines(axes, curve)
    _finish(axes, curve, float(y.mean()))
    if threshold is not None and curve["threshold"].min() <= threshold <= 0.5:
        axes.axvline(threshold, color=MALIGNANT, lw=1.2, ls="--")
        side = "right" if threshold > 0.08 else "left"
        place = {"transform": axes.get_xaxis_transform(), "va": "top", "ha": side}
        write(axes, threshold, 0.985, f" threshold {threshold:.3g} ", 9, color=MALIGNANT, **place)
    add_heading(figure, title or f"Net benefit: {len(y):,} images, {y.sum():,} malignant")
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
    **{f"specificity_at_{k}_sensitivity": f"specificity at {k} %" for k in (80, 90, 95)},
    "f1": "F1",
    "net_benefit": "net benefit",
    "brier": "Brier score",
}


def selective_figure(curves: pd.DataFrame, out: str | os.PathLike) -> Path:
    """Draw the error of the lesions of highest certainty, against their share.

    Parameters
    ----------
    curves : DataFrame
        Results of `hybridlesion.metrics.selective_risk`, with the column ``by``.
    out : str or path-like
        File to write, usually PNG.

    Returns
    -------
    Path
        `out`.
    """
    figure = Figure(figsize=(7.6, 4.9), layout="constrained")
    draw_selective(figure.subplots(), curves)
    add_heading(figure, f"Error by certainty: {curves['n'].max():,} images")
    return save_figure(figure, out, dpi=150)


def draw_selective(axes: Axes, curves: pd.DataFrame) -> None:
    """Draw risk-coverage curves.

    Parameters
    ----------
    axes : Axes
        Panel.
    curves : DataFrame
        Results of `hybridlesion.metrics.selective_risk`, with the column ``by``.
    """
    for by, curve in curves.groupby("by", sort=False):
        color, share = MODEL if by == "confidence" else BENIGN, curve["coverage"]
        axes.fill_between(share, curve["low"], curve["high"], color=color, alpha=0.15, lw=0)
        axes.plot(share, curve["error"], color=color, lw=2.2, marker="o", ms=3.5, label=by)
    finish_axes(axes, x_label="Share of lesions scored", y_label="Share of wrong labels")
    # The legend needs a quarter of the panel, above all bands.
    axes.set(xlim=(1.02, 0.08), ylim=(0, max(1.4 * curves["high"].max(), 0.01)))
    axes.legend(
        frameon=False, fontsize=9, labelcolor=INK, loc="upper left", title="left out first: lowest"
    )
    axes.get_legend().get_title().set(color=NOTE, fontsize=9)


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
    other = (against, f"{theirs}: AUC {rows.loc['auc', 'against']:.3f}", MALIGNANT)
    own = (score, f"{ours}: AUC {rows.loc['auc', 'value']:.3f}", MODEL)
    for values, label, colour in (other, own):
        curve = roc_curve(y, np.asarray(values, dtype=float))
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
    add_heading(figure, f"Two scores of {len(y):,} images, {y.sum():,} malignant", x=0.01)
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
    axes.set(xlim=(-1.1 * reach, 1.1 * reach), ylim=(-0.6, len(known) - 0.4))
    axes.set_title("Differences with 95 % intervals", color=INK, fontsize=10.5, loc="left")


_PANELS = {
    "auc": "AUC",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "calibration_in_the_large": "Observed / expected",
}
_RATIO_LIMITS = (0.2, 5.0)
_INCH_PER_LINE = 0.225


def subgroup_figure(
    subgroups: pd.DataFrame, out: str | os.PathLike, *, title: str | None = None
) -> Path:
    """Draw the metrics of each subgroup with their intervals.

    Parameters
    ----------
    subgroups : DataFrame of shape (subgroups, columns)
        Result of `hybridlesion.metrics.evaluate_subgroups`; its first row is for all lesions.
    out : str or path-like
        File to write, usually PNG.
    title : str, default=None
        Title. If None, it states the number of images.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    TableError
        If `subgroups` is empty, or a column is missing.

    Notes
    -----
    The vertical line and the pale band show the value and the interval for all lesions. With many
    subgroups, some intervals lie outside the band by chance.
    """
    missing = {"attribute", "group", "n", "n_malignant", *_PANELS} - set(subgroups.columns)
    if missing or subgroups.empty:
        raise TableError(
            f"`subgroups` must be a result of evaluate_subgroups; it has {len(subgroups)} rows and "
            f"lacks {', '.join(sorted(missing)) or 'no column'}."
        )
    heights, headings = _lay_out(subgroups["attribute"])
    size = (12.6, 1.5 + _INCH_PER_LINE * (1 - heights[-1]))
    figure = Figure(figsize=size, layout="constrained")
    widths = (1.5, *(1 for _ in _PANELS))
    names, *panels = figure.subplots(1, len(widths), sharey=True, width_ratios=widths)
    _write_names(names, subgroups, heights, headings)
    for axes, (column, label) in zip(panels, _PANELS.items(), strict=True):
        _draw_panel(axes, subgroups, heights, column)
        axes.set_title(label, color=INK, fontsize=10.5, loc="left")
    names.set_ylim(heights[-1] - 0.8, 0.8)
    first = subgroups.iloc[0]
    heading = title or f"Subgroups of {first['n']:,} images, {first['n_malignant']:,} malignant"
    add_heading(figure, heading, x=0.01)
    return save_figure(figure, out, dpi=130)


def _lay_out(attributes: pd.Series) -> tuple[list[float], list[tuple[float, str]]]:
    """Return the height of each row, and the height and text of each heading."""
    heights, headings, height = [], [], 0.0
    for row, attribute in enumerate(attributes):
        if row and attribute != attributes.iloc[row - 1]:
            height -= 0.6
            headings.append((height, plain_text(str(attribute), 24)))
            height -= 1
        heights.append(height)
        height -= 1
    return heights, headings


def _write_names(axes: Axes, subgroups: pd.DataFrame, heights, headings) -> None:
    axes.axis("off")
    axes.set_xlim(0, 1.1)
    for x, word in ((0.74, "images"), (1.0, "malignant")):
        axes.text(x, 0.7, word, ha="right", va="bottom", fontsize=9, color=NOTE)
    for height, heading in headings:
        write(axes, 0, height, heading, weight="bold", parse_math=False)
    rows = zip(heights, subgroups.to_dict("records"), strict=True)
    for number, (height, row) in enumerate(rows):
        name = plain_text(str(row["group"]), 26) if number else "all"
        indent, weight = (0.04, "normal") if number else (0, "bold")
        write(axes, indent, height, name, weight=weight, parse_math=False)
        write(axes, 0.74, height, f"{row['n']:,}", ha="right")
        write(axes, 1.0, height, f"{row['n_malignant']:,}", ha="right")


def _draw_panel(axes: Axes, subgroups: pd.DataFrame, heights: list[float], column: str) -> None:
    ratio, names = column == "calibration_in_the_large", (column, f"{column}_low", f"{column}_high")
    value, low, high = (subgroups[name].to_numpy(float) for name in names)
    low, high = np.where(np.isnan(low), value, low), np.where(np.isnan(high), value, high)
    limits = _limits(low, high, ratio)
    if np.isfinite(value[0]):
        axes.axvspan(low[0], high[0], color=MODEL, alpha=0.1, lw=0)
        axes.axvline(value[0], color=MODEL, lw=1, alpha=0.6)
    for row, height in enumerate(heights):
        if not np.isfinite(value[row]):
            place = {"transform": axes.get_yaxis_transform(), "style": "italic"}
            write(axes, 0.02, height, "too few", 8.5, color=NOTE, **place)
            continue
        start, end, inside = np.clip([low[row], high[row], value[row]], *limits)
        axes.plot([start, end], [height] * 2, color=MODEL, lw=1.6, solid_capstyle="butt")
        axes.plot(inside, height, "o" if row else "D", color=MODEL, ms=5)
    if ratio:
        axes.axvline(1, color=NOTE, lw=1, ls=":")
        axes.set_xscale("log")
        ticks = [tick for tick in (0.2, 0.33, 0.5, 1, 2, 3, 5) if limits[0] <= tick <= limits[1]]
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
    axes.set_xlim(*limits)
    finish_axes(axes)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0, labelleft=False)
    axes.spines["left"].set_visible(False)


def _limits(low: np.ndarray, high: np.ndarray, ratio: bool) -> tuple[float, float]:
    if not np.isfinite(low).any():
        return _RATIO_LIMITS if ratio else (0.0, 1.0)
    if ratio:
        lowest, highest = min(np.nanmin(low) / 1.1, 0.7), max(np.nanmax(high) * 1.1, 1.5)
        return max(_RATIO_LIMITS[0], lowest), min(_RATIO_LIMITS[1], highest)
    least = max(0.0, float(np.nanmin(low)) - 0.03)
    return np.floor(least * 20) / 20, 1.01
