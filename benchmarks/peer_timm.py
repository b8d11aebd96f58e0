"""The recipe of `finetune` against the defaults of timm's training script, in the same time.

    python benchmarks/peer_timm.py DATA --weights WEIGHTS [--images 1200] [--minutes 6]

DATA holds isic2017 and derm7pt, WEIGHTS are those of tf_efficientnet_lite0 trained on ImageNet. A
third of the images of ISIC 2017 is held out, grouped by near-duplicates; both sides learn its three
diagnoses from the others, at the same time, in one thread each. Each gets as many whole epochs as
fit into the minutes of a processor. timm's side is the loop of the script with the defaults of its
arguments: random crops of 8 to 100 % of the image, mirroring and colour jitter, batches of 128, SGD
with Nesterov momentum 0.9 and a rate of 0.05 that rises over five epochs and falls along a cosine,
label smoothing 0.1, cross-entropy, the last weights.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
from peer_classifiers import print_sides
from peer_masks import list_pairs, spaced

from hybridlesion._optional_imports import import_timm
from hybridlesion.cnn import (
    CLASS_SHARES,
    Examples,
    FinetuneRecipe,
    allowed_classes,
    class_scores,
    create_network,
    predict,
    train,
)
from hybridlesion.io import list_images
from hybridlesion.leakage import cluster_near_duplicates, crop_hashes
from hybridlesion.model_selection import connected_groups, grouped_folds
from hybridlesion.training._image_training import read_store

BACKBONE = "tf_efficientnet_lite0"
BATCH, RATE, MOMENTUM, DECAY, SMOOTHING = 128, 0.05, 0.9, 2e-5, 0.1
WARM_UP, FIRST_RATE = 5, 1e-5
AUGMENTATION = {"color_jitter": 0.4, "hflip": 0.5, "interpolation": "random"}


def main() -> None:
    """Train both sides and print how they rank melanomas."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--images", type=int, default=1200, help="of ISIC 2017, evenly spaced")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--minutes", type=float, default=6, help="of a processor, for each side")
    parser.add_argument("--copies", type=Path, help="folder that keeps small copies of the images")
    options = parser.parse_args()
    records = pd.concat([isic2017(options.data, options.images), derm7pt(options.data)])
    copies = options.copies or Path(tempfile.mkdtemp(prefix="timm-"))
    examples, group = read(records.reset_index(drop=True), copies)
    y, home = examples.allowed[:, 0], examples.source == 0
    held = home.copy()
    held[home] = grouped_folds(y[home], group[home], n_splits=3) == 0
    learn, places = home & ~held, {"ISIC 2017, held out": held, "Derm7pt": ~home}
    print(f"{learn.sum()} images to learn from, {y[learn].sum()} melanomas", flush=True)
    with ProcessPoolExecutor(len(SIDES), mp_context=get_context("spawn")) as pool:
        running = {name: pool.submit(run, name, examples, learn, options) for name in SIDES}
        scores = {name: work.result() for name, work in running.items()}
    for place, rows in places.items():
        print_sides(place, y[rows], group[rows], {name: scores[name][rows] for name in SIDES})


def isic2017(data: Path, most: int) -> pd.DataFrame:
    """Images of ISIC 2017 with their diagnoses."""
    found = spaced(list_pairs(data / "isic2017"), most)
    truth = pd.read_csv(data / "isic2017" / "ISIC-2017_Training_Part3_GroundTruth.csv")
    truth = found[["image_id"]].merge(truth, how="left", on="image_id")
    cases = [truth["melanoma"] == 1, truth["seborrheic_keratosis"] == 1]
    names = np.select(cases, ["melanoma", "seborrheic keratosis"], "nevus")
    return found.assign(diagnosis=names, source=0)


def derm7pt(data: Path) -> pd.DataFrame:
    """Images of Derm7pt with their diagnoses."""
    found = list_images(str(data / "derm7pt" / "images")).assign(aspect=None, source=1)
    return found.merge(pd.read_csv(data / "derm7pt" / "index.csv")[["image_id", "diagnosis"]])


def read(records: pd.DataFrame, copies: Path) -> tuple[Examples, np.ndarray]:
    """Small copies of the images with lesion boxes and labels, and groups of near-duplicates."""
    start = time.perf_counter()
    store = read_store(records, copies, n_jobs=2)
    melanoma = records["diagnosis"].str.contains("melanoma")
    allowed = allowed_classes(records["diagnosis"], melanoma.to_numpy(int))
    rows = np.arange(len(records))
    crops = np.stack([crop_hashes(image) for image in store.images(rows)])
    print(
        f"{len(rows)} images read, segmented and hashed: {time.perf_counter() - start:.0f} s",
        flush=True,
    )
    labels = allowed, records["source"].to_numpy(), rows
    examples = Examples(np.array(store.pixels), store.places, store.boxes, *labels)
    return examples, connected_groups(cluster_near_duplicates(store.hashes, crops))


