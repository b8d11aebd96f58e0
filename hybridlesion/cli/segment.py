"""``hybridlesion segment``: write lesion masks for images."""

from __future__ import annotations

from typing import Annotated

import typer

from hybridlesion.cli import _options as options
from hybridlesion.cli import _output as output
from hybridlesion.cli._options import flag, option
from hybridlesion.cli._progress import show_progress

_TRUTH = "True masks: print the agreement, show the worst."


def segment(
    images: options.Images,
    out: options.OutFolder,
    segmenter: options.Segmenter = "refined",
    overlay: Annotated[bool, flag("--overlay", "Also write each image with the contour.")] = False,
    truth: Annotated[str | None, option("DIR", _TRUTH)] = None,
    jobs: options.Jobs = -1,
    path_column: options.PathColumn = None,
    root: options.Roots = None,
    as_json: options.AsJson = False,
) -> None:
    """Write lesion masks, as IMAGEID_segmentation.png.

    Masks have the values 0 and 255 and the size of the image.
    """
    from hybridlesion.batch import segment_images
    from hybridlesion.io.discovery import find_images

    if truth is not None:
        # Check the reference masks before the long computation.
        from hybridlesion.plotting import check_mask_report, report_masks

        check_mask_report(out, truth)
    records = find_images(images, path_column=path_column, roots=root or ())
    with show_progress("segmenting") as progress:
        result = segment_images(
            *(records, out), segmenter=segmenter, overlay=overlay, n_jobs=jobs, progress=progress
        )
    agreement = None if truth is None else report_masks(records, out, truth)
    if as_json:
        found = {} if agreement is None else {"metrics": output.metrics_by_name(agreement.metrics)}
        output.print_json(output.run_facts(result) | found)
        return
    output.print_result(result, "mask")
    if agreement is not None:
        output.echo(output.format_metrics(agreement.metrics))
        typer.echo(f"wrote {agreement.table} and {agreement.sheet}")
