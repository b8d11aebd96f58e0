"""``hybridlesion train-refiner``: images with true masks to a refiner."""

from __future__ import annotations

from typing import Annotated

import typer

from hybridlesion.cli._options import AsJson, Device, DeviceName, Jobs, Metadata, Restart
from hybridlesion.cli._outputs import OutWeights
from hybridlesion.cli._print import NOTES, show

__all__ = ["train_refiner"]


def train_refiner(
    images: Annotated[
        list[str], typer.Argument(metavar="IMAGES...", help="Folders of images, or archives.")
    ],
    masks: Annotated[
        list[str],
        typer.Option(metavar="DIR", help="Folder of true masks; one for each IMAGES, in order."),
    ],
    out: OutWeights,
    metadata: Metadata = None,
    weights: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="ImageNet weights of mobilenetv2_100 for the encoder."),
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, metavar="N", help="Passes over the images.")] = 16,
    folds: Annotated[
        int,
        typer.Option(min=0, metavar="N", help="Also measure, with this many networks; 0 does not."),
    ] = 0,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Seed.")] = 0,
    device: Device = DeviceName.auto,
    jobs: Jobs = -1,
    restart: Restart = False,
    as_json: AsJson = False,
) -> None:
    """Train the network that corrects classical masks. Run again, it goes on where it stopped."""
    if len(images) != len(masks):
        raise typer.BadParameter(
            "each of the IMAGES needs a --masks DIR of its own, in the same order. Got "
            f"{len(images)} and {len(masks)}."
        )
    if folds == 1:
        raise typer.BadParameter("--folds takes 0 or at least 2; one fold leaves nothing to learn.")

    import time

    from hybridlesion.cli._outputs import measures, print_json
    from hybridlesion.cli._print import format_metrics
    from hybridlesion.cli._progress import show_progress
    from hybridlesion.segmentation.refiner import Recipe
    from hybridlesion.training import train_refiner as train

    started = time.monotonic()
    with show_progress("reading, then training") as progress:
        trained = train(
            images,
            masks,
            out,
            metadata=metadata or (),
            weights=weights,
            n_folds=folds,
            recipe=Recipe(epochs=epochs, seed=seed),
            device=str(device),
            n_jobs=jobs,
            restart=restart,
            progress=progress,
        )
    seconds = time.monotonic() - started
    if as_json:
        names = ("path", "n_images", "n_failed", "errors_path")
        metrics = None if trained.metrics is None else measures(trained.metrics)
        found = {name: getattr(trained, name) for name in names}
        print_json(found | {"metrics": metrics, "seconds": seconds, "notes": list(NOTES)})
        return
    if trained.metrics is not None:
        typer.echo("Overlap of out-of-fold masks with the true ones:")
        show(format_metrics(trained.metrics))
    failed = f"{trained.n_failed:,} failed"
    if trained.errors_path is not None:
        failed += f" (see {trained.errors_path})"
    typer.echo(
        f"wrote {trained.path}: trained on {trained.n_images:,} images, {failed}, {seconds:.1f} s"
    )
