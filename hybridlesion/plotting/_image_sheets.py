"""Contact sheets of scored lesions, and of the masks that agree least with the true masks."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hybridlesion._atomic import atomic_path
from hybridlesion._formatting import threshold_words
from hybridlesion._optional_imports import cv2
from hybridlesion._validation import as_pandas
from hybridlesion.batch import check_mask_folder, check_side_table
from hybridlesion.exceptions import ImageError, SourceError, TableError
from hybridlesion.io import find_masks, read_image, read_mask, resize_long_side
from hybridlesion.metrics import compare_masks, summarize_overlaps
from hybridlesion.plotting._style import (
    BENIGN,
    INK,
    MALIGNANT,
    NOTE,
    RESEARCH_ONLY,
    save_figure,
    write,
)
from hybridlesion.segmentation import draw_overlay, segment

_LONG_SIDE = 360
_TRUTH = {1: ("malignant", MALIGNANT), 0: ("benign", BENIGN)}
_MASK_COLOR, _TRUE_MASK_COLOR = (0, 255, 200), (255, 210, 0)


def _draw_sheet(
    rows: pd.DataFrame,
    out: str | os.PathLike,
    draw: Callable[[Axes, pd.Series], None],
    n_columns: int,
    title: str,
    caption: str,
    row_height: float,
    min_width: float = 0.0,
) -> Path:
    """Draw one panel per row of a table, each with the image id below."""
    n_columns = min(n_columns, len(rows))
    n_rows = -(-len(rows) // n_columns)
    size = (max(min_width, 2.35 * n_columns), row_height * n_rows + 0.9)
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    for axes in panels:
        axes.set_axis_off()
    for axes, (_, row) in zip(panels, rows.iterrows(), strict=False):
        draw(axes, row)
    figure.suptitle(title, fontsize=13, fontweight="bold", color=INK)
    wrapped = textwrap.wrap(caption, max(32 * n_columns, 60))
    figure.supxlabel("\n".join(wrapped), fontsize=9, color=NOTE)
    return save_figure(figure, out, dpi=110)


def _show(axes: Axes, image: np.ndarray, image_id: str, title: str, **style: object) -> None:
    axes.imshow(image)
    axes.set_title(title, fontsize=10, **style)
    place = {"transform": axes.transAxes, "ha": "center", "va": "top"}
    write(axes, 0.5, -0.03, image_id, 7, color=NOTE, **place)


def case_sheet(
    cases: pd.DataFrame,
    out: str | os.PathLike,
    *,
    masks: str | os.PathLike | None = None,
    threshold: float | None = None,
    threshold_rule: str | None = None,
    n_cases: int = 24,
    n_columns: int = 6,
    title: str | None = None,
) -> Path:
    """Draw scored lesions with their masks, highest score first.

    Parameters
    ----------
    cases : DataFrame of shape (n, columns)
        Columns image_id, path, score (0 to 1) and, if known, target (0, 1 or missing).
    out : str or path-like
        File to write, usually PNG.
    masks : str or path-like, default=None
        Folder of ``IMAGEID_segmentation.png``. If None, each image is segmented.
    threshold : float, default=None
        Lesions with at least this score have bold titles. If None, no title is bold.
    threshold_rule : str, default=None
        How the threshold was chosen, such as "for 90 % sensitivity", if known.
    n_cases : int, default=24
        Maximum number of lesions, at least 1; `choose_cases` selects them.
    n_columns : int, default=6
        Number of lesions per row, at least 1.
    title : str, default=None
        Title. If None, it states the order. The caption states how many lesions are shown and how
        they were selected.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    TableError
        If there are no cases, or a column is missing.
    """
    missing = [name for name in ("image_id", "path", "score") if name not in cases]
    if missing or cases.empty:
        what = f"it lacks {', '.join(missing)}" if missing else "it is empty"
        raise TableError(f"`cases` must be a table with image_id, path and score; {what}.")
    shown = choose_cases(cases, n_cases)
    draw = partial(_draw_case, masks=masks, threshold=threshold)
    title = title or "Scored lesions, highest score first"
    caption = _caption(len(shown), cases, threshold, threshold_rule)
    return _draw_sheet(shown, out, draw, n_columns, title, caption, row_height=2.35)


def choose_cases(cases: pd.DataFrame, n_cases: int) -> pd.DataFrame:
    """Select informative lesions: high scores, missed malignancies, and a spread of the rest.

    Parameters
    ----------
    cases : DataFrame of shape (n, columns)
        Columns score and, if known, target.
    n_cases : int
        Number of lesions to select.

    Returns
    -------
    DataFrame
        At most `n_cases` rows by decreasing score: a third with the highest scores, up to a third
        malignant with the lowest scores, and the rest evenly spread.

    Examples
    --------
    >>> cases = pd.DataFrame({"score": [0.9, 0.1, 0.5, 0.3], "target": [1, 1, 0, 0]})
    >>> choose_cases(cases, 3)["score"].tolist()
    [0.9, 0.5, 0.1]
    """
    ordered = cases.sort_values("score", ascending=False, kind="stable").reset_index(drop=True)
    if len(ordered) <= n_cases:
        return ordered
    share = max(1, n_cases // 3)
    picked = list(range(share))
    if "target" in ordered:
        malignant = [row for row in ordered.index[ordered["target"] == 1] if row >= share]
        picked += malignant[::-1][:share]
    rest = np.setdiff1d(ordered.index, picked)
    spread = np.linspace(0, len(rest) - 1, max(0, n_cases - len(picked))).round().astype(int)
    picked += rest[spread].tolist()
    return ordered.loc[sorted(picked[:n_cases])].reset_index(drop=True)


def _draw_case(axes: Axes, case: pd.Series, *, masks, threshold: float | None) -> None:
    try:
        image, mask = _read_case(case, masks)
    except (ImageError, SourceError) as error:
        place = {"transform": axes.transAxes, "ha": "center", "wrap": True}
        write(axes, 0.5, 0.5, f"{case['image_id']}\n{error}", 7, color=NOTE, **place)
        return
    truth = case.get("target")
    word, color = _TRUTH[int(truth)] if pd.notna(truth) else ("truth unknown", NOTE)
    positive = threshold is not None and case["score"] >= threshold
    style = {"color": color, "fontweight": "bold" if positive else "normal"}
    title = f"{case['score']:.3f}  {word}"
    _show(axes, draw_overlay(image, mask), case["image_id"], title, **style)


def _read_case(case: pd.Series, masks) -> tuple[np.ndarray, np.ndarray]:
    image = resize_long_side(read_image(case["path"], long_side=_LONG_SIDE), _LONG_SIDE)
    if masks is None:
        return image, segment(image)
    mask = read_mask(str(Path(masks) / f"{case['image_id']}_segmentation.png"))
    size = image.shape[1], image.shape[0]
    return image, cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0


def _caption(
    n_shown: int, cases: pd.DataFrame, threshold: float | None, rule: str | None = None
) -> str:
    shown = f"{n_shown} of {len(cases)} lesions"
    if n_shown < len(cases):
        missed = "target" in cases and (cases["target"] == 1).any()
        lowest = "malignant lesions with the lowest scores, " if missed else ""
        shown += f": the highest scores, {lowest}and a spread of the rest"
    marks = "Numbers: calibrated probability of malignancy. Words: true diagnosis. Lines: mask."
    if threshold is not None:
        marks += f" Bold: score at or above {threshold_words(threshold, rule)}."
    return f"{shown}. {marks} {RESEARCH_ONLY}"


@dataclass(frozen=True)
class MaskReport:
    """Agreement of masks with true masks.

    Parameters
    ----------
    metrics : DataFrame
        Columns metric, value, low, high.
    table : Path
        CSV with the overlap of each image, lowest first.
    sheet : Path
        Figure of the worst masks.
    """

    metrics: pd.DataFrame
    table: Path
    sheet: Path


def check_mask_report(masks: str | os.PathLike, truth: str | os.PathLike) -> None:
    """Check that masks and their report will not replace other files.

    Parameters
    ----------
    masks : str or path-like
        Folder to which masks will be written.
    truth : str or path-like
        Folder of true masks.

    Raises
    ------
    SourceError
        If both are the same folder, true masks are missing, or ``MASKS.overlap.csv`` or
        ``MASKS.worst.png`` is an unrelated file.
    """
    check_mask_folder(masks, find_masks(truth).values())
    table, sheet = _paths(masks)
    check_side_table(table, ("image_id", "jaccard"))
    if sheet.exists() and not table.exists():
        raise SourceError(
            f"{sheet} already exists and would be replaced by the figure of the worst masks. Move "
            "it, or choose another output."
        )


def report_masks(
    records: pd.DataFrame, masks: str | os.PathLike, truth: str | os.PathLike, *, n_worst: int = 10
) -> MaskReport:
    """Compare masks with true masks, and draw the worst.

    Parameters
    ----------
    records : DataFrame of shape (n, columns)
        Columns image_id and path of the images; images without a true mask are left out.
    masks : str or path-like
        Folder of masks; ``MASKS.overlap.csv`` and ``MASKS.worst.png`` are written next to it.
    truth : str or path-like
        Folder of true masks.
    n_worst : int, default=10
        Number of masks to draw.

    Returns
    -------
    MaskReport
        Metrics and files.

    Raises
    ------
    TableError
        If no image has a true mask.
    ImageError
        If a mask cannot be read or differs in size from the true mask.
    """
    located = as_pandas(records)[["image_id", "path"]]
    overlaps = compare_masks(masks, truth).merge(located, on="image_id")
    overlaps = overlaps.sort_values("jaccard", kind="stable", ignore_index=True)
    table, sheet = _paths(masks)
    with atomic_path(table) as temporary:
        overlaps.drop(columns=["path", "mask_path", "truth_path"]).to_csv(temporary, index=False)
    mask_sheet(overlaps.head(n_worst), sheet)
    return MaskReport(summarize_overlaps(overlaps), table, sheet)


def _paths(masks: str | os.PathLike) -> tuple[Path, Path]:
    masks = Path(masks)
    return masks.with_name(f"{masks.name}.overlap.csv"), masks.with_name(f"{masks.name}.worst.png")


def mask_sheet(cases: pd.DataFrame, out: str | os.PathLike, *, n_columns: int = 5) -> Path:
    """Draw masks and true masks on their images.

    Parameters
    ----------
    cases : DataFrame of shape (n, columns)
        Columns image_id, path, mask_path, truth_path, jaccard; at least one row.
    out : str or path-like
        File to write, usually PNG.
    n_columns : int, default=5
        Number of images per row.

    Returns
    -------
    Path
        `out`.
    """
    title = f"The {len(cases)} lowest Jaccard indices"
    caption = f"Green: mask. Yellow: true mask. {RESEARCH_ONLY}"
    size = {"row_height": 2.2, "min_width": 5.0}
    return _draw_sheet(cases, out, _draw_masks, n_columns, title, caption, **size)


def _draw_masks(axes: Axes, case: pd.Series) -> None:
    drawn = resize_long_side(read_image(case["path"], long_side=_LONG_SIDE), _LONG_SIDE)
    for name, color in (("truth_path", _TRUE_MASK_COLOR), ("mask_path", _MASK_COLOR)):
        grey = read_mask(case[name]).astype(np.uint8) * 255
        mask = cv2.resize(grey, drawn.shape[1::-1], interpolation=cv2.INTER_AREA) > 127
        drawn = draw_overlay(drawn, mask, color=color)
    _show(axes, drawn, case["image_id"], f"{case['jaccard']:.3f}", color=INK)
