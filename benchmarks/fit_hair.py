"""Train the network that sees hair: hybridlesion/preprocessing/hair.onnx.

    python benchmarks/fit_hair.py DATA --weights WEIGHTS

Nobody drew the hairs of real images. A teacher, the first stages of an ImageNet network, learns
from images on which people saw hair or none, and from drawn hair, which cells of eight by eight
pixels show hair. The small network that is shipped learns from the teacher's cells, which it fills
with lines as it knows them from drawn hair, where every pixel is known.

Only what `benchmarks/hair.py` does not measure is used: annotated images of ISIC 2017 with even
positions in the sorted list of ids or a larger copy, and images of ISIC 2018, ISIC 2020 and
HAM10000, of which the last two have no annotations. One core takes about 40 minutes.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from hair_networks import CELL, HairNetwork, Teacher, fold_norms, image_logits, write_onnx
from hair_views import (
    HEIGHT,
    WIDTH,
    change_light,
    draw_hairs,
    draw_ruler,
    plain_picture,
    random_view,
)
from sklearn.metrics import roc_auc_score
from torch.nn import functional as F

from hybridlesion._optional_imports import cv2
from hybridlesion.io import read_image, resize_long_side
from hybridlesion.preprocessing._occlusions import HAIR_WEIGHTS
from hybridlesion.segmentation.refiner import read_unsquashed
from hybridlesion.training._image_training import digest_ids

HAIRY, HAIRLESS, DRAWN = 1, 0, 2


@dataclass(frozen=True)
class Recipe:
    """How long, how fast, and on what a network is trained."""

    steps: int
    rate: float
    hairy: int
    hairless: int
    drawn: int
    # Shares of hairless and drawn views whose skin is drawn as well, and that get a ruler.
    plain: float = 0.08
    rulers: float = 0.0
    sharpest: float = 0.35


TEACHER = Recipe(steps=400, rate=4e-4, hairy=6, hairless=5, drawn=2)
STUDENT = Recipe(steps=750, rate=8e-3, hairy=6, hairless=4, drawn=5)

# Later legs, without norms, whose means of a batch are not those of an image: first with rulers,
# then also with sharp hair on plain skin.
LEGS = (
    Recipe(steps=600, rate=2e-3, hairy=6, hairless=4, drawn=5, rulers=0.25),
    Recipe(
        steps=400,
        rate=1.5e-3,
        hairy=5,
        hairless=4,
        drawn=7,
        plain=0.35,
        rulers=0.25,
        sharpest=0.1,
    ),
)

# New layers of the teacher learn so many times faster than those that know ImageNet.
NEW_LAYERS = 5

# Images without annotations, and the aspect of those whose size no table tells.
UNLABELLED = {"isic2020": 400, "ham10000": 200}
USUAL_ASPECT = {"isic2020": 3 / 2, "ham10000": 4 / 3}

# Long side at which larger copies are learned from.
LARGER = 400

# What an annotation is worth, and how much of an image's label stays the annotation's once the
# teacher has its say: people overlook hair, and saw larger images than these.
TRUST = 0.9
OWN_SAY = 0.5


@dataclass
class Picture:
    """One image to learn from."""

    name: str
    image: np.ndarray
    hair: float | None
    cells: np.ndarray | None = None


def read_pictures(data: Path) -> tuple[list[Picture], list[Picture]]:
    """Read the images to learn from, and those that only measure."""
    notes = pd.read_csv(data / "tables/artifact_annotations.csv", sep=";")
    hair = notes.set_index(notes["image"].str.removesuffix(".png"))["hair"].astype(float)
    sizes = pd.read_csv(data / "isic2017/index.csv").set_index("image_id")
    larger = {path.stem: path for path in (data / "isic2017-hires/images").glob("*.jpg")}
    learned, measured = [], []
    paths = sorted((data / "isic2017/images").glob("*.jpg"))
    for position, path in enumerate(path for path in paths if path.stem in hair.index):
        width, height = sizes.loc[path.stem, ["orig_width", "orig_height"]]
        if path.stem in larger:
            image = resize_long_side(read_image(larger[path.stem]), LARGER)
        else:
            image = read_unsquashed(path, width / height)
        held_out = position % 2 == 1 and path.stem not in larger
        picture = Picture(path.stem, image, hair[path.stem])
        (measured if held_out else learned).append(picture)
    others = sorted((data / "isic2018-task1/images").glob("*"))
    learned += [
        Picture(path.stem, read_image(path), hair[path.stem])
        for path in others
        if path.stem in hair.index
    ]
    return learned + read_unlabelled(data), measured


def read_unlabelled(data: Path) -> list[Picture]:
    """Read some images on which nobody looked for hair."""
    rng = np.random.default_rng(0)
    sizes = pd.read_csv(data / "tables/isic2020_folds_dims.csv").set_index("image_name")
    aspects = (sizes["width"] / sizes["height"]).to_dict()
    pictures = []
    for folder, number in UNLABELLED.items():
        paths = sorted((data / folder / "images").glob("*.jpg"))
        for position in rng.choice(len(paths), min(number, len(paths)), replace=False):
            path = paths[position]
            image = read_unsquashed(path, aspects.get(path.stem, USUAL_ASPECT[folder]))
            pictures.append(Picture(path.stem, image, None))
    return pictures


def draw_batch(pictures: list[Picture], recipe: Recipe, rng: np.random.Generator):
    """Draw views.

    Returns
    -------
    views : ndarray of shape (n, H, W, 3)
    cover : ndarray of shape (n, H, W), the drawn hair
    cells : ndarray of shape (n, H, W), the teacher's probabilities
    hair : ndarray of shape (n,), the probability that the image shows hair
    kinds : ndarray of shape (n,), HAIRLESS, HAIRY or DRAWN
    """
    groups = {
        HAIRY: [picture for picture in pictures if picture.hair > 0.5],
        HAIRLESS: [picture for picture in pictures if picture.hair <= 0.5],
    }
    groups[DRAWN] = groups[HAIRLESS]
    numbers = {HAIRY: recipe.hairy, HAIRLESS: recipe.hairless, DRAWN: recipe.drawn}
    kinds = np.repeat(list(numbers), list(numbers.values()))
    rows = []
    for kind in kinds:
        picture = groups[kind][rng.integers(len(groups[kind]))]
        rows.append((*_one_view(picture, kind, recipe, rng), float(kind == DRAWN) or picture.hair))
    views, cover, cells, hair = (np.stack(column) for column in zip(*rows, strict=True))
    return views, cover, cells, hair.astype(np.float32), kinds


def _one_view(picture: Picture, kind: int, recipe: Recipe, rng: np.random.Generator):
    cells = np.zeros(picture.image.shape[:2], np.uint8) if picture.cells is None else picture.cells
    view = random_view(np.dstack([picture.image, cells]), rng)
    image, cells = np.ascontiguousarray(view[..., :3]), view[..., 3].astype(np.float32) / 255
    cover = np.zeros((HEIGHT, WIDTH), np.float32)
    if kind != HAIRY and rng.random() < recipe.plain:
        image, cells = plain_picture(rng), cover
    if kind != HAIRY and recipe.rulers and rng.random() < recipe.rulers:
        draw_ruler(image, rng, edge=True)
    if kind == DRAWN:
        image, cover = draw_hairs(image, rng, sharpest=recipe.sharpest)
    return change_light(image, rng), cover, cells


def teacher_loss(network: Teacher, batch) -> torch.Tensor:
    """Cross-entropy of images with annotations, and of the cells whose truth is known."""
    views, cover, _, hair, kinds = batch
    logits = network(network.encode(views))
    drawn = F.max_pool2d(torch.from_numpy(cover)[:, None], CELL)
    cells = _cross_entropy(logits, (1.5 * drawn).clamp(max=1)).mean((1, 2, 3))
    real = torch.from_numpy(kinds != DRAWN)
    truth = torch.from_numpy((1 - TRUST) / 2 + TRUST * hair)
    images = _cross_entropy(image_logits(network, logits), truth)
    hairless, drawn = torch.from_numpy(kinds == HAIRLESS), ~real
    return images[real].mean() + 0.3 * cells[hairless].mean() + 0.5 * cells[drawn].mean()


def student_loss(network: HairNetwork, batch) -> torch.Tensor:
    """Exact pixels of drawn hair, the teacher's cells, and the label of the image."""
    views = network.encode(batch[0])
    cover, cells, hair, kinds = map(torch.from_numpy, batch[1:])
    logits = network(views)
    drawn = kinds == DRAWN
    taught = F.avg_pool2d(cells[:, None], CELL)
    # The teacher's clear "no" holds for every pixel of a cell; its "yes" for the best of them.
    clear = (
        F.interpolate((taught < 0.1).float(), scale_factor=CELL // 2) * ~drawn[:, None, None, None]
    )
    truth = (2 * F.avg_pool2d(cover[:, None], 2)).clamp(max=1)
    pixels = _cross_entropy(logits, truth)
    exact = pixels[drawn].mean() + (clear * pixels).sum() / (1 + clear.sum())
    best = F.max_pool2d(logits[~drawn], CELL // 2)
    probability = logits[drawn].sigmoid()
    both = (probability * truth[drawn]).sum((1, 2, 3))
    either = (probability + truth[drawn]).sum((1, 2, 3))
    dice = 1 - (2 * both + 20) / (either + 20)
    images = _cross_entropy(image_logits(network, logits), 0.02 + 0.96 * hair)
    return (
        5 * exact
        + 0.5 * dice.mean()
        + 2 * _cross_entropy(best, taught[~drawn]).mean()
        + images.mean()
    )


def _cross_entropy(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    return F.binary_cross_entropy_with_logits(logits, truth.float(), reduction="none")


def train(network, loss_of, pictures: list[Picture], recipe: Recipe, seed: int):
    """Train by AdamW and one cycle; return the network with the running mean of its weights."""
    rng = np.random.default_rng(seed)
    parts = dict(network.named_parameters())
    known = [value for name, value in parts.items() if name.startswith(("encoder", "context"))]
    new = [value for name, value in parts.items() if not name.startswith(("encoder", "context"))]
    rates = [recipe.rate, NEW_LAYERS * recipe.rate] if known else [recipe.rate]
    groups = [{"params": group} for group in (known, new) if group]
    optimizer = torch.optim.AdamW(groups, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, rates, total_steps=recipe.steps, pct_start=0.15
    )
    mean = {name: value.clone() for name, value in network.state_dict().items()}
    network.train()
    for step in range(recipe.steps):
        loss = loss_of(network, draw_batch(pictures, recipe, rng))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        keep = min(0.98, (step + 1) / (step + 10))
        for name, value in network.state_dict().items():
            if value.dtype.is_floating_point:
                mean[name].lerp_(value, 1 - keep)
        if step % 25 == 24:
            print(f"step {step + 1}: {loss.item():.3f}", flush=True)
    network.load_state_dict(mean)
    return network.eval()


@torch.inference_mode()
def look(network, image: np.ndarray) -> tuple[float, np.ndarray]:
    """Probability that the image shows hair, and the map of probabilities."""
    height, width = (side - side % CELL for side in image.shape[:2])
    logits = network(network.encode(image[None, :height, :width]))
    return image_logits(network, logits).sigmoid().item(), logits.sigmoid()[0, 0].numpy()


def teach(teacher: Teacher, pictures: list[Picture]) -> None:
    """Write the teacher's word beside each image: its cells, and its share of the label."""
    for picture in pictures:
        said, cells = look(teacher, picture.image)
        size = picture.image.shape[1::-1]
        cells = cv2.resize(cells, size, interpolation=cv2.INTER_NEAREST)
        picture.cells = np.round(255 * cells).astype(np.uint8)
        known = said if picture.hair is None else picture.hair
        picture.hair = OWN_SAY * known + (1 - OWN_SAY) * said


def ranking(network, pictures: list[Picture]) -> float:
    """AUC of the mean probability on images that were not learned from."""
    shares = [look(network, picture.image)[1].mean() for picture in pictures]
    return roc_auc_score([picture.hair for picture in pictures], shares)


def main() -> None:
    """Train the teacher, then the network; write it and say what it was trained on."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--weights", type=Path, required=True, help="of timm's mobilenetv2_100")
    parser.add_argument("--teacher", type=Path, help="where its weights are kept between runs")
    parser.add_argument("--out", type=Path, default=HAIR_WEIGHTS)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    torch.manual_seed(options.seed)
    learned, measured = read_pictures(options.data)
    labelled = [picture for picture in learned if picture.hair is not None]
    print(f"{len(labelled)} annotated images, {len(learned) - len(labelled)} others")
    print("ids", digest_ids(pd.Series([picture.name for picture in learned])))
    teacher = Teacher(options.weights).to(memory_format=torch.channels_last)
    if options.teacher and options.teacher.is_file():
        teacher.load_state_dict(torch.load(options.teacher))
        teacher.eval()
    else:
        teacher = train(teacher, teacher_loss, labelled, TEACHER, options.seed)
        if options.teacher:
            torch.save(teacher.state_dict(), options.teacher)
        print(f"teacher: AUC {ranking(teacher, measured):.3f} on {len(measured)} images")
    teach(teacher, learned)
    torch.manual_seed(options.seed)
    network = train(HairNetwork(), student_loss, learned, STUDENT, options.seed)
    network = fold_norms(network)
    for number, leg in enumerate(LEGS, start=1):
        network = train(network, student_loss, learned, leg, options.seed + number)
    print(f"network: AUC {ranking(network, measured):.3f}")
    write_onnx(options.out, network)


if __name__ == "__main__":
    main()
