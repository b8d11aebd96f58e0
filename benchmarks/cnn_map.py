"""How faithful are maps of a fine-tuned network's evidence?

    python benchmarks/cnn_map.py DATA/isic2017 --images 60

Deletion test on real images, half of them melanoma. Each method ranks 16 x 16 cells of the image;
the cells that it holds for the strongest signs of malignancy are blurred (or filled with the
colour of the skin), and the fall of the network's log odds is measured: the further, the more
faithful. Blurring the cells of the strongest signs against malignancy must raise them. Beside the
shipped method, integrated gradients, stand an occlusion map, chance, and the depth in the lesion.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd

from hybridlesion._optional_imports import cv2
from hybridlesion.cnn import CNNScorer
from hybridlesion.cnn.views import Window
from hybridlesion.explain import cnn_map
from hybridlesion.io import read_image, read_mask

CELLS = 16
SHARES = (0.02, 0.05, 0.1, 0.2)
OCCLUDED = 8  # occluding spots a side, for each sight


class Network:
    """The shipped network's log odds, mean over its two sights."""

    def __init__(self):
        loaded = CNNScorer(device="cpu").fit()._load()
        self.network, self.spec, self.views = loaded.network, loaded.network.spec, loaded.views

    def sights(self, image, mask):
        views = (view.prepare(image, mask, self.spec) for view in self.views)
        return [np.ascontiguousarray(view) for view in views]

    def windows(self, image, mask) -> list[Window]:
        return [view.window(image.shape[:2], mask, self.spec) for view in self.views]

    def odds(self, pictures) -> np.ndarray:
        return self.network.rows([np.stack(pictures)]).mean(axis=1)

    def score(self, image, mask) -> float:
        return float(self.odds(self.sights(image, mask)).mean())


def occlusion_map(network: Network, image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Fall of the log odds where a soft spot of each sight is blurred."""
    values = np.zeros(image.shape[:2], np.float32)
    sights, windows = network.sights(image, mask), network.windows(image, mask)
    for number, (sight, window) in enumerate(zip(sights, windows, strict=True)):
        side = len(sight)
        centers = (np.arange(OCCLUDED) + 0.5) * side / OCCLUDED
        bell = np.exp(-2 * ((np.arange(side) - centers[:, None]) * OCCLUDED / side) ** 2)
        blurred = cv2.GaussianBlur(sight, (0, 0), 0.1 * side)
        views = [sight]
        for row in bell:
            views += [mix(sight, blurred, np.outer(row, column)) for column in bell]
        odds = network.odds(views)
        falls = (odds[0] - odds[1:]).reshape(OCCLUDED, OCCLUDED)
        falls = falls[:, ::-1] if number else falls
        size = (window.width, window.height)
        part = cv2.resize(np.ascontiguousarray(falls), size, interpolation=cv2.INTER_CUBIC)
        top, left = max(window.top, 0), max(window.left, 0)
        part = part[top - window.top :, left - window.left :] / (window.height * window.width)
        part = part[: values.shape[0] - top, : values.shape[1] - left]
        values[top : top + part.shape[0], left : left + part.shape[1]] += part
    return values


def mix(image: np.ndarray, other: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Lay `other` over `image`, as much as `weight` (0 to 1) says."""
    weight = weight[..., None].astype(np.float32)
    return (image + weight * (other.astype(np.float32) - image)).round().astype(np.uint8)


def delete(image: np.ndarray, fill: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Fill cells of the image, softly at their edges."""
    chosen = np.zeros(CELLS * CELLS, np.float32)
    chosen[cells] = 1
    size = image.shape[1::-1]
    weight = cv2.resize(chosen.reshape(CELLS, CELLS), size, interpolation=cv2.INTER_NEAREST)
    return mix(image, fill, cv2.GaussianBlur(weight, (0, 0), min(size) / 64))


def make_methods(network: Network, rng: np.random.Generator) -> dict:
    """Each method by name: from image and mask to a map."""

    def depth(_, mask):
        return cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 3)

    def chance(image, _):
        noise = rng.normal(size=image.shape[:2]).astype(np.float32)
        return cv2.GaussianBlur(noise, (0, 0), len(image) / CELLS)

    return {
        "chance": chance,
        "depth in the lesion": depth,
        f"occlusion, 2 x {OCCLUDED} x {OCCLUDED} spots": lambda image, mask: occlusion_map(
            network, image, mask
        ),
        "integrated gradients (cnn_map)": lambda image, mask: (
            cnn_map(image, mask, device="cpu").values
        ),
    }


def measure(network: Network, method, image: np.ndarray, mask: np.ndarray) -> list[float]:
    """Seconds, falls for the strongest cells, with skin's colour, and for the weakest."""
    started = time.perf_counter()
    values = method(image, mask)
    seconds = time.perf_counter() - started
    cells = cv2.resize(values.astype(np.float64), (CELLS, CELLS), interpolation=cv2.INTER_AREA)
    order = np.argsort(-cells.ravel(), kind="stable")
    before = network.score(image, mask)
    blurred = cv2.GaussianBlur(image, (0, 0), 0.1 * max(image.shape[:2]))
    skin = np.broadcast_to(np.median(image[~mask], axis=0), image.shape).astype(np.uint8)
    tenth = round(0.1 * CELLS * CELLS)
    changed = [delete(image, blurred, order[: round(s * CELLS * CELLS)]) for s in SHARES]
    changed += [delete(image, skin, order[:tenth]), delete(image, blurred, order[-tenth:])]
    return [seconds, *(before - network.score(one, mask) for one in changed)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="isic2017 of the real data")
    parser.add_argument("--images", type=int, default=60)
    options = parser.parse_args()
    index = pd.read_csv(options.folder / "index.csv")
    half = options.images // 2
    ids = [
        image_id
        for melanoma in (1, 0)
        for image_id in index.loc[index["melanoma"] == melanoma, "image_id"].sample(
            half, random_state=0
        )
    ]
    network = Network()
    methods = make_methods(network, np.random.default_rng(0))
    rows = {name: [] for name in methods}
    for image_id in ids:
        image = read_image(str(options.folder / "images" / f"{image_id}.jpg"))
        mask = read_mask(str(options.folder / "masks" / f"{image_id}_segmentation.png"))
        for name, method in methods.items():
            rows[name].append(measure(network, method, image, mask))
    titles = [
        "s/image",
        *(f"top {100 * s:.0f} %" for s in SHARES),
        "top 10 %, skin",
        "bottom 10 %",
    ]
    print(f"{len(ids)} images; mean fall of the log odds, and its standard error")
    print(f"{'':34}" + "".join(f"{title:>16}" for title in titles))
    for name, found in rows.items():
        mean, error = np.mean(found, axis=0), np.std(found, axis=0) / np.sqrt(len(found))
        cells = [f"{m:.2f} +- {e:.2f}" for m, e in zip(mean, error, strict=True)]
        print(f"{name:34}" + "".join(f"{cell:>16}" for cell in cells))


if __name__ == "__main__":
    main()
