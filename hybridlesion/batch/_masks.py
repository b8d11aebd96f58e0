"""Masks and overlays of many images, written as files."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
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
from hybridlesion.batch._workers import count_jobs, run_blocks, time_limit
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
    rows = list(zip(range(len(records)), records["image_id"], records["path"], strict=True))
    n_jobs = count_jobs(n_jobs)
    # Small jobs are split evenly among the processes; large ones are sent in full blocks.
    step = min(BLOCK, -(-len(rows) // n_jobs))
    blocks = (rows[start : start + step] for start in range(0, len(rows), step))
    work = partial(_segment_block, out=out, segmenter=segmenter, overlay=overlay)
    failures: dict[int, Failure] = {}
    done = 0
    for answers in run_blocks(work, blocks, n_jobs):
        done += len(answers)
        failures |= {position: one for position, one in answers.items() if one is not None}
        if progress is not None:
            progress(done, len(failures), len(rows))
    failed_rows = [failures[position] for position in sorted(failures)]
    errors = write_errors(out, failed_rows)
    check_usable(failed_rows, len(rows), errors)
    seconds = time.monotonic() - started
    return ExtractionResult(out, len(rows) - len(failures), len(failures), errors, seconds)


def _segment_block(
    block: Sequence[tuple[int, str, str]],
    limit: float | None,
    *,
    out: Path,
    segmenter: str,
    overlay: bool,
) -> dict[int, Failure | None]:
    """Write the masks of a block of images; return the failure of each, or None."""
    positions = [position for position, _, _ in block]
    rows = [(image_id, path) for _, image_id, path in block]
    failures: dict[int, Failure | None] = {}
    with time_limit(limit) as tick:
        found = read_segmented(rows, long_side=_LONG_SIDE, segmenter=segmenter, tick=tick)
        for position, (row, answer) in zip(positions, found, strict=True):
            tick()
            if isinstance(answer, Failure):
                failures[position] = answer
            else:
                failures[position] = _write(row, *answer, out=out, overlay=overlay)
    return failures


def _write(
    row: tuple[str, str], image: np.ndarray, details: Segmentation, *, out: Path, overlay: bool
) -> Failure | None:
    """Write the mask of an image; return a failure if the size of the image cannot be read."""
    image_id, path = row
    # Read the size from the file again: the decoded image is smaller.
    size = attempt(row, "read", partial(image_size, path))
    if isinstance(size, Failure):
        return size
    mask = enlarge_mask(details, size)
    write_mask(out / f"{image_id}_segmentation.png", mask)
    if overlay:
        # The photograph at its own resolution.
        photograph = image if image.shape[:2] == size else read_image(path)
        write_image(out / f"{image_id}_overlay.jpg", draw_overlay(photograph, mask))
    return None
