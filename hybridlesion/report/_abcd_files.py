"""Images to ABCD sheets on disk."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hybridlesion._files import check_writable
from hybridlesion._opencv import cv2
from hybridlesion.exceptions import (
    HybridLesionError,
    ImageError,
    OptionError,
    SourceError,
    TableError,
)
from hybridlesion.extraction import ExtractionResult
from hybridlesion.extraction._outcome import write_errors
from hybridlesion.images import find_masks, image_size, read_mask
from hybridlesion.report._abcd_sheet import draw_abcd_sheet
from hybridlesion.report._abcd_words import flag_words
from hybridlesion.report._style import save_figure
from hybridlesion.segmentation import Segmentation, check_segmenter
from hybridlesion.table import Failure, LesionFeaturizer, attempt, read_segmented
from hybridlesion.table._lesion import COLOR_CONSTANCY

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["SHEET_SUFFIXES", "write_abcd_sheets"]

SHEET_SUFFIXES = (".png", ".pdf", ".svg")
_DPI = 100


def write_abcd_sheets(
    records: pd.DataFrame,
    out: str | os.PathLike | None = None,
    *,
    segmenter: str = "classical",
    masks: str | os.PathLike | None = None,
    progress: Callable[[int, int, int], None] | None = None,
) -> ExtractionResult:
    """Draw the ABCD sheet of every record, with the numbers that the feature table has.

    Parameters
    ----------
    records : DataFrame of shape (n, columns)
        Records with ``image_id`` and ``path``.
    out : str or path-like, default=None
        For one record a file ending in .png, .pdf or .svg, or a folder for ``IMAGEID_abcd.png``;
        None writes that into the current folder. For several records a folder; failures then go
        to ``OUT.errors.csv``.
    segmenter : str, default="classical"
        One of `hybridlesion.segmentation.SEGMENTERS`, or the weight file of a refiner.
    masks : str or path-like, default=None
        Mask to use instead of the segmenter's, of the image's size; for several records a folder
        of them, named as ``hybridlesion segment`` does.
    progress : callable, default=None
        Called as ``progress(done, failed, total)``.

    Returns
    -------
    ExtractionResult
        What was written, and how much failed.

    Raises
    ------
    TableError
        If there are no records.
    OptionError
        If `out` or `masks` is a file and there are several records.
    SourceError
        If `out` cannot be written, or `masks` holds none.
    HybridLesionError
        If not one image could be used.
    """
    started = time.monotonic()
    if len(records) == 0:
        raise TableError("there are no records to explain.")
    check_segmenter(segmenter)
    rows = list(zip(records["image_id"], records["path"], strict=True))
    targets = _targets([image_id for image_id, _ in rows], out)
    drawing = _Drawing(segmenter, _mask_paths([image_id for image_id, _ in rows], masks))
    failures = []
    found = read_segmented(rows, long_side=drawing.featurizer.long_side, segmenter=segmenter)
    for done, (target, (row, answer)) in enumerate(zip(targets, found, strict=True), start=1):
        if not isinstance(answer, Failure):
            answer = attempt(row, "features", partial(drawing, row, *answer))
        if isinstance(answer, Failure):
            failures.append(answer)
        else:
            save_figure(answer, target, dpi=_DPI)
        if progress is not None:
            progress(done, len(failures), len(rows))
    path = targets[0] if len(rows) == 1 else Path(out)
    return _outcome(path, len(rows), failures, time.monotonic() - started)


def _outcome(path: Path, n_rows: int, failures: list[Failure], seconds: float) -> ExtractionResult:
    """Tell failures: alone as an error, among others in a list beside the folder."""
    if n_rows == 1 and failures:
        raise HybridLesionError(failures[0].reason)
    errors = None if n_rows == 1 else write_errors(path, failures)
    if len(failures) == n_rows:
        raise HybridLesionError(
            f"not one of the {n_rows} images could be used; the reasons are in {errors}. "
            f"The first: {failures[0].reason}"
        )
    return ExtractionResult(path, n_rows - len(failures), len(failures), errors, seconds)


def _targets(image_ids: list[str], out: str | os.PathLike | None) -> list[Path]:
    """Where each sheet goes; made sure that it can be written."""
    if len(image_ids) > 1 and (out is None or Path(out).suffix.lower() in SHEET_SUFFIXES):
        raise OptionError(
            f"{len(image_ids)} images need a folder to write into: name it as out (--out DIR)."
        )
    folder = Path() if out is None else Path(out)
    if len(image_ids) == 1 and folder.suffix and not folder.is_dir():
        if folder.suffix.lower() not in SHEET_SUFFIXES:
            raise OptionError(
                f"out must end in {', '.join(SHEET_SUFFIXES)}, or be a folder; got {folder.name!r}."
            )
        return [check_writable(folder)]
    paths = [folder / f"{image_id}_abcd.png" for image_id in image_ids]
    check_writable(paths[0])
    return paths


def _mask_paths(image_ids: list[str], masks: str | os.PathLike | None) -> dict[str, str] | None:
    if masks is None:
        return None
    if Path(masks).is_dir():
        return find_masks(masks)
    if not Path(masks).exists():
        raise SourceError(f"{os.fspath(masks)} does not exist; name a mask, or a folder of masks.")
    if len(image_ids) > 1:
        raise OptionError(
            f"{os.fspath(masks)} is one mask, but there are {len(image_ids)} images: name a folder "
            "of masks."
        )
    return {image_ids[0]: os.fspath(masks)}


@dataclass(frozen=True)
class _Drawing:
    """Draws the sheet of one segmented image, measured as a feature table is."""

    segmenter: str
    masks: dict[str, str] | None
    featurizer: LesionFeaturizer = field(default_factory=LesionFeaturizer)

    def __call__(self, row: tuple[str, str], image: np.ndarray, details: Segmentation) -> Figure:
        image_id, path = row
        notes = f"Mask: {Path(self.segmenter).name} segmenter, confidence {details.confidence:.2f}."
        notes = f"{notes} {flag_words(details.flags)}"
        if self.masks is not None:
            mask, name = self._read_mask(image_id, path, image.shape[:2])
            details, notes = replace(details, mask=mask, flags=()), f"Mask: {name}."
        correct = COLOR_CONSTANCY[self.featurizer.color_constancy]
        return draw_abcd_sheet(
            image if correct is None else correct(image, mask=details.field_of_view),
            details.mask,
            field_of_view=details.field_of_view,
            hair=details.hair,
            raw=image,
            title=image_id,
            notes=notes,
        )

    def _read_mask(
        self, image_id: str, path: str, shape: tuple[int, int]
    ) -> tuple[np.ndarray, str]:
        if image_id not in self.masks:
            raise ImageError(f"there is no mask of {image_id}.")
        own = self.masks[image_id]
        mask, size = read_mask(own), image_size(path)
        if mask.shape != size:
            raise ImageError(
                f"{own}: mask and image must have the same size, got mask {mask.shape} and image "
                f"{size}."
            )
        grey = mask.astype(np.uint8) * np.uint8(255)
        small = cv2.resize(grey, shape[::-1], interpolation=cv2.INTER_AREA)
        return small > 127, Path(own).name
