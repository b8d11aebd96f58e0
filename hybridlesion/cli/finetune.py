"""``hybridlesion finetune``: images with a known truth to a fine-tuned backbone."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from hybridlesion.cli._options import (
    AsJson,
    Benign,
    Columns,
    Device,
    DeviceName,
    Jobs,
    LabelsFromFolders,
    Malignant,
    Metadata,
    Restart,
    Roots,
    Target,
    split_columns,
    split_words,
)
from hybridlesion.cli._outputs import OutFolder
from hybridlesion.cli._print import NOTES, show

__all__ = ["finetune"]


class CropName(StrEnum):
    """Words of ``--crop``."""

    lesion = "lesion"
    frame = "frame"
    both = "both"


def finetune(
    images: Annotated[
        list[str],
        typer.Argument(metavar="IMAGES...", help="Folders of images; each is a source of its own."),
    ],
    out: OutFolder,
    metadata: Metadata = None,
    backbone: Annotated[str, typer.Option(metavar="NAME", help="timm model.")] = "mobilenetv2_100",
    weights: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Its pretrained weights; else from timm's hub."),
    ] = None,
    folds: Annotated[
        int, typer.Option(min=2, metavar="N", help="Networks, one for each fold.")
    ] = 5,
    epochs: Annotated[int, typer.Option(min=1, metavar="N", help="Passes over the images.")] = 16,
    image_size: Annotated[
        int, typer.Option(min=32, metavar="N", help="Side that the network sees.")
    ] = 160,
    crop: Annotated[
        CropName, typer.Option(metavar="lesion|frame|both", help="What it sees.")
    ] = CropName.both,
    whole: Annotated[
        bool, typer.Option("--whole", help="Pack one network of all images as whole.zip, too.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Seed.")] = 0,
    target: Target = None,
    malignant: Malignant = None,
    benign: Benign = None,
    labels_from_folders: LabelsFromFolders = False,
    root: Roots = None,
    column: Columns = None,
    device: Device = DeviceName.auto,
    jobs: Jobs = -1,
    restart: Restart = False,
    as_json: AsJson = False,
) -> None:
    """Fine-tune a CNN in patient-grouped folds. Run again, it goes on where it stopped."""
    import time

    import pandas as pd

    from hybridlesion.cli._outputs import measures, print_json
    from hybridlesion.cli._print import format_metrics, print_diagnoses, print_notes
    from hybridlesion.cli._progress import show_progress
    from hybridlesion.cnn import FinetuneRecipe
    from hybridlesion.plotting import curve_figure
    from hybridlesion.training import finetune as train

    started = time.monotonic()
    columns = split_columns(column)
    with show_progress("reading, then training") as progress:
        trained = train(
            images,
            out,
            metadata=metadata or (),
            backbone=backbone,
            weights=weights,
            n_folds=folds,
            recipe=FinetuneRecipe(
                epochs=epochs,
                image_size=image_size,
                first_size=min(image_size, 128),
                seed=seed,
            ),
            crop=str(crop),
            whole=whole,
            target_column=target,
            malignant=split_words(malignant),
            labels_from_folders=labels_from_folders,
            roots=root or (),
            columns=columns,
            benign=split_words(benign),
            device=str(device),
            n_jobs=jobs,
            restart=restart,
            progress=progress,
        )
    curve_figure(pd.read_csv(trained.path / "curves.csv"), trained.path / "curves.png")
    print_diagnoses(trained.diagnoses)
    print_notes(trained.notes)
    seconds = time.monotonic() - started
    if as_json:
        names = ("path", "n_images", "n_malignant", "n_failed", "errors_path")
        found = {name: getattr(trained, name) for name in names}
        found |= {"metrics": measures(trained.metrics), "seconds": seconds, "notes": list(NOTES)}
        print_json(found | {"diagnoses": trained.diagnoses.to_dict("records")})
        return
    typer.echo("Out-of-fold scores:")
    show(format_metrics(trained.metrics))
    failed = f"{trained.n_failed:,} failed"
    if trained.errors_path is not None:
        failed += f" (see {trained.errors_path})"
    typer.echo(
        f"wrote {trained.path}: {folds} networks of {trained.n_images:,} images, "
        f"{trained.n_malignant:,} malignant, {failed}, {seconds:.1f} s"
    )
