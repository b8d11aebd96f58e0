"""``hybridlesion score``: a model over images or feature tables."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hybridlesion.cli._options import Device, DeviceName, IdColumn, Jobs, Metadata, OutFile, Restart

__all__ = ["score"]


def score(
    model: Annotated[Path, typer.Argument(metavar="MODEL.joblib", help="File from `fit`.")],
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="INPUT...", help="Image sources of any kind, or feature tables."),
    ],
    out: OutFile,
    metadata: Metadata = None,
    device: Device = DeviceName.auto,
    jobs: Jobs = -1,
    restart: Restart = False,
    id_column: IdColumn = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Add the reasons of each score, in words and shares.")
    ] = False,
) -> None:
    """Score new lesions: calibrated probability of malignancy, as CSV or Parquet."""
    from hybridlesion._files import check_writable
    from hybridlesion.cli._print import idle_device, print_notes, print_result
    from hybridlesion.cli._progress import show_progress

    if out.suffix not in (".csv", ".parquet"):
        raise typer.BadParameter(f"--out must end in .csv or .parquet, got {out.name!r}.")
    check_writable(out)

    from hybridlesion._steps import split_steps
    from hybridlesion.artifact import load_artifact, read_manifest
    from hybridlesion.scoring import score_inputs

    fitted = load_artifact(model)
    featurizer, _ = split_steps(fitted)
    print_notes(idle_device(str(device), "none" if featurizer is None else featurizer.embedder))
    with show_progress("scoring") as progress:
        result = score_inputs(
            fitted,
            inputs,
            out,
            metadata=metadata or (),
            id_column=id_column,
            training=read_manifest(model).get("training"),
            device=str(device),
            n_jobs=jobs,
            restart=restart,
            explain=explain,
            progress=progress,
        )
    print_result(result)
