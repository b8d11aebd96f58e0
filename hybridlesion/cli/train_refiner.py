"""``hybridlesion train-refiner``: train a refiner on images with reference masks."""

from __future__ import annotations

from typing import Annotated

import typer

from hybridlesion.cli import _options as options
from hybridlesion.cli import _output as output
from hybridlesion.cli._progress import show_progress


def train_refiner(
    images: Annotated[
        list[str], typer.Argument(metavar="IMAGES...", help="Folders of images, or archives.")
    ],
    masks: Annotated[
        list[str], options.option("DIR", "Folder of true masks; one for each IMAGES, in order.")
    ],
    out: options.OutWeights,
    metadata: options.Metadata = None,
    weights: Annotated[
        str | None, options.option("FILE", "ImageNet weights of mobilenetv2_100 for the encoder.")
    ] = None,
    epochs: options.Epochs = 16,
    folds: Annotated[
        int, options.option("N", "Folds of a cross-validation; 0 for none.", min=0)
    ] = 0,
    seed: options.Seed = 0,
    device: options.Device = options.DeviceName.auto,
    jobs: options.Jobs = -1,
    restart: options.Restart = False,
    as_json: options.AsJson = False,
) -> None:
    """Train the network that corrects masks. Run again, it continues where it stopped."""
    if len(images) != len(masks):
        raise typer.BadParameter(
            "each of the IMAGES needs one --masks DIR, in the same order. Got "
            f"{len(images)} and {len(masks)}."
        )
    if folds == 1:
        raise typer.BadParameter("--folds must be 0 or at least 2, got 1.")

    import time

    from hybridlesion.segmentation.refiner import Recipe
    from hybridlesion.training import train_refiner as train

    started = time.monotonic()
    with show_progress("reading, then training") as progress:
        trained = train(
            *(images, masks, out),
            metadata=metadata or (),
            weights=weights,
            n_folds=folds,
            recipe=Recipe(epochs=epochs, seed=seed),
            device=str(device),
            n_jobs=jobs,
            restart=restart,
            progress=progress,
        )
    metrics, seconds = trained.metrics, time.monotonic() - started
    if as_json:
        found = output.attributes(trained, "path", "n_images", "n_failed", "errors_path")
        found["metrics"] = None if metrics is None else output.metrics_by_name(metrics)
        output.print_json(found | {"seconds": seconds, "notes": list(output.NOTES)})
        return
    if metrics is not None:
        typer.echo("Overlap of out-of-fold masks with the true ones:")
        output.echo(output.format_metrics(metrics))
    failed = output.failures(trained.n_failed, trained.errors_path)
    typer.echo(
        f"wrote {trained.path}: trained on {trained.n_images:,} images, {failed}, {seconds:.1f} s"
    )
