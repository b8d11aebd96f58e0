"""Masks and overlays of many images, written as files."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from hybridlesion._validation import as_pandas
from hybridlesion.batch._output import (
    ExtractionResult,
    check_errors,
    check_mask_folder,
    check_usable,
    write_errors,
)
from hybridlesion.batch._runners import TIME_LIMIT
from hybridlesion.batch._workers import WorkerDied, count_jobs, run_jobs, supervise, time_limit
from hybridlesion.exceptions import TableError
from hybridlesion.featurizer import BLOCK, Failure, attempt, read_segmented
from hybridlesion.io import image_size, read_image, write_image, write_mask
from hybridlesion.segmentation import (
    Segmentation,
    check_segmenter,
    draw_overlay,
    enlarge_mask,
)

# Larger images take longer to segment, with no visible change in the mask.
_LONG_SIDE = 512


def segment_images(
    records: pd.DataFrame,
    out: str | os.PathLike,
    *,
    segmenter: str = "refined",
    overlay: bool = False,
    n_jobs: int = 1,
    progress: Callable[[int, int, int], None] | None = None,
) -> ExtractionResult:
    """Segment every image and write the masks as PNG files.

    Each mask is written to ``IMAGEID_segmentation.png``, with values 0 and 255 and the size of
    the image.

    Parameters
    ----------
    records : DataFrame of shape (n, columns)
        Records with ``image_id`` and ``path``.
    out : str or path-like
        Output folder. Failures are listed in ``OUT.errors.csv``.
    segmenter : str, default="refined"
        One of `hybridlesion.segmentation.SEGMENTERS`, or the weight file of a refiner.
    overlay : bool, default=False
        Whether to also write ``IMAGEID_overlay.jpg``, the photograph at its own
        resolution with the contour of the mask.
    n_jobs : int, default=1
        Number of processes; -1 means using all cores.
    progress : callable, default=None
        Called as ``progress(done, failed, total)``.

    Returns
    -------
    ExtractionResult
        Output folder, and the numbers of masks and failures.

    Raises
    ------
    SourceError
        If the folder cannot be written or contains the images, or if ``OUT.errors.csv`` exists
        but was not written by this program.
    HybridLesionError
        If no image can be used.
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
    # Small jobs are split evenly among the processes; large ones are sent in full blocks.
    step = min(BLOCK, -(-len(rows) // n_jobs))
    blocks = (rows[start : start + step] for start in range(0, len(rows), step))
    failures: dict[int, Failure] = {}
    done = 0
    for failed, count in _answers(_MaskWork(out, segmenter, overlay), blocks, n_jobs):
        done += count
        failures |= failed
        if progress is not None:
            progress(done, len(failures), len(rows))
    failed_rows = [failures[position] for position in sorted(failures)]
    errors = write_errors(out, failed_rows)
    check_usable(failed_rows, len(rows), errors)
    seconds = time.monotonic() - started
    return ExtractionResult(out, len(rows) - len(failures), len(failures), errors, seconds)


Block = list[tuple[int, tuple[str, str]]]
Answer = tuple[dict[int, Failure], int]


def _answers(work: _MaskWork, blocks: Iterable[Block], n_jobs: int) -> Iterator[Answer]:
    """Segment all blocks; if a block killed its worker, retry each of its images alone."""
    work = replace(work, limit=None if n_jobs == 1 else TIME_LIMIT)
    suspects: list[Block] = []
    for block, answer in run_jobs(work, blocks, n_jobs):
        if isinstance(answer, WorkerDied):
            suspects += [[image] for image in block]
        else:
            yield answer
    for block, answer in supervise(work, suspects, 1, expect_deaths=True):
        if isinstance(answer, WorkerDied):
            ((position, (image_id, path)),) = block
            reason = answer.reason(work.limit)
            answer = {position: Failure(str(image_id), str(path), "worker", reason)}, 1
        yield answer


@dataclass(frozen=True)
class _MaskWork:
    """Picklable function that segments a block of images."""

    out: Path
    segmenter: str
    overlay: bool
    limit: float | None = None

    def __call__(self, block: Block) -> Answer:
        positions, rows = zip(*block, strict=True)
        failed = {}
        with time_limit(self.limit) as tick:
            found = read_segmented(rows, long_side=_LONG_SIDE, segmenter=self.segmenter, tick=tick)
            for position, (row, answer) in zip(positions, found, strict=True):
                tick()
                if isinstance(answer, Failure):
                    failed[position] = answer
                    continue
                # Read the size from the file again: the decoded image is smaller.
                size = attempt(row, "read", partial(image_size, row[1]))
                if isinstance(size, Failure):
                    failed[position] = size
                else:
                    self._write(row, size, *answer)
        return failed, len(block)

    def _write(
        self,
        row: tuple[str, str],
        size: tuple[int, int],
        image: np.ndarray,
        details: Segmentation,
    ) -> None:
        image_id, path = row
        mask = enlarge_mask(details.mask, size)
        write_mask(self.out / f"{image_id}_segmentation.png", mask)
        if self.overlay:
            # The photograph at its own resolution, since the decoded image is smaller.
            photograph = image if image.shape[:2] == size else read_image(path)
            write_image(self.out / f"{image_id}_overlay.jpg", draw_overlay(photograph, mask))
