"""``hybridlesion finetune`` and ``hybridlesion train-refiner``: train a network."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from hybridlesion.cli import _options as options
from hybridlesion.cli import _output as output
from hybridlesion.cli._options import EXPERT, argument, flag, option
from hybridlesion.cli._progress import duration, say, show_progress

_FOLDERS = "Folders of images, each a separate source."
_PRETRAINED = "Pretrained weights; default: from the timm hub."
_RATE = "Peak learning rate of the backbone."
_SIDE = "Side of the network's input, a multiple of 32 pixels."
_WHOLE = "Also train one network on all images, as whole.zip."
_TRUE_MASKS = "Folder of true masks; one for each IMAGES, in order."
_STRUCTURES = "Folder of IMAGEID_attribute_STRUCTURE.png, as in ISIC 2018 task 2."
_ENCODER = "ImageNet weights of mobilenetv2_100 for the encoder."


def finetune(
    images: Annotated[list[str], argument("IMAGES...", _FOLDERS)],
    out: options.OutFolder,
    metadata: options.Metadata = None,
    backbone: Annotated[str, option("NAME", "timm model.")] = "tf_efficientnet_lite0",
    weights: Annotated[str | None, option("FILE", _PRETRAINED)] = None,
    folds: Annotated[int, option("N", "Folds, with one network each.", min=2)] = 5,
    epochs: options.Epochs = 8,
    learning_rate: Annotated[float, option("X", _RATE, min=0, max=1, group=EXPERT)] = 6e-4,
    batch_size: Annotated[
        int, option("N", "Images of one training step.", min=1, group=EXPERT)
    ] = 48,
    image_size: Annotated[int, option("N", _SIDE, min=32, group=EXPERT)] = 160,
    whole: Annotated[bool, flag("--whole", _WHOLE, group=EXPERT)] = False,
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
    import pandas as pd

    from hybridlesion.cnn import FinetuneRecipe
    from hybridlesion.plotting import curve_figure
    from hybridlesion.training import finetune as train

    with show_progress("reading images", "training, in steps") as progress:
        trained = train(
            *(images, out),
            metadata=metadata or (),
            backbone=backbone,
            weights=weights,
            n_folds=folds,
            recipe=FinetuneRecipe(epochs, batch_size, image_size, learning_rate, seed=seed),
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
            log=lambda training, row: say(epoch_line(epochs, training, row)),
        )
    curve_figure(pd.read_csv(trained.path / "curves.csv"), trained.path / "curves.png")
    output.print_diagnoses(trained.diagnoses)
    output.print_notes(trained.notes)
    if as_json:
        facts = _json_facts(trained, "n_images", "n_malignant")
        output.print_json(facts | {"diagnoses": trained.diagnoses.to_dict("records")})
        return
    typer.echo("Out-of-fold scores:")
    output.echo(output.format_metrics(trained.metrics))
    networks = f"{folds} networks of {trained.n_images:,} images, {trained.n_malignant:,} malignant"
    output.print_written(trained.path, networks, trained.n_failed, trained.errors_path)


def train_refiner(
    images: Annotated[list[str], argument("IMAGES...", "Folders of images, or archives.")],
    masks: Annotated[list[str], option("DIR", _TRUE_MASKS)],
    out: options.OutWeights,
    metadata: options.Metadata = None,
    structures: Annotated[str | None, option("DIR", _STRUCTURES, group=EXPERT)] = None,
    weights: Annotated[str | None, option("FILE", _ENCODER)] = None,
    epochs: options.Epochs = 8,
    folds: Annotated[int, option("N", "Folds of a cross-validation; 0 for none.", min=0)] = 0,
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

    import pandas as pd

    from hybridlesion.plotting import curve_figure
    from hybridlesion.segmentation.refiner import Recipe
    from hybridlesion.training import train_refiner as train

    with show_progress("reading images", "training, in steps") as progress:
        trained = train(
            *(images, masks, out),
            metadata=metadata or (),
            structures=structures,
            weights=weights,
            n_folds=folds,
            recipe=Recipe(epochs=epochs, seed=seed),
            device=str(device),
            n_jobs=jobs,
            restart=restart,
            progress=progress,
            log=lambda training, row: say(epoch_line(epochs, training, row)),
        )
    curve = pd.read_csv(f"{trained.path}.curve.csv")
    curve_figure(curve.rename(columns={"training": "fold"}), f"{trained.path}.curve.png")
    if as_json:
        output.print_json(_json_facts(trained, "n_images"))
        return
    if trained.metrics is not None:
        typer.echo("Overlap of out-of-fold masks with the true ones:")
        output.echo(output.format_metrics(trained.metrics))
    made = f"trained on {trained.n_images:,} images"
    output.print_written(trained.path, made, trained.n_failed, trained.errors_path)


def epoch_line(epochs: int, training: str, row: Mapping[str, float]) -> str:
    """Format an epoch of a training as a line.

    Parameters
    ----------
    epochs : int
        Number of epochs of the training.
    training : str
        Name of the training, such as ``"fold_0"``.
    row : mapping of str to float
        Row of the learning curve.

    Returns
    -------
    str
        Losses, Jaccard index or AUCs by source, learning rate, speed and time left.

    Examples
    --------
    >>> row = {"epoch": 3, "loss": 1.21, "held_out_loss": 1.3, "melanoma AUC, ham": 0.912}
    >>> row |= {"rate": 4e-4, "images_per_second": 35.2, "minutes_left": 0}
    >>> first, _, rest = epoch_line(3, "fold_0", row).partition(", rate ")
    >>> first
    'fold_0, epoch 3 of 3: loss 1.210, held out 1.300, AUC of melanoma 0.912 (ham)'
    >>> rest
    '4.0e-04, 35.2 images/s'
    """
    said = [f"loss {row['loss']:.3f}"]
    said += [f"held out {row['held_out_loss']:.3f}"] if "held_out_loss" in row else []
    said += [f"Jaccard {row['held_out_jaccard']:.3f}"] if "held_out_jaccard" in row else []
    for name, value in row.items():
        measure, comma, source = name.replace("_", " ").partition(" AUC, ")
        known = comma and not math.isnan(value)
        said += [f"AUC of {measure} {value:.3f} ({source})"] if known else []
    said += [f"rate {row['rate']:.1e}"]
    # A training of a single step has no measured speed.
    speed = row["images_per_second"]
    said += [] if math.isnan(speed) else [f"{speed:.1f} images/s"]
    said += [f"{duration(60 * row['minutes_left'])} left"] if row["minutes_left"] else []
    return f"{training}, epoch {row['epoch']:.0f} of {epochs}: {', '.join(said)}"


def _json_facts(trained: Any, *counts: str) -> dict[str, object]:
    facts = output.attributes(trained, "path", *counts, "n_failed", "errors_path", "metrics")
    if trained.metrics is not None:
        facts["metrics"] = output.metrics_by_name(trained.metrics)
    return facts
