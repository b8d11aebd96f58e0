"""``hybridlesion segment``: images to masks."""

from __future__ import annotations

from typing import Annotated

import typer

from hybridlesion.cli._options import Images, Jobs, OutFolder, PathColumn, Segmenter

__all__ = ["segment"]


def segment(
    images: Images,
    out: OutFolder,
    segmenter: Segmenter = "classical",
    overlay: Annotated[
        bool, typer.Option("--overlay", help="Draw the contour onto each image, too.")
    ] = False,
    truth: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="True masks: print how well ours agree, show the worst."),
    ] = None,
    jobs: Jobs = -1,
    path_column: PathColumn = None,
) -> None:
    """Write the lesion masks as IMAGEID_segmentation.png, 0/255, size of the image."""
    from hybridlesion.cli._print import format_metrics, print_result
    from hybridlesion.cli._progress import show_progress
    from hybridlesion.extraction import segment_images
    from hybridlesion.images import find_masks
    from hybridlesion.sources import find_images

    if truth is not None:
        find_masks(truth)  # what is wrong with them is better known before the long work
    records = find_images(images, path_column=path_column)
    with show_progress("segmenting") as progress:
        result = segment_images(
            records,
            out,
            segmenter=segmenter,
            overlay=overlay,
            n_jobs=jobs,
            progress=progress,
        )
    print_result(result, "mask")
    if truth is not None:
        from hybridlesion.report import report_masks

        report = report_masks(records, out, truth)
        typer.echo(format_metrics(report.metrics))
        typer.echo(f"wrote {report.table} and {report.sheet}")
