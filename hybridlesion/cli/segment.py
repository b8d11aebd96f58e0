"""``hybridlesion segment``: images to masks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hybridlesion.cli._options import AsJson, Images, Jobs, PathColumn, Roots, Segmenter
from hybridlesion.cli._outputs import OutFolder
from hybridlesion.cli._print import show

if TYPE_CHECKING:
    import pandas as pd

    from hybridlesion.plotting import MaskReport

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
    root: Roots = None,
    as_json: AsJson = False,
) -> None:
    """Write lesion masks, as IMAGEID_segmentation.png.

    They are 0/255 and as large as the image.
    """
    from hybridlesion.batch import segment_images
    from hybridlesion.cli._outputs import measures, outcome, print_json
    from hybridlesion.cli._print import format_metrics, print_result
    from hybridlesion.cli._progress import show_progress
    from hybridlesion.io.discovery import find_images

    if truth is not None:
        # What is wrong with the true masks is better known before the long work.
        from hybridlesion.plotting._masks import check_mask_report

        check_mask_report(out, truth)
    records = find_images(images, path_column=path_column, roots=root or ())
    with show_progress("segmenting") as progress:
        result = segment_images(
            records,
            out,
            segmenter=segmenter,
            overlay=overlay,
            n_jobs=jobs,
            progress=progress,
        )
    agreement = None if truth is None else _compare(records, out, truth)
    if as_json:
        found = {} if agreement is None else {"metrics": measures(agreement.metrics)}
        print_json(outcome(result) | found)
        return
    print_result(result, "mask")
    if agreement is not None:
        show(format_metrics(agreement.metrics))
        typer.echo(f"wrote {agreement.table} and {agreement.sheet}")


def _compare(records: pd.DataFrame, out: Path, truth: str) -> MaskReport:
    from hybridlesion.plotting import report_masks

    return report_masks(records, out, truth)
