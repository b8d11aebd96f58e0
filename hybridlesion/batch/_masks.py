"""Images to mask files, and overlays for people."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from hybridlesion._optional_imports import cv2
from hybridlesion._validation import as_pandas
from hybridlesion.batch._executors import TIME_LIMIT
from hybridlesion.batch._output import (
    ExtractionResult,
    check_errors,
    check_mask_folder,
    write_errors,
)
from hybridlesion.batch._workers import Lost, count_jobs, one_thread, supervise, time_limit
from hybridlesion.exceptions import HybridLesionError, TableError
from hybridlesion.featurizer import BLOCK, Failure, attempt, read_segmented
from hybridlesion.io import image_size, write_image, write_mask
from hybridlesion.segmentation import Segmentation, check_segmenter, draw_overlay

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
        If the folder cannot be written or holds the images, or if ``OUT.errors.csv`` is of other
        origin.
    HybridLesionError
        If not one image could be used.
    """
    started = time.monotonic()
    out, records = Path(out), as_pandas(records)
    check_mask_folder(out, records.get("path", ()))
    check_errors(out)
    check_segmenter(segmenter)
    if len(records) == 0:
        raise TableError("there are no records to segment.")
    rows = list(enumerate(zip(records["image_id"], records["path"], strict=True)))
    n_jobs = count_jobs(n_jobs)
    # Few images are dealt to all processes; many go in whole blocks.
    step = min(BLOCK, -(-len(rows) // n_jobs))
    blocks = (rows[start : start + step] for start in range(0, len(rows), step))
    failures: dict[int, Failure] = {}
    done = 0
    for failed, count in _answers(_MaskWork(out, segmenter, overlay), blocks, n_jobs):
        done += count
        failures |= failed
        if progress is not None:
            progress(done, len(failures), len(rows))
    errors = write_errors(out, [failures[position] for position in sorted(failures)])
    if len(failures) == len(rows):
        raise HybridLesionError(
            f"not one of the {len(rows)} images could be used; the reasons are in {errors}. "
            f"The first: {failures[min(failures)].reason}"
        )
    seconds = time.monotonic() - started
    return ExtractionResult(out, len(rows) - len(failures), len(failures), errors, seconds)


Block = list[tuple[int, tuple[str, str]]]
Answer = tuple[dict[int, Failure], int]


def _answers(work: _MaskWork, blocks: Iterable[Block], n_jobs: int) -> Iterator[Answer]:
    """Segment all blocks; of one that killed its worker, each image alone."""
    if n_jobs == 1:
        with one_thread():
            yield from map(work, blocks)
        return
    work = replace(work, limit=TIME_LIMIT)
    suspects: list[Block] = []
    for block, answer in supervise(work, blocks, n_jobs):
        if isinstance(answer, Lost):
            suspects += [[image] for image in block]
        else:
            yield answer
    for block, answer in supervise(work, suspects, 1, expect_deaths=True):
        if isinstance(answer, Lost):
            ((position, (image_id, path)),) = block
            reason = answer.reason(work.limit)
            answer = {position: Failure(str(image_id), str(path), "worker", reason)}, 1
        yield answer


@dataclass(frozen=True)
class _MaskWork:
    """The picklable function that segments a block of images."""

    out: Path
    segmenter: str
    overlay: bool
    limit: float | None = None

    def __call__(self, block: Block) -> Answer:
        with time_limit(self.limit) as tick:
            return self._write_masks(block, tick), len(block)

    def _write_masks(self, block: Block, tick: Callable[[], None]) -> dict[int, Failure]:
        positions, rows = zip(*block, strict=True)
        found = read_segmented(rows, long_side=_LONG_SIDE, segmenter=self.segmenter, tick=tick)
        failed = {}
        for position, (row, answer) in zip(positions, found, strict=True):
            tick()
            if not isinstance(answer, Failure):
                # The size is read from the file again: what was decoded is smaller.
                size = attempt(row, "read", partial(image_size, row[1]))
                answer = size if isinstance(size, Failure) else self._write(row[0], size, *answer)
            if isinstance(answer, Failure):
                failed[position] = answer
        return failed

    def _write(
        self, image_id: str, size: tuple[int, int], image: np.ndarray, details: Segmentation
    ) -> None:
        write_mask(self.out / f"{image_id}_segmentation.png", _enlarge(details.mask, *size))
        if self.overlay:
            write_image(self.out / f"{image_id}_overlay.jpg", draw_overlay(image, details.mask))


def _enlarge(mask: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize a mask by its smooth edge, so that no staircase shows at full size."""
    if mask.shape == (height, width):
        return mask
    grey = cv2.resize(mask.astype(np.uint8) * 255, (width, height), interpolation=cv2.INTER_LINEAR)
    return grey > 127
