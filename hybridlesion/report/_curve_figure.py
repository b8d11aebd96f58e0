"""Learning curves: loss, and validation score where there is one, of each fold over the epochs."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

from hybridlesion.exceptions import TableError
from hybridlesion.report._style import GRID, INK, MODEL, NOTE, save_figure

__all__ = ["curve_figure"]

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
