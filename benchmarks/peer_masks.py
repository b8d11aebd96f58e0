"""The refiner against a plain U-Net as nnU-Net trains it, in the same images and processor time.

    python benchmarks/peer_masks.py DATA --weights WEIGHTS [--images 400] [--size 128] [--epochs 8]

DATA holds isic2017 and ph2, WEIGHTS are those of a MobileNetV2 trained on ImageNet. The refiner is
trained first, by its recipe; the U-Net then gets as many seconds of processors. It has nnU-Net's
stages for the size (two convolutions each, 32 channels doubled up to 512), instance norm, deep
supervision, Dice and cross-entropy, SGD with Nesterov momentum 0.99 and a polynomial rate, and its
augmentations, written anew with its probabilities and ranges. Both sides see the same images of
ISIC 2017 and are measured on others of it, and on PH2.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from hybridlesion._optional_imports import cv2
from hybridlesion.cnn.backbone import read_state_dict
from hybridlesion.io import find_masks, list_images, read_mask
from hybridlesion.metrics import measure_overlap, summarize_overlaps
from hybridlesion.segmentation import refiner

BATCH = 12  # nnU-Net's for two dimensions and its reference patch
RATE, MOMENTUM, DECAY = 0.01, 0.99, 3e-5

Segmenter = Callable[[np.ndarray], np.ndarray]


def main() -> None:
    """Train both sides and print their overlap with the experts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--images", type=int, default=400)
    parser.add_argument("--held", type=int, default=100, help="unseen images of each set")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=8, help="of the refiner")
    options = parser.parse_args()
    isic, ph2 = list_pairs(options.data / "isic2017"), list_pairs(options.data / "ph2")
    unseen = np.arange(len(isic)) % 5 == 0
    train = spaced(isic[~unseen], options.images)
    sets = {"ISIC 2017": spaced(isic[unseen], options.held), "PH2": spaced(ph2, options.held)}
    side = round(options.size * 4 / 3)
    samples = [
        refiner.read_sample(row.path, row.mask_path, side=side, aspect=row.aspect)
        for row in train.itertuples()
    ]
    refine, seconds = train_ours(samples, options)
    print(f"refiner: {seconds:.0f} s of processors", flush=True)
    unet = train_unet(samples, options.size, seconds)
    for name, pairs in sets.items():
        found = {"U-Net": measure(unet, pairs), "refiner": measure(refine, pairs)}
        for side_name, overlaps in found.items():
            print(f"{name}, {len(pairs)} images, {side_name}: {describe(overlaps)}")
        gap = found["refiner"]["jaccard"] - found["U-Net"]["jaccard"]
        draws = np.random.default_rng(0).choice(gap, (2000, len(gap))).mean(axis=1)
        low, high = np.percentile(draws, [2.5, 97.5])
        print(f"{name}, refiner minus U-Net: {gap.mean():+.3f} ({low:+.3f} to {high:+.3f})")


def list_pairs(folder: Path) -> pd.DataFrame:
    """Paths of the images of a folder and of their masks, with the aspect before squashing."""
    pairs = list_images(str(folder / "images"))
    pairs["mask_path"] = pairs["image_id"].map(find_masks(folder / "masks", pairs["image_id"]))
    pairs["aspect"] = None
    if folder.name == "isic2017":
        index = pd.read_csv(folder / "index.csv").set_index("image_id")
        aspect = index["orig_width"] / index["orig_height"]
        pairs["aspect"] = pairs["image_id"].map(aspect)
    return pairs.dropna(subset="mask_path")


def spaced(pairs: pd.DataFrame, most: int) -> pd.DataFrame:
    """At most so many rows, evenly spaced."""
    return pairs.iloc[np.linspace(0, len(pairs) - 1, min(most, len(pairs))).astype(int)]


def train_ours(samples: list, options: argparse.Namespace) -> tuple[Segmenter, float]:
    """Train the refiner by its recipe; return it, and the seconds of processors it took."""
    recipe = refiner.Recipe(image_size=options.size, epochs=options.epochs)
    start = time.process_time()
    state = refiner.train_network(samples, recipe, encoder=read_state_dict(options.weights))
    seconds = time.process_time() - start
    path = Path(tempfile.mkdtemp(prefix="refiner-")) / "refiner.safetensors"
    refiner.save_refiner(path, state.average, size=options.size, facts={})
    return lambda image: refiner.segment_refined(image, weights=path).mask, seconds


def train_unet(samples: list, size: int, seconds: float) -> Segmenter:
    """Train the U-Net for so many seconds of processors."""
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits, max_pool2d

    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    network = make_unet(size).to(memory_format=torch.channels_last)
    settings = {"momentum": MOMENTUM, "nesterov": True, "weight_decay": DECAY}
    optimizer = torch.optim.SGD(network.parameters(), lr=RATE, **settings)
    start, steps = time.process_time(), 0
    while (spent := (time.process_time() - start) / seconds) < 1:
        optimizer.param_groups[0]["lr"] = RATE * (1 - spent) ** 0.9
        views = [augment(samples[i], size, rng) for i in rng.choice(len(samples), BATCH)]
        images, truth = (torch.from_numpy(np.stack(part)) for part in zip(*views, strict=True))
        levels, loss = network(images.permute(0, 3, 1, 2)), 0.0
        for level, logits in enumerate(levels):
            small = max_pool2d(truth[:, None], 2**level)
            p = logits.sigmoid()
            dice = (2 * (p * small).sum() + 1e-5) / (p.sum() + small.sum() + 1e-5)
            entropy = binary_cross_entropy_with_logits(logits, small)
            loss = loss + (entropy - dice) / 2**level / (2 - 2 ** (1 - len(levels)))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 12)
        optimizer.step()
        steps += 1
    weights = sum(value.numel() for value in network.parameters())
    print(
        f"U-Net: {steps} steps of {BATCH} images, {weights / 1e6:.1f} million weights", flush=True
    )
    network.eval()

    def segment(image: np.ndarray) -> np.ndarray:
        small = standardise(cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA))
        with torch.inference_mode():
            logits = network(torch.from_numpy(small).permute(2, 0, 1)[None])[0][0, 0].numpy()
        return cv2.resize(logits, image.shape[1::-1]) > 0

    return segment


