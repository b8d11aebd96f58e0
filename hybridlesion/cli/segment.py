"""``hybridlesion segment``: images to masks."""

from __future__ import annotations

from typing import Annotated

import typer

from hybridlesion.cli._options import Images, Jobs, OutFolder, Segmenter, SegmenterName

__all__ = ["segment"]


def segment(
    images: Images,
    out: OutFolder,
    segmenter: Segmenter = SegmenterName.classical,
    overlay: Annotated[
        bool, typer.Option("--overlay", help="Draw the contour onto each image, too.")
    ] = False,
    jobs: Jobs = -1,
) -> None:
    """Write the lesion masks as IMAGEID_segmentation.png, 0/255, size of the image."""
    from hybridlesion.cli._print import print_result
    from hybridlesion.cli._progress import show_progress
    from hybridlesion.extraction import segment_images
    from hybridlesion.sources import find_records

    records = find_records(images)
    with show_progress("segmenting") as progress:
        result = segment_images(
            records.frame,
            out,
            segmenter=str(segmenter),
            overlay=overlay,
            n_jobs=jobs,
            progress=progress,
        )
    print_result(result, "masks")
