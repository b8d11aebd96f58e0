"""The drawn ABCD sheet of a lesion, and what the model's network sees in it, as small pictures."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from hybridlesion.images import find_masks
from hybridlesion.report._abcd_drawing import Drawn, SheetDrawing
from hybridlesion.report._cnn_sheet import cnn_words, paint_cnn_map
from hybridlesion.report.page._work import side_by_side, webp
from hybridlesion.table import Failure, LesionFeaturizer, attempt, read_segmented

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Detail", "draw_details"]

# 1280 x 800 pixels: the smallest size at which a sheet's words are still sharp.
_DPI = 80
_QUALITY = 50
# Maps are smooth: more pixels would show nothing more.
_MAP_SIDE = 112


@dataclass(frozen=True)
class Detail:
    """What is drawn of one lesion; empty strings where there is nothing to show.

    Parameters
    ----------
    sheet : str, default=''
        ABCD sheet of 1280 x 800 pixels as WebP in base64.
    seen : str, default=''
        What the network sees: a clear WebP in base64, to be laid over the whole photograph.
    words : str, default=''
        What `seen` shows, in a sentence.
    error : str, default=''
        Why nothing is drawn.
    """

    sheet: str = ""
    seen: str = ""
    words: str = ""
    error: str = ""


def draw_details(
    rows: Sequence[tuple[str, str]],
    featurizer: LesionFeaturizer,
    *,
    masks: str | os.PathLike | None = None,
    n_jobs: int = 1,
    progress: Callable[[int, int, int], None] | None = None,
) -> list[Detail]:
    """Draw lesions as the model measures them; of one that cannot be drawn, the detail says why.

    Parameters
    ----------
    rows : sequence of (image_id, path)
        Which images.
    featurizer : LesionFeaturizer
        How the model measures images, and with which networks.
    masks : str or path-like, default=None
        Folder of masks, as ``IMAGEID_segmentation.png``; an image without one is segmented
        anew.
    n_jobs : int, default=1
        Processes; -1 takes every core.
    progress : callable, default=None
        Called as ``progress(done, failed, total)``.

    Returns
    -------
    list of Detail
        One a row, in order.
    """
    from joblib import delayed

    found = {} if masks is None else find_masks(masks, (image_id for image_id, _ in rows))
    jobs = (delayed(_draw)(row, featurizer, found) for row in rows)
    return side_by_side(jobs, len(rows), n_jobs, progress)


def _draw(row: tuple[str, str], featurizer: LesionFeaturizer, masks: dict[str, str]) -> Detail:
    from threadpoolctl import threadpool_limits

    # Pictures are drawn side by side; threads of one picture would only wait for each other.
    with threadpool_limits(1):
        reading = {"long_side": featurizer.long_side, "segmenter": featurizer.segmenter}
        _, found = next(iter(read_segmented([row], **reading)))
        if not isinstance(found, Failure):
            drawing = SheetDrawing(featurizer, masks if row[0] in masks else None)
            found = attempt(row, "features", partial(drawing, row, *found))
    return Detail(error=found.reason) if isinstance(found, Failure) else _shrink(found)


def _shrink(drawn: Drawn) -> Detail:
    sheet = webp(_pixels(drawn.sheet), _QUALITY)
    if drawn.seen is None:
        return Detail(sheet)
    seen = webp(paint_cnn_map(drawn.seen, _MAP_SIDE), _QUALITY)
    return Detail(sheet, seen, cnn_words(drawn.seen, drawn.mask))


def _pixels(figure: Figure) -> np.ndarray:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure.set_dpi(_DPI)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]
