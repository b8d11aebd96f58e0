"""Near-duplicate detection: planted copies found by kind, false pairs, and time.

    python benchmarks/near_duplicates.py
    python benchmarks/near_duplicates.py ../shared/data/isic2017/images --images 500

Without a folder, synthetic lesions are used.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from hybridlesion import make_lesions, read_image
from hybridlesion._optional_imports import cv2
from hybridlesion.leakage import (
    MAX_HAMMING,
    HashIndex,
    cluster_near_duplicates,
    crop_hashes,
    perceptual_hash,
)


def main() -> None:
    """Print one row for each kind of copy, then the false pairs and the time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", help="images; default: synthetic lesions")
    parser.add_argument("--images", type=int, default=300, help="at most so many images")
    parser.add_argument("--hashes", type=int, default=400_000, help="random hashes to time")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        if options.folder is None:
            records = make_lesions(scratch, n_patients=options.images, lesions_per_patient=(1, 1))
            paths = records["path"].tolist()
        else:
            files = sorted(options.folder.rglob("*.jpg"))
            paths = [str(path) for path in files[:: max(1, len(files) // options.images)]]
        images = [read_image(path) for path in paths[: options.images]]
    start = time.perf_counter()
    hashes = np.stack([perceptual_hash(image) for image in images])
    per_hash = (time.perf_counter() - start) / len(images)
    cropped = np.stack([crop_hashes(image) for image in images])
    n, index, expected = len(images), HashIndex(hashes), np.arange(len(images))
    print(f"copy,found of {n},found with crop hashes,median distance,95 % distance")
    for kind, change in COPIES.items():
        changed = [change(image) for image in images]
        copies = np.stack([perceptual_hash(image) for image in changed])
        crops = np.vstack([cropped, [crop_hashes(image) for image in changed]])
        cluster = cluster_near_duplicates(np.vstack([hashes, copies]), crops).to_numpy()
        together = (cluster[:n] == cluster[n:]).mean()
        found = (index.nearest(copies) == expected).mean()
        bits = np.unpackbits(copies ^ hashes, axis=1).sum(axis=1)
        print(
            f"{kind},{found:.3f},{together:.3f},{np.median(bits):.0f},{np.quantile(bits, 0.95):.0f}"
        )
    report_false_pairs(hashes, cropped)
    report_time(options.hashes, per_hash)


def report_false_pairs(hashes: np.ndarray, cropped: np.ndarray) -> None:
    """Count pairs of different photographs within several distances."""
    pairs = np.triu_indices(len(hashes), 1)
    whole = _distances(hashes, hashes)
    crops = [np.minimum(found, found.T) for found in _distances(hashes, np.swapaxes(cropped, 0, 1))]
    closest = np.min([whole, *crops], axis=0)
    for name, distance in (("", whole), (" or of a crop", closest)):
        for limit in (MAX_HAMMING, 20, 30):
            close = int((distance[pairs] <= limit).sum())
            print(
                f"pairs within {limit} bits{name}: {close} of {len(pairs[0]):,}, "
                f"{1e6 * close / len(pairs[0]):.2f} per million"
            )


def _distances(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    one, other = (np.unpackbits(h, axis=-1).astype(np.float32) for h in (one, other))
    return one @ np.swapaxes(1 - other, -1, -2) + (1 - one) @ np.swapaxes(other, -1, -2)


def report_time(n: int, per_hash: float) -> None:
    """Time the clustering of random hashes, one in a hundred of them with a planted copy."""
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 256, (n, 32), dtype=np.uint8)
    copied = n // 100
    hashes[-copied:] = hashes[:copied] ^ np.eye(1, 32, dtype=np.uint8)[0]
    start = time.perf_counter()
    found = cluster_near_duplicates(hashes).nunique()
    took = time.perf_counter() - start
    print(f"hash: {1e3 * per_hash:.2f} ms an image")
    print(f"clustering of {n:,} hashes: {took:.1f} s, {found:,} of {copied:,} copies found")


def _save_as_jpeg(quality: int) -> Callable[[np.ndarray], np.ndarray]:
    def change(image: np.ndarray) -> np.ndarray:
        _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        return cv2.imdecode(data, cv2.IMREAD_COLOR)

    return change


def _resize(width: float, height: float) -> Callable[[np.ndarray], np.ndarray]:
    def change(image: np.ndarray) -> np.ndarray:
        size = (round(width * image.shape[1]), round(height * image.shape[0]))
        return cv2.resize(image, size, interpolation=cv2.INTER_AREA)

    return change


def _crop(share: float) -> Callable[[np.ndarray], np.ndarray]:
    """Cut a share of the width and of the height, half of it on either side."""

    def change(image: np.ndarray) -> np.ndarray:
        dy, dx = (round(share / 2 * side) for side in image.shape[:2])
        return image[dy : image.shape[0] - dy, dx : image.shape[1] - dx]

    return change


def _recolour(*factors: float, gamma: float = 1.0) -> Callable[[np.ndarray], np.ndarray]:
    def change(image: np.ndarray) -> np.ndarray:
        scaled = (image / 255) ** gamma * np.array(factors)
        return np.clip(255 * scaled, 0, 255).astype(np.uint8)

    return change


COPIES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "JPEG quality 90": _save_as_jpeg(90),
    "JPEG quality 50": _save_as_jpeg(50),
    "JPEG quality 20": _save_as_jpeg(20),
    "a third of the size": _resize(1 / 3, 1 / 3),
    "squashed to half the width": _resize(0.5, 1.0),
    "squashed to half the height": _resize(1.0, 0.5),
    "darker (60 %)": _recolour(0.6, 0.6, 0.6),
    "gamma 1.5": _recolour(1.0, 1.0, 1.0, gamma=1.5),
    "recoloured (R 90 %, B 110 %)": _recolour(0.9, 1.0, 1.1),
    "recoloured (R 75 %, B 125 %)": _recolour(0.75, 1.0, 1.25),
    "cropped by 2 %": _crop(0.02),
    "cropped by 5 %": _crop(0.05),
    "cropped by 10 %": _crop(0.10),
}


if __name__ == "__main__":
    main()
