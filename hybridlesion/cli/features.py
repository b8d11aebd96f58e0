"""``hybridlesion features``: images and metadata to a feature table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hybridlesion.cli._command import Command
from hybridlesion.cli._options import (
    AsJson,
    Columns,
    Device,
    DeviceName,
    IdColumn,
    Images,
    Jobs,
    LabelsFromFolders,
    Malignant,
    Metadata,
    PathColumn,
    Restart,
    Roots,
    Segmenter,
    Target,
    offer,
    split_columns,
    split_words,
)
from hybridlesion.cli._outputs import OutTable
from hybridlesion.cli._runner import Dask, DaskResource, TimeLimit, check_resources, choose_runner

__all__ = ["FeaturesCommand", "features"]


class FeaturesCommand(Command):
    """Refuses ``--list`` beside anything else, which it would leave undone."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:
        if "--list" in args and len(args) > 1:
            raise typer.BadParameter("--list stands alone: it measures nothing.", ctx=ctx)
        return super().parse_args(ctx, args)


def _print_catalogue(wanted: bool) -> None:
    if not wanted:
        return
    import shutil
    import sys

    from hybridlesion.features import catalogue_table, catalogue_text

    if sys.stdout.isatty():
        typer.echo(catalogue_text(min(max(shutil.get_terminal_size().columns, 60), 100)))
    else:
        typer.echo(catalogue_table())
    raise typer.Exit


def features(
    images: Images,
    out: OutTable,
    metadata: Metadata = None,
    embedder: Annotated[
        str,
        typer.Option(
            metavar="NAME|PATH|none",
            autocompletion=offer("finetuned", "none"),
            help="Fine-tuned folder, timm model, weight file, or none; "
            "'finetuned' is the network that ships.",
        ),
    ] = "finetuned",
    weights: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Local weights for a model given by name."),
    ] = None,
    segmenter: Segmenter = "classical",
    masks: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write the masks there, too.")
    ] = None,
    device: Device = DeviceName.auto,
    jobs: Jobs = -1,
    dask: Dask = None,
    dask_resource: DaskResource = None,
    time_limit: TimeLimit = 120.0,
    restart: Restart = False,
    path_column: PathColumn = None,
    root: Roots = None,
    id_column: IdColumn = None,
    target: Target = None,
    malignant: Malignant = None,
    labels_from_folders: LabelsFromFolders = False,
    column: Columns = None,
    as_json: AsJson = False,
    show_list: Annotated[
        bool,
        typer.Option(
            "--list", callback=_print_catalogue, is_eager=True, help="Print every feature, exit."
        ),
    ] = False,
) -> None:
    """Measure images: ABCD features, CNN score, encoded metadata."""
    from dataclasses import asdict

    from hybridlesion.batch._output import check_output
    from hybridlesion.cli._options import read_embedder
    from hybridlesion.cli._outputs import outcome, print_json
    from hybridlesion.cli._print import (
        idle_device,
        print_diagnoses,
        print_notes,
        print_result,
        print_set_aside,
    )
    from hybridlesion.cli._progress import show_progress

    check_resources(dask_resource, dask)
    named = split_columns(column)
    if "://" not in out:
        check_output(out)
    parameters = read_embedder(embedder, weights)

    from hybridlesion.batch import extract_features
    from hybridlesion.featurizer import LesionFeaturizer
    from hybridlesion.io.discovery import find_records

    records = find_records(
        images,
        metadata=metadata or (),
        id_column=id_column,
        target_column=target,
        malignant=split_words(malignant),
        columns=named,
        path_column=path_column,
        roots=root or (),
        labels_from_folders=labels_from_folders,
    )
    print_set_aside(records.set_aside)
    print_diagnoses(records.diagnoses)
    print_notes([*records.warnings, *idle_device(str(device), parameters["embedder"])])
    featurizer = LesionFeaturizer(**parameters, segmenter=segmenter, device=str(device))
    runner = choose_runner(jobs, dask, dask_resource, time_limit)
    with show_progress("measuring") as progress:
        result = extract_features(
            records.frame,
            out,
            featurizer=featurizer,
            restart=restart,
            masks=masks,
            runner=runner,
            progress=progress,
        )
    if as_json:
        facts = {
            "columns": [asdict(use) for use in records.columns],
            "diagnoses": records.diagnoses.to_dict("records"),
        }
        print_json(outcome(result) | facts)
    else:
        print_result(result)
