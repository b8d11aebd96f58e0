"""``hybridlesion explain``: show the ABCD features of a lesion in a figure."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hybridlesion.cli import _options as options
from hybridlesion.cli import _output as output
from hybridlesion.cli._options import option
from hybridlesion.cli._progress import show_progress

_OUT = "One image: .png, .pdf or .svg, default IMAGEID_abcd.png. Several: a folder."
_MASK = "Mask to use instead; for several images a folder of masks."
_NETWORK = "Fine-tuned network whose attribution map to draw, as IMAGEID_cnn.png."


def _check_network(text: str) -> str:
    from hybridlesion.cnn import is_finetuned

    if text not in ("none", "finetuned") and not is_finetuned(text):
        raise typer.BadParameter(
            f"{text} contains no fine-tuned networks: name a folder of `hybridlesion finetune`, or "
            "finetuned for the shipped network."
        )
    return text


def explain(
    images: options.Images,
    out: Annotated[Path | None, option("FILE|DIR", _OUT)] = None,
    segmenter: options.Segmenter = "refined",
    mask: Annotated[Path | None, option("FILE|DIR", _MASK)] = None,
    network: Annotated[str, option("finetuned|DIR|none", _NETWORK, _check_network)] = "none",
    path_column: options.PathColumn = None,
    root: options.Roots = None,
) -> None:
    """Draw the ABCD sheet of a lesion.

    It shows axes, border, colours and structures with their values.
    """
    from hybridlesion._atomic import check_writable
    from hybridlesion.io.discovery import find_images
    from hybridlesion.plotting import SHEET_SUFFIXES, write_abcd_sheets

    if out is not None:
        is_folder = out.is_dir() or not out.suffix
        if not is_folder and out.suffix.lower() not in SHEET_SUFFIXES:
            raise typer.BadParameter(
                f"--out must end in {', '.join(SHEET_SUFFIXES)}, or be a folder; got {out.name!r}."
            )
        check_writable(out / "IMAGEID_abcd.png" if is_folder else out)
    records = find_images(images, path_column=path_column, roots=root or ())
    drawn = None if network == "none" else network
    with show_progress("drawing") as progress:
        result = write_abcd_sheets(
            records, out, segmenter=segmenter, masks=mask, network=drawn, progress=progress
        )
    output.print_result(result, "sheet")
