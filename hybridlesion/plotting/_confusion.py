"""Confusion matrix of diagnoses."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from hybridlesion.plotting._metrics import legend_words
from hybridlesion.plotting._style import INK, MODEL, save_figure

_NAMES = (("Balanced accuracy", "balanced_accuracy"), ("macro AUC", "macro_auc"))
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
    axes.imshow(
        shares, cmap=LinearSegmentedColormap.from_list("", ["white", MODEL]), vmin=0, vmax=1
    )
    for (row, column), n in np.ndenumerate(values):
        share = shares[row, column]
        color = "white" if share > _DARK else INK
        text = f"{n:,}\n{share:.0%}" if n else "0"
        axes.text(column, row, text, ha="center", va="center", fontsize=8.5, color=color)
    names = [str(name) for name in counts.columns]
    axes.set_xticks(range(len(names)), names, rotation=35, ha="right", fontsize=9, color=INK)
    axes.set_yticks(range(len(names)), names, fontsize=9, color=INK)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("Predicted diagnosis", color=INK)
    axes.set_ylabel("Diagnosis", color=INK)
    words = legend_words(metrics)
    subtitle = ", ".join(f"{label} {words[name]}" for label, name in _NAMES if name in words)
    axes.set_title(subtitle, fontsize=9, color=INK, loc="left")
    heading = f"Diagnoses of {values.sum():,} images"
    figure.suptitle(heading, fontsize=12, color=INK, fontweight="bold", x=0.02, ha="left")
    return save_figure(figure, out, dpi=130)
