"""Masks against true ones: the figures, and the worst of them as a picture sheet."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from hybridlesion._atomic import atomic_path
from hybridlesion._optional_imports import cv2
from hybridlesion._validation import as_pandas
from hybridlesion.batch import check_mask_folder, check_side_table
from hybridlesion.exceptions import SourceError
from hybridlesion.io import find_masks, read_image, read_mask, resize_long_side
from hybridlesion.metrics import compare_masks, summarize_overlaps
from hybridlesion.plotting._style import INK, NOTE, RESEARCH_ONLY, save_figure
from hybridlesion.segmentation import draw_overlay

__all__ = ["MaskReport", "check_mask_report", "mask_sheet", "report_masks"]

_LONG_SIDE = 360
_MASK_COLOR = (0, 255, 200)
_TRUTH_COLOR = (255, 210, 0)


@dataclass(frozen=True)
class MaskReport:
    """How well masks agree with true ones.

    Parameters
    ----------
    metrics : DataFrame
        Columns metric, value, low, high.
    table : Path
        CSV with the overlap of every image, lowest first.
    sheet : Path
        Picture sheet of the worst.
    """

    metrics: pd.DataFrame
    table: Path
    sheet: Path


def check_mask_report(masks: str | os.PathLike, truth: str | os.PathLike) -> None:
    """Make sure, before long work, that masks and their report replace nothing of other origin.

    Parameters
    ----------
    masks : str or path-like
        Folder of masks to come.
    truth : str or path-like
        Folder of true masks.

    Raises
    ------
    SourceError
        If both are one folder, there are no true masks, or files of other origin are called
        ``MASKS.overlap.csv`` or ``MASKS.worst.png``.
    """
    check_mask_folder(masks, find_masks(truth).values())
    table, sheet = _paths(masks)
    check_side_table(table, ("image_id", "jaccard"))
    if sheet.exists() and not table.exists():
        raise SourceError(
            f"{sheet} is in the way: a sheet of that name is drawn beside the masks. Move it, or "
            "name another output."
        )


def report_masks(
    records: pd.DataFrame, masks: str | os.PathLike, truth: str | os.PathLike, *, n_worst: int = 10
) -> MaskReport:
    """Measure masks against true ones, and show the worst.

    Parameters
    ----------
    records : DataFrame of shape (n, columns)
        Columns image_id and path of the images; those without a true mask are left out.
    masks : str or path-like
        Folder of masks. Beside it come ``MASKS.overlap.csv`` and ``MASKS.worst.png``.
    truth : str or path-like
        Folder of true masks.
    n_worst : int, default=10
        Images on the sheet.

    Returns
    -------
    MaskReport
        Figures and files.

    Raises
    ------
    TableError
        If no image has a true mask.
    ImageError
        If a mask cannot be read or has another size than the true one.
    """
    masks = Path(masks)
    overlaps = compare_masks(masks, truth).merge(
        as_pandas(records)[["image_id", "path"]], on="image_id"
    )
    overlaps = overlaps.sort_values("jaccard", kind="stable", ignore_index=True)
    table, sheet = _paths(masks)
    with atomic_path(table) as temporary:
        overlaps.drop(columns=["path", "mask_path", "truth_path"]).to_csv(temporary, index=False)
    mask_sheet(overlaps.head(n_worst), sheet)
    return MaskReport(summarize_overlaps(overlaps), table, sheet)


def _paths(masks: str | os.PathLike) -> tuple[Path, Path]:
    masks = Path(masks)
    return tuple(masks.with_name(masks.name + end) for end in (".overlap.csv", ".worst.png"))


def mask_sheet(cases: pd.DataFrame, out: str | os.PathLike, *, n_columns: int = 5) -> Path:
    """Draw masks and true masks onto their images.

    Parameters
    ----------
    cases : DataFrame of shape (n, columns)
        Columns image_id, path, mask_path, truth_path, jaccard; at least one row.
    out : str or path-like
        File to write, usually PNG.
    n_columns : int, default=5
        Images side by side.

    Returns
    -------
    Path
        `out`.
    """
    from matplotlib.figure import Figure

    n_columns = min(n_columns, len(cases))
    n_rows = -(-len(cases) // n_columns)
    size = (max(5.0, 2.35 * n_columns), 2.2 * n_rows + 0.9)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(n_rows, n_columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, case in zip(grid.flat, cases.itertuples(), strict=False):
        axes.imshow(_draw(case))
        axes.set_title(f"{case.jaccard:.3f}", fontsize=10, color=INK)
        axes.text(0.5, -0.03, case.image_id, ha="center", va="top", fontsize=7, color=NOTE,
                  transform=axes.transAxes)  # fmt: skip
    figure.suptitle(f"The {len(cases)} lowest Jaccard indices", fontsize=12, color=INK)
    caption = f"Green: mask. Yellow: true mask. {RESEARCH_ONLY}"
    figure.supxlabel(caption, fontsize=8, color=NOTE)
    return save_figure(figure, out, dpi=110)


def _draw(case) -> np.ndarray:
    drawn = resize_long_side(read_image(case.path, long_side=_LONG_SIDE), _LONG_SIDE)
    for path, color in ((case.truth_path, _TRUTH_COLOR), (case.mask_path, _MASK_COLOR)):
        grey = read_mask(path).astype(np.uint8) * 255
        mask = cv2.resize(grey, drawn.shape[1::-1], interpolation=cv2.INTER_AREA) > 127
        drawn = draw_overlay(drawn, mask, color=color)
    return drawn
