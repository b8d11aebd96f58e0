"""``hybridlesion features``, ``segment`` and ``explain``: measure, outline and draw lesions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

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
    from hybridlesion.inference import join_metadata
    from hybridlesion.io.discovery import find_images
    from hybridlesion.metadata import read_records
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
        fitted, manifest = options.load_model(model, key)
        facts = {"training": manifest.get("training"), "model_name": model.name}
        chosen |= {"model": fitted, **facts}
        if metadata:
            records, notes = join_metadata(records, read_records(metadata))
            output.print_notes(notes)
    elif metadata:
        raise typer.BadParameter("--metadata serves the score of a model: --model MODEL.joblib.")
    elif key is not None:
        raise typer.BadParameter("--key checks the signature of a model: --model MODEL.joblib.")
    with show_progress("drawing") as progress:
        result = write_abcd_sheets(
            records, out, segmenter=segmenter, masks=mask, progress=progress, **chosen
        )
    output.print_result(result, "sheet")
