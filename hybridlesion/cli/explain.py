"""``hybridlesion explain``: show the ABCD features of a lesion in a figure."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hybridlesion.cli import _options as options
from hybridlesion.cli import _output as output
from hybridlesion.cli._options import option
from hybridlesion.cli._progress import show_progress

if TYPE_CHECKING:
    import pandas as pd

_OUT = "One image: .png, .pdf or .svg, default IMAGEID_abcd.png. Several: a folder."
_MASK = "Mask to use instead; for several images a folder of masks."
_MODEL = "Model whose score and reasons are added to the sheet."
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
    model: Annotated[Path | None, option("MODEL.joblib", _MODEL)] = None,
    metadata: options.Metadata = None,
    key: options.Key = None,
    path_column: options.PathColumn = None,
    root: options.Roots = None,
) -> None:
    """Draw the ABCD sheet of a lesion.

    It shows axes, border, colours and structures with their values and, with a model, the score and
    its reasons.
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
    chosen: dict[str, Any] = {"network": None if network == "none" else network}
    if model is not None:
        records, scoring = _read_model(model, key, records, metadata)
        chosen |= scoring
    elif metadata:
        raise typer.BadParameter("--metadata serves the score of a model: --model MODEL.joblib.")
    with show_progress("drawing") as progress:
        result = write_abcd_sheets(
            records, out, segmenter=segmenter, masks=mask, progress=progress, **chosen
        )
    output.print_result(result, "sheet")


def _read_model(
    path: Path, key: Path | None, records: pd.DataFrame, metadata: list[str] | None
) -> tuple[pd.DataFrame, dict[str, Any]]:
    from hybridlesion.inference import join_metadata
    from hybridlesion.metadata import read_records
    from hybridlesion.persistence import load_artifact, read_key, read_manifest

    secret = None if key is None else read_key(key)
    fitted, manifest = load_artifact(path, key=secret), read_manifest(path, key=secret)
    if metadata:
        records, notes = join_metadata(records, read_records(metadata))
        output.print_notes(notes)
    facts = {"training": manifest.get("training"), "model_name": path.name}
    return records, {"model": fitted, **facts}
