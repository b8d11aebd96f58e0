"""``hybridlesion segment``: images to masks."""

from __future__ import annotations

from typing import Annotated

import typer

from hybridlesion.cli._options import (
    Images,
    Jobs,
    OutFolder,
    PathColumn,
    Segmenter,
    SegmenterName,
)

__all__ = ["segment"]


def segment(
    images: Images,
    out: OutFolder,
    segmenter: Segmenter = SegmenterName.classical,
    overlay: Annotated[
        bool, typer.Option("--overlay", help="Draw the contour onto each image, too.")
    ] = False,
    jobs: Jobs = -1,
    path_column: PathColumn = None,
) -> None:
    """Write the lesion masks as IMAGEID_segmentation.png, 0/255, size of the image."""
    from hybridlesion.cli._print import print_result
    from hybridlesion.cli._progress import show_progress
    from hybridlesion.extraction import segment_images
    from hybridlesion.sources import find_images

    records = find_images(images, path_column=path_column)
    with show_progress("segmenting") as progress:
        result = segment_images(
            records,
            out,
            segmenter=str(segmenter),
            overlay=overlay,
            n_jobs=jobs,
            progress=progress,
        )
    print_result(result, "mask")