def run(name: str, examples: Examples, learn: np.ndarray, options: argparse.Namespace):
    """Train a side in this process; return the melanoma scores of all images."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    return SIDES[name](examples, np.flatnonzero(learn), options)


def ours(examples: Examples, learn: np.ndarray, options: argparse.Namespace) -> np.ndarray:
    """Train as `finetune` does. An epoch alone tells how many fit into the time."""
    recipe, seconds = FinetuneRecipe(image_size=options.size, epochs=1), 60 * options.minutes
    trial = timed_train(examples.subset(learn), recipe, options)[1]
    recipe = replace(recipe, epochs=max(1, int(seconds / trial)))
    network, spent = timed_train(examples.subset(learn), recipe, options)
    print(f"finetune: {recipe.epochs} epochs in {spent:.0f} s of a processor", flush=True)
    return class_scores(predict(network, examples, recipe.scored_size), CLASS_SHARES)[:, 1]


def timed_train(examples: Examples, recipe: FinetuneRecipe, options: argparse.Namespace):
    """Train by a recipe; return the network, and the seconds of a processor it took."""
    network = create_network(BACKBONE, str(options.weights), dropout=recipe.dropout)
    start = time.process_time()
    return train(network, examples, recipe).average, time.process_time() - start


def script(examples: Examples, learn: np.ndarray, options: argparse.Namespace) -> np.ndarray:
    """Train as timm's script does. Its first epoch tells how many fit into the time."""
    import torch
    from PIL import Image

    timm = import_timm()
    data, loss, optim, scheduler = (
        import_module(f"timm.{name}") for name in ("data", "loss", "optim", "scheduler")
    )

    kinds, label = np.unique(examples.allowed[learn], axis=0, return_inverse=True)
    source = {"file": str(options.weights), "hf_hub_id": None, "url": ""}
    network = timm.create_model(
        BACKBONE, pretrained=True, num_classes=len(kinds), pretrained_cfg_overlay=source
    )
    config = data.resolve_model_data_config(network)
    spec = {"input_size": options.size, "mean": config["mean"], "std": config["std"]}
    augment = data.create_transform(**spec, is_training=True, **AUGMENTATION)
    show = data.create_transform(
        **spec, interpolation=config["interpolation"], crop_pct=config["crop_pct"]
    )

    def views(rows, transform):
        return torch.stack([transform(Image.fromarray(examples.image(row))) for row in rows])

    settings = {"lr": RATE, "momentum": MOMENTUM, "weight_decay": DECAY}
    optimizer = optim.create_optimizer_v2(network, opt="sgd", **settings)
    loss_of = loss.LabelSmoothingCrossEntropy(SMOOTHING)
    label, rng = torch.from_numpy(label.reshape(-1)), np.random.default_rng(0)
    batch = min(BATCH, len(learn))
    epoch, epochs, start, schedule = 0, 1, time.process_time(), None
    while epoch < epochs:
        for group in optimizer.param_groups if schedule is None else ():
            group["lr"] = FIRST_RATE
        network.train()
        order = rng.permutation(len(learn))
        for chosen in order[: len(order) // batch * batch].reshape(-1, batch):
            optimizer.zero_grad()
            loss_of(network(views(learn[chosen], augment)), label[chosen]).backward()
            optimizer.step()
        epoch += 1
        if schedule is None:
            for group in optimizer.param_groups:
                group["lr"] = RATE
            epochs = max(1, int(60 * options.minutes / (time.process_time() - start)))
            warm_up = {"warmup_t": WARM_UP, "warmup_lr_init": FIRST_RATE}
            schedule = scheduler.CosineLRScheduler(optimizer, t_initial=epochs, **warm_up)
        schedule.step(epoch)
    spent = time.process_time() - start
    print(f"timm: {epochs} epochs in {spent:.0f} s of a processor", flush=True)
    network.eval()
    with torch.inference_mode():
        parts = [network(views([row], show)).softmax(1) for row in range(len(examples))]
    return torch.cat(parts).numpy()[:, kinds[:, 0] & (kinds.sum(1) == 1)].sum(1)


SIDES = {"timm": script, "finetune": ours}


if __name__ == "__main__":
    main()
