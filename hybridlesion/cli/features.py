"""``hybridlesion features``: extract a feature table from images and metadata."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hybridlesion.cli import _options as options
from hybridlesion.cli import _output as output
from hybridlesion.cli._options import EXPERT, flag, option
from hybridlesion.cli._progress import show_progress


def _print_catalogue(wanted: bool) -> None:
    if not wanted:
        return
    from hybridlesion.features import catalogue_table, catalogue_text

    width = output.table_width()
    typer.echo(catalogue_text(min(max(width, 60), 100)) if width else catalogue_table())
    raise typer.Exit


_SOURCES = "Fine-tuned folder, timm model, weight file, or none"
_EMBEDDER = option(
    "NAME|PATH|none",
    f"{_SOURCES}; 'finetuned' is the shipped network, 'finetuned-embedding' adds its embedding.",
    autocompletion=lambda: ["finetuned", "finetuned-embedding", "none"],
)
_LIST = flag("--list", "List every feature and exit.", _print_catalogue, is_eager=True)
_WEIGHTS = "Local weights for a model given by name."


def features(
    images: options.Images,
    out: options.OutTable,
    metadata: options.Metadata = None,
    embedder: Annotated[str, _EMBEDDER] = "finetuned",
    weights: Annotated[Path | None, option("FILE", _WEIGHTS, group=EXPERT)] = None,
    segmenter: options.Segmenter = "refined",
    masks: Annotated[Path | None, option("DIR", "Also write the masks to this folder.")] = None,
    device: options.Device = options.DeviceName.auto,
    jobs: options.Jobs = -1,
    dask: options.Dask = None,
    dask_resource: options.DaskResource = None,
    time_limit: options.TimeLimit = 120.0,
    restart: options.Restart = False,
    path_column: options.PathColumn = None,
    root: options.Roots = None,
    id_column: options.IdColumn = None,
    target: options.Target = None,
    malignant: options.Malignant = None,
    labels_from_folders: options.LabelsFromFolders = False,
    column: options.Columns = None,
    mapping: options.MappingFile = None,
    as_json: options.AsJson = False,
    show_list: Annotated[bool, _LIST] = False,
) -> None:
    """Measure images: ABCD features, CNN score, encoded metadata."""
    from dataclasses import asdict

    from hybridlesion.batch import check_output

    runner = options.choose_runner(jobs, dask, dask_resource, time_limit)
    chosen = options.merge_mapping(
        mapping,
        columns=options.split_columns(column),
        id_column=id_column,
        target_column=target,
        malignant=options.split_words(malignant),
        roots=root,
        labels_from_folders=labels_from_folders,
    )
    if "://" not in out:
        check_output(out)
    parameters = options.read_embedder(embedder, weights)

    from hybridlesion.batch import extract_features
    from hybridlesion.featurizer import LesionFeaturizer
    from hybridlesion.io.discovery import find_records

    records = find_records(
        images,
        metadata=metadata or (),
        id_column=id_column,
        target_column=target,
        path_column=path_column,
        roots=chosen.roots,
        labels_from_folders=chosen.labels_from_folders,
        **chosen.record_options,
    )
    output.print_excluded(records.set_aside)
    output.print_diagnoses(records.diagnoses)
    output.print_notes(records.warnings)
    output.check_device(str(device), parameters["embedder"])
    featurizer = LesionFeaturizer(**parameters, segmenter=segmenter, device=str(device))
    with show_progress("measuring") as progress:
        result = extract_features(
            *(records.frame, out),
            featurizer=featurizer,
            restart=restart,
            masks=masks,
            runner=runner,
            progress=progress,
        )
    if not as_json:
        output.print_result(result)
        return
    columns = [asdict(use) for use in records.columns]
    found = {"columns": columns, "diagnoses": records.diagnoses.to_dict("records")}
    output.print_json(output.run_facts(result) | found)
