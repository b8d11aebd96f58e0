"""Images to mask files, and overlays for people."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from hybridlesion._files import check_writable
from hybridlesion._opencv import cv2
from hybridlesion.exceptions import HybridLesionError, ImageError, SourceError, TableError
from hybridlesion.extraction._outcome import ExtractionResult, write_errors
from hybridlesion.extraction._processes import count_jobs, map_unordered
from hybridlesion.images import image_size, read_image, resize_long_side, write_image, write_mask
from hybridlesion.segmentation import check_segmenter, draw_overlay, segment_details
from hybridlesion.table import Failure

__all__ = ["segment_images"]

# More pixels than this do not change a mask, but cost time.
_LONG_SIDE = 512


def segment_images(
    records: pd.DataFrame,
    out: str | os.PathLike,
    *,
    segmenter: str = "classical",
    overlay: bool = False,
    n_jobs: int = 1,
    progress: Callable[[int, int, int], None] | None = None,
) -> ExtractionResult:
    """Write a mask for every record as ``IMAGEID_segmentation.png``, 0/255, size of the image.

    Parameters
    ----------
    records : DataFrame of shape (n, columns)
        Records with ``image_id`` and ``path``.
    out : str or path-like
        Folder to write into. Failures go to ``OUT.errors.csv``.
    segmenter : str, default="classical"
        One of `hybridlesion.segmentation.SEGMENTERS`, or the weight file of a refiner.
    overlay : bool, default=False
        Whether to write ``IMAGEID_overlay.jpg`` too: the image with the mask's contour.
    n_jobs : int, default=1
        Processes; -1 takes every core.
    progress : callable, default=None
        Called as ``progress(done, failed, total)``.

    Returns
    -------
    ExtractionResult
        What was written, and how much failed.

    Raises
    ------
    SourceError
        If the folder cannot be written.
    HybridLesionError
        If not one image could be used.
    """
    started = time.monotonic()
    out = Path(out)
    check_writable(out / "IMAGEID_segmentation.png")
    check_segmenter(segmenter)
    if len(records) == 0:
        raise TableError("there are no records to segment.")
    pairs = list(enumerate(zip(records["image_id"], records["path"], strict=True)))
    failures: dict[int, Failure] = {}
    work = _MaskWork(out, segmenter, overlay)
    for done, (position, failure) in enumerate(
        map_unordered(work, pairs, n_jobs=count_jobs(n_jobs)), start=1
    ):
        if failure is not None:
            failures[position] = failure
        if progress is not None:
            progress(done, len(failures), len(pairs))
    errors = write_errors(out, [failures[position] for position in sorted(failures)])
    if len(failures) == len(pairs):
        raise HybridLesionError(
            f"not one of the {len(pairs)} images could be used; the reasons are in {errors}."
        )
    seconds = time.monotonic() - started
    return ExtractionResult(out, len(pairs) - len(failures), len(failures), errors, seconds)


@dataclass(frozen=True)
class _MaskWork:
    """The picklable function that segments one image."""

    out: Path
    segmenter: str
    overlay: bool

    def __call__(self, piece: tuple[int, tuple[str, str]]) -> tuple[int, Failure | None]:
        position, (image_id, path) = piece
        try:
            image = resize_long_side(read_image(path, long_side=_LONG_SIDE), _LONG_SIDE)
            mask = segment_details(image, segmenter=self.segmenter).mask
            height, width = image_size(path)
        except (ImageError, SourceError) as error:
            return position, Failure(str(image_id), str(path), "read", str(error))
        write_mask(self.out / f"{image_id}_segmentation.png", _enlarge(mask, height, width))
        if self.overlay:
            write_image(self.out / f"{image_id}_overlay.jpg", draw_overlay(image, mask))
        return position, None


def _enlarge(mask: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize a mask by its smooth edge, so that no staircase shows at full size."""
    if mask.shape == (height, width):
        return mask
    grey = cv2.resize(mask.astype(np.uint8) * 255, (width, height), interpolation=cv2.INTER_LINEAR)
    return grey > 127
