"""A sheet of lesions: the image, where the mask runs, the score and the truth."""

from __future__ import annotations

import os
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hybridlesion._formatting import threshold_words
from hybridlesion._optional_imports import cv2
from hybridlesion.exceptions import ImageError, SourceError, TableError
from hybridlesion.io import read_image, read_mask, resize_long_side
from hybridlesion.plotting._style import BENIGN, INK, MALIGNANT, NOTE, RESEARCH_ONLY, save_figure
from hybridlesion.segmentation import draw_overlay, segment

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["case_sheet", "choose_cases"]

_LONG_SIDE = 360
_TRUTH = {1: ("malignant", MALIGNANT), 0: ("benign", BENIGN)}


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
    """Draw a picture sheet of scored lesions, the highest score first.

    Parameters
    ----------
    cases : DataFrame of shape (n, columns)
        Columns image_id, path, score (0 to 1), and target (0, 1 or missing) where it is known.
    out : str or path-like
        File to write, usually PNG.
    masks : str or path-like, default=None
        Folder of ``IMAGEID_segmentation.png``; None segments each image anew.
    threshold : float, default=None
        Scores from here on count as called malignant; None calls none.
    threshold_rule : str, default=None
        How the threshold was chosen, as "for 90 % sensitivity"; None leaves it out.
    n_cases : int, default=24
        Most lesions on the sheet, at least 1; `choose_cases` picks them.
    n_columns : int, default=6
        Lesions side by side, at least 1.
    title : str, default=None
        Heading; None names the order. The caption says in any case how many of the lesions are
        shown, and how they were chosen.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    TableError
        If there are no cases, or a column is missing.
    """
    from matplotlib.figure import Figure

    missing = [name for name in ("image_id", "path", "score") if name not in cases]
    if missing or cases.empty:
        what = f"lack {', '.join(missing)}" if missing else "are empty"
        raise TableError(
            f"a case sheet needs rows with image_id, path and score; the cases {what}."
        )
    shown = choose_cases(cases, n_cases)
    n_columns = min(n_columns, len(shown))
    n_rows = -(-len(shown) // n_columns)
    figure = Figure(figsize=(2.35 * n_columns, 2.35 * n_rows + 0.9), layout="constrained")
    grid = figure.subplots(n_rows, n_columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, (_, case) in zip(grid.flat, shown.iterrows(), strict=False):
        _draw_case(axes, case, masks, threshold)
    heading = title or "Scored lesions, highest score first"
    figure.suptitle(heading, fontsize=13, fontweight="bold", color=INK)
    caption = _caption(len(shown), cases, threshold, threshold_rule)
    figure.supxlabel("\n".join(textwrap.wrap(caption, 32 * n_columns)), fontsize=9, color=NOTE)
    return save_figure(figure, out, dpi=110)


def choose_cases(cases: pd.DataFrame, n_cases: int) -> pd.DataFrame:
    """Pick the lesions that show most: high scores, missed malignancies, and a fair spread.

    Parameters
    ----------
    cases : DataFrame of shape (n, columns)
        Columns score and, where it is known, target.
    n_cases : int
        How many to pick.

    Returns
    -------
    DataFrame
        At most `n_cases` rows by falling score: a third of them the highest scores, up to a third
        the malignant ones with the lowest scores, the rest evenly spread over what is left.

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
    rest = [row for row in ordered.index if row not in set(picked)]
    spread = np.linspace(0, len(rest) - 1, max(0, n_cases - len(picked))).round().astype(int)
    picked += [rest[position] for position in spread]
    return ordered.loc[sorted(picked[:n_cases])].reset_index(drop=True)


def _draw_case(axes: Axes, case: pd.Series, masks, threshold: float | None) -> None:
    try:
        image, mask = _read_case(case, masks)
    except (ImageError, SourceError) as error:
        axes.text(0.5, 0.5, f"{case['image_id']}\n{error}", ha="center", va="center", wrap=True,
                  fontsize=7, color=NOTE, transform=axes.transAxes)  # fmt: skip
        return
    axes.imshow(draw_overlay(image, mask))
    truth = case.get("target")
    word, color = _TRUTH[int(truth)] if pd.notna(truth) else ("truth unknown", NOTE)
    called = threshold is not None and case["score"] >= threshold
    weight = "bold" if called else "normal"
    axes.set_title(f"{case['score']:.3f}  {word}", fontsize=10, color=color, fontweight=weight)
    axes.text(0.5, -0.03, case["image_id"], ha="center", va="top", fontsize=7, color=NOTE,
              transform=axes.transAxes)  # fmt: skip


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
    parts = [f"{n_shown} of {len(cases)} lesions."]
    if n_shown < len(cases):
        missed = "target" in cases and (cases["target"] == 1).any()
        lowest = "the malignant ones with the lowest scores, " if missed else ""
        parts[0] = f"{parts[0][:-1]}, chosen: the highest scores, {lowest}and a spread of the rest."
    parts.append("Score = calibrated probability of malignancy; word = truth; line = mask.")
    if threshold is not None:
        parts.append(f"Bold: score at or above {threshold_words(threshold, rule)}.")
    return " ".join([*parts, RESEARCH_ONLY])
