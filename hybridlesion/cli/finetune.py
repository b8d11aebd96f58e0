"""``hybridlesion finetune``: fine-tune a backbone on labelled images."""

from __future__ import annotations

from typing import Annotated

import typer

from hybridlesion.cli import _options as options
from hybridlesion.cli import _output as output
from hybridlesion.cli._progress import show_progress


def finetune(
    images: Annotated[
        list[str],
        typer.Argument(metavar="IMAGES...", help="Folders of images, each a separate source."),
    ],
    out: options.OutFolder,
    metadata: options.Metadata = None,
    backbone: Annotated[str, options.option("NAME", "timm model.")] = "tf_efficientnet_lite0",
    weights: Annotated[
        str | None, options.option("FILE", "Pretrained weights; default: from the timm hub.")
    ] = None,
    folds: Annotated[int, options.option("N", "Folds, with one network each.", min=2)] = 5,
    epochs: options.Epochs = 8,
    learning_rate: Annotated[
        float, options.option("X", "Peak learning rate of the backbone.", min=0, max=1)
    ] = 6e-4,
    batch_size: Annotated[int, options.option("N", "Images of one training step.", min=1)] = 48,
    image_size: Annotated[
        int, options.option("N", "Side of the network's input, a multiple of 32 pixels.", min=32)
    ] = 160,
    whole: Annotated[
        bool, typer.Option("--whole", help="Also train one network on all images, as whole.zip.")
    ] = False,
    seed: options.Seed = 0,
    target: options.Target = None,
    malignant: options.Malignant = None,
    benign: options.Benign = None,
    labels_from_folders: options.LabelsFromFolders = False,
    root: options.Roots = None,
    column: options.Columns = None,
    device: options.Device = options.DeviceName.auto,
    jobs: options.Jobs = -1,
    restart: options.Restart = False,
    as_json: options.AsJson = False,
) -> None:
    """Fine-tune a CNN in patient-grouped folds. Run again, it continues where it stopped."""
    import time

    import pandas as pd

    from hybridlesion.cnn import FinetuneRecipe
    from hybridlesion.plotting import curve_figure
    from hybridlesion.training import finetune as train

    started = time.monotonic()
    with show_progress("reading, then training") as progress:
        trained = train(
            *(images, out),
            metadata=metadata or (),
            backbone=backbone,
            weights=weights,
            n_folds=folds,
            recipe=FinetuneRecipe(
                epochs=epochs,
                batch_size=batch_size,
                image_size=image_size,
                learning_rate=learning_rate,
                seed=seed,
            ),
            whole=whole,
            target_column=target,
            malignant=options.split_words(malignant),
            labels_from_folders=labels_from_folders,
            roots=root or (),
            columns=options.split_columns(column),
            benign=options.split_words(benign),
            device=str(device),
            n_jobs=jobs,
            restart=restart,
            progress=progress,
        )
    curve_figure(pd.read_csv(trained.path / "curves.csv"), trained.path / "curves.png")
    output.print_diagnoses(trained.diagnoses)
    output.print_notes(trained.notes)
    seconds = time.monotonic() - started
    if as_json:
        found = output.attributes(
            trained, "path", "n_images", "n_malignant", "n_failed", "errors_path"
        )
        found |= {"metrics": output.metrics_by_name(trained.metrics), "seconds": seconds}
        found |= {"notes": list(output.NOTES), "diagnoses": trained.diagnoses.to_dict("records")}
        output.print_json(found)
        return
    failed = output.failures(trained.n_failed, trained.errors_path)
    typer.echo("Out-of-fold scores:")
    output.echo(output.format_metrics(trained.metrics))
    typer.echo(
        f"wrote {trained.path}: {folds} networks of {trained.n_images:,} images, "
        f"{trained.n_malignant:,} malignant, {failed}, {seconds:.1f} s"
    )
