"""Images per second of each stage on one core, and of the whole command on one and two.

    python benchmarks/extraction.py [--images FOLDER] [--weights model.safetensors]

Without --images, synthetic lesions are drawn: some at 1024 px, some at 4000x2700.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from hybridlesion import LesionFeaturizer, extract_features, list_images, make_lesions
from hybridlesion._opencv import cv2
from hybridlesion.features import abcd
from hybridlesion.images import read_image, resize_long_side
from hybridlesion.preprocessing import shades_of_gray
from hybridlesion.segmentation import segment_details

LONG_SIDE = 512


def main() -> None:
    """Print one stage table per image set."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=Path, help="folder of images; else synthetic ones")
    parser.add_argument("--weights", type=Path, help="MobileNetV2 weight file; else no CNN")
    parser.add_argument("--most", type=int, default=60, help="images on which stages are timed")
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        if options.images:
            sets = {options.images.parent.name: list_images(options.images)}
        else:
            sets = draw_sets(Path(folder))
        for name, records in sets.items():
            report(name, records, options, Path(folder))


def draw_sets(folder: Path) -> dict[str, pd.DataFrame]:
    """Draw a set of ordinary images and a set of very large ones."""
    sizes = {"1024x768": ((1024, 768), 12), "4000x2700": ((4000, 2700), 3)}
    sets = {}
    for name, (size, n_patients) in sizes.items():
        sets[name] = make_lesions(
            folder / name, n_patients=n_patients, lesions_per_patient=(4, 4), size=size, n_jobs=2
        )
    return sets


def report(name: str, records: pd.DataFrame, options: argparse.Namespace, folder: Path) -> None:
    """Time stages one by one, then the whole, the start of its processes included."""
    print(f"\n{name}: {len(records)} images\nstage                      ms/image   images/s")
    total = 0.0
    for stage, seconds in stage_seconds(records.head(options.most), options.weights).items():
        total += seconds
        print(f"{stage:<26} {1000 * seconds:8.1f}   {1 / seconds:8.1f}")
    print(f"{'sum of stages':<26} {1000 * total:8.1f}   {1 / total:8.1f}")
    embedder = "mobilenetv2_100" if options.weights else "none"
    weights = str(options.weights) if options.weights else None
    for n_jobs in (1, 2):
        result = extract_features(
            records[["image_id", "path"]],
            folder / f"{name}-{n_jobs}.parquet",
            featurizer=LesionFeaturizer(embedder, weights=weights),
            n_jobs=n_jobs,
            shard_size=min(32, -(-len(records) // 4)),
        )
        rate = result.n_rows / result.seconds
        print(f"{f'whole, {n_jobs} process(es)':<26} {1000 / rate:8.1f}   {rate:8.1f}")


def stage_seconds(records: pd.DataFrame, weights: Path | None) -> dict[str, float]:
    """Median seconds per image of every stage, on one core."""
    steps: dict[str, list[float]] = {}

    def timed(stage: str, function: Callable, *args: object, **options: object):
        started = time.perf_counter()
        answer = function(*args, **options)
        steps.setdefault(stage, []).append(time.perf_counter() - started)
        return answer

    images, masks = [], []
    for path in records["path"]:
        decoded = timed("decode, scaled", read_image, path, long_side=LONG_SIDE)
        image = timed("resize to 512", resize_long_side, decoded, LONG_SIDE)
        details = timed("segmentation", segment_details, image)
        field = details.field_of_view
        corrected = timed("colour constancy", shades_of_gray, image, mask=field)
        timed(
            "ABCD features",
            abcd,
            corrected,
            details.mask,
            field_of_view=field,
            hair=details.hair,
            raw=image,
        )
        images.append(image)
        masks.append(details.mask)
    seconds = {stage: statistics.median(values) for stage, values in steps.items()}
    if weights:
        seconds["embedding (blocks of 8)"] = embedding_seconds(images, masks, weights)
    return seconds


def embedding_seconds(images: list, masks: list, weights: Path) -> float:
    """Seconds per image of the CNN on one thread, after a warm-up."""
    import torch

    from hybridlesion import TimmEmbedder

    torch.set_num_threads(1)
    embedder = TimmEmbedder("mobilenetv2_100", weights=str(weights)).fit()
    embedder.transform(images[:32], masks[:32])
    started = time.perf_counter()
    embedder.transform(images, masks)
    return (time.perf_counter() - started) / len(images)


if __name__ == "__main__":
    main()
