"""Forest plot of metrics by subgroup."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hybridlesion.exceptions import TableError
from hybridlesion.plotting._style import (
    INK,
    MODEL,
    NOTE,
    finish_axes,
    plain_text,
    save_figure,
    write,
)

_PANELS = {
    "auc": "AUC",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "calibration_in_the_large": "Observed / expected",
}
_RATIO_LIMITS = (0.2, 5.0)
_INCH_PER_LINE = 0.225


@dataclass(frozen=True)
class _Line:
    """A line of the figure: a heading, or a row of the table."""

    height: float
    heading: str | None
    row: int | None


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
    lines = _lay_out(subgroups)
    depth = 1 - lines[-1].height
    figure = Figure(figsize=(12.6, 1.5 + _INCH_PER_LINE * depth), layout="constrained")
    names, *panels = figure.subplots(
        1, 1 + len(_PANELS), sharey=True, width_ratios=(1.5, 1, 1, 1, 1)
    )
    _write_names(names, subgroups, lines)
    for axes, (column, label) in zip(panels, _PANELS.items(), strict=True):
        _draw_panel(axes, subgroups, lines, column)
        axes.set_title(label, color=INK, fontsize=10.5, loc="left")
    names.set_ylim(lines[-1].height - 0.8, 0.8)
    first = subgroups.iloc[0]
    heading = title or f"Subgroups of {first['n']:,} images, {first['n_malignant']:,} malignant"
    figure.suptitle(heading, fontsize=12, color=INK, fontweight="bold", x=0.01, ha="left")
    return save_figure(figure, out, dpi=130)


def _lay_out(subgroups: pd.DataFrame) -> list[_Line]:
    lines, height, before = [], 0.0, None
    for row, attribute in enumerate(subgroups["attribute"]):
        if row and attribute != before:
            height -= 0.6
            lines.append(_Line(height, plain_text(str(attribute), 24), None))
            height -= 1
        before = attribute
        lines.append(_Line(height, None, row))
        height -= 1
    return lines


def _write_names(axes: Axes, subgroups: pd.DataFrame, lines: list[_Line]) -> None:
    axes.axis("off")
    axes.set_xlim(0, 1.1)
    for x, word in ((0.74, "images"), (1.0, "malignant")):
        axes.text(x, 0.7, word, ha="right", va="bottom", fontsize=9, color=NOTE)
    for line in lines:
        if line.row is None:
            write(axes, 0, line.height, line.heading, weight="bold", parse_math=False)
            continue
        row = subgroups.iloc[line.row]
        name = "all" if line.row == 0 else plain_text(str(row["group"]), 26)
        indent, weight = (0.04, "normal") if line.row else (0, "bold")
        write(axes, indent, line.height, name, weight=weight, parse_math=False)
        for x, column in ((0.74, "n"), (1.0, "n_malignant")):
            write(axes, x, line.height, f"{row[column]:,}", ha="right")


def _draw_panel(axes: Axes, subgroups: pd.DataFrame, lines: list[_Line], column: str) -> None:
    ratio = column == "calibration_in_the_large"
    value, low, high = (
        subgroups[f"{column}{end}"].to_numpy(float) for end in ("", "_low", "_high")
    )
    low, high = np.where(np.isnan(low), value, low), np.where(np.isnan(high), value, high)
    limits = _limits(low, high, ratio)
    if np.isfinite(value[0]):
        axes.axvspan(low[0], high[0], color=MODEL, alpha=0.1, lw=0)
        axes.axvline(value[0], color=MODEL, lw=1, alpha=0.6)
    for line in lines:
        if line.row is None:
            continue
        if not np.isfinite(value[line.row]):
            place = {"transform": axes.get_yaxis_transform()}
            write(axes, 0.02, line.height, "too few", 8.5, color=NOTE, style="italic", **place)
            continue
        ends = np.clip([low[line.row], high[line.row]], *limits)
        axes.plot(ends, [line.height] * 2, color=MODEL, lw=1.6, solid_capstyle="butt")
        inside = np.clip(value[line.row], *limits)
        axes.plot(inside, line.height, "o" if line.row else "D", color=MODEL, ms=5)
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