def make_unet(size: int):
    """U-Net that returns logits at full, half, quarter ... resolution, without the two lowest."""
    import torch
    from torch import nn

    def stage(into: int, out: int, stride: int) -> nn.Module:
        layers = []
        for source, step in ((into, stride), (out, 1)):
            layers += [nn.Conv2d(source, out, 3, step, 1), nn.InstanceNorm2d(out, affine=True)]
            layers += [nn.LeakyReLU(0.01)]
        return nn.Sequential(*layers)

    class UNet(nn.Module):
        def __init__(self):
            super().__init__()
            widths = [min(512, 32 * 2**k) for k in range(int(np.log2(size)) - 1)]
            firsts = zip([3, *widths], widths, [1] + [2] * len(widths), strict=False)
            self.down = nn.ModuleList(stage(*sizes) for sizes in firsts)
            pairs = [*zip(widths[1:], widths, strict=False)][::-1]
            self.rise = nn.ModuleList(nn.ConvTranspose2d(a, b, 2, 2) for a, b in pairs)
            self.up = nn.ModuleList(stage(2 * b, b, 1) for _, b in pairs)
            self.heads = nn.ModuleList(nn.Conv2d(b, 1, 1) for _, b in pairs)
            for part in self.modules():
                if isinstance(part, nn.Conv2d | nn.ConvTranspose2d):
                    nn.init.kaiming_normal_(part.weight, a=0.01)
                    nn.init.zeros_(part.bias)

        def forward(self, x):
            skips, logits = [], []
            for part in self.down:
                x = part(x)
                skips.append(x)
            for rise, up, head, skip in zip(
                self.rise, self.up, self.heads, skips[-2::-1], strict=True
            ):
                x = up(torch.cat([rise(x), skip], 1))
                logits.append(head(x))
            return logits[:0:-1]

    return UNet()


def standardise(image: np.ndarray) -> np.ndarray:
    """Zero mean and unit deviation of each channel of the image."""
    image = image.astype(np.float32)
    return (image - image.mean((0, 1))) / (image.std((0, 1)) + 1e-8)


def augment(sample: refiner.Sample, size: int, rng: np.random.Generator):
    """nnU-Net's view of a sample: image and mask."""
    turn = rng.uniform(-180, 180) if rng.random() < 0.2 else 0.0
    zoom = rng.uniform(0.7, 1.4) if rng.random() < 0.2 else 1.0
    side = len(sample.image)
    matrix = cv2.getRotationMatrix2D((side / 2, side / 2), turn, zoom * size / side)
    matrix[:, 2] += (size - side) / 2
    image, mask = (
        cv2.warpAffine(plane, matrix, (size, size), flags=cv2.INTER_LINEAR)
        for plane in (standardise(sample.image), sample.mask)
    )
    if rng.random() < 0.1:
        image = image + rng.normal(0, np.sqrt(rng.uniform(0, 0.1)), image.shape)
    if rng.random() < 0.2:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, 1.0))
    if rng.random() < 0.15:
        image = image * rng.uniform(0.75, 1.25)
    if rng.random() < 0.15:
        mean, low, high = image.mean((0, 1)), image.min((0, 1)), image.max((0, 1))
        image = np.clip((image - mean) * rng.uniform(0.75, 1.25) + mean, low, high)
    if rng.random() < 0.25:
        coarse = round(size * rng.uniform(0.5, 1.0))
        coarse = cv2.resize(image, (coarse, coarse), interpolation=cv2.INTER_NEAREST)
        image = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)
    for chance, sign in ((0.1, -1), (0.3, 1)):
        if rng.random() < chance:
            image = sign * change_gamma(sign * image, rng.uniform(0.7, 1.5))
    for axis in (0, 1):
        if rng.random() < 0.5:
            image, mask = np.flip(image, axis), np.flip(mask, axis)
    return image.astype(np.float32), (mask > 127).astype(np.float32)


def change_gamma(image: np.ndarray, gamma: float) -> np.ndarray:
    """Gamma of an image of any range, with its mean and deviation kept."""
    low, reach = image.min(), np.ptp(image) + 1e-7
    changed = ((image - low) / reach) ** gamma * reach + low
    return (changed - changed.mean()) / (changed.std() + 1e-8) * image.std() + image.mean()


def measure(segment: Segmenter, pairs: pd.DataFrame) -> pd.DataFrame:
    """Overlap of the masks with those of the experts, in the size of the latter."""
    rows = []
    for row in pairs.itertuples():
        mask = segment(refiner.read_unsquashed(row.path, row.aspect)).astype(np.uint8) * 255
        truth = read_mask(row.mask_path)
        rows.append(measure_overlap(cv2.resize(mask, truth.shape[::-1]) > 127, truth))
    return pd.DataFrame(rows)


def describe(overlaps: pd.DataFrame) -> str:
    """Mean indices with their intervals."""
    found = summarize_overlaps(overlaps).set_index("metric").loc[["jaccard", "thresholded_jaccard"]]
    return ", ".join(
        f"{name} {row.value:.3f} ({row.low:.3f}-{row.high:.3f})" for name, row in found.iterrows()
    )


if __name__ == "__main__":
    main()
