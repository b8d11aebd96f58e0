"""Processor time of each stage on one core, and images per second of the whole command.

    python benchmarks/extraction.py [--images FOLDER ...] [--enlarge 4000] [--weights FILE]
                                    [--most 60] [--stages-only] [--figure speed.png]

Without --images, synthetic lesions are drawn: some at 1024 px, some at 4000x2700. With them,
--enlarge measures large copies of the first images as well. Stages are timed in the processor's
own time, so that other work on the machine disturbs little; the whole command by the clock, in
one process. What a second one is worth, benchmarks/workers.py measures.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from unittest import mock

import pandas as pd

from hybridlesion import LesionFeaturizer, extract_features, list_images, make_lesions
from hybridlesion._optional_imports import cv2
from hybridlesion.features import abcd
from hybridlesion.io import read_image, resize_long_side
from hybridlesion.leakage import perceptual_hash
from hybridlesion.preprocessing import hair_mask, shades_of_gray
from hybridlesion.segmentation import _classical, segment_classical, segment_details
from hybridlesion.segmentation.refiner import refine

LONG_SIDE = 512
DECODE = "scaled decode"
HAIR, EVIDENCE, REFINED = "hair", "classical evidence", "refined mask"
CNN = "MobileNetV2 (blocks of 8)"


def main() -> None:
    """Print one stage table per image set, and draw them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=Path, nargs="*", help="folders; else synthetic ones")
    parser.add_argument("--enlarge", type=int, help="long side of copies, measured as well")
    parser.add_argument("--weights", type=Path, help="MobileNetV2 weight file; else no CNN")
    parser.add_argument("--most", type=int, default=60, help="images on which stages are timed")
    parser.add_argument("--stages-only", action="store_true", help="not the whole command")
    parser.add_argument("--figure", type=Path, help="PNG of the stages to write")
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        sets = find_sets(options, Path(folder))
        stages = {}
        for name, records in sets.items():
            stages[name] = stage_seconds(records.head(options.most), options.weights)
            print_stages(name, stages[name])
            if not options.stages_only:
                time_whole(name, records, stages[name], options.weights, Path(folder))
    if options.figure:
        draw(stages, options.figure)


def find_sets(options: argparse.Namespace, folder: Path) -> dict[str, pd.DataFrame]:
    """List the folders given, and large copies, or draw images of two sizes."""
    if not options.images:
        sizes = {"drawn, 1024x768": ((1024, 768), 12), "drawn, 4000x2700": ((4000, 2700), 3)}
        return {
            name: make_lesions(
                folder / name, n_patients=n, lesions_per_patient=(4, 4), size=size, n_jobs=2
            )
            for name, (size, n) in sizes.items()
        }
    sets = {path.parent.name: list_images(path) for path in options.images}
    if options.enlarge:
        name, records = next(iter(sets.items()))
        sets[f"{name}, {options.enlarge} px"] = enlarge(
            records.head(options.most), options.enlarge, folder / "enlarged"
        )
    return sets


def enlarge(records: pd.DataFrame, long_side: int, folder: Path) -> pd.DataFrame:
    """Write copies of images at another long side, three to two as cameras have it."""
    folder.mkdir()
    size = (long_side, round(long_side * 0.675))
    for image_id, path in zip(records["image_id"], records["path"], strict=True):
        image = cv2.resize(cv2.imread(path), size, interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / f"{image_id}.jpg"), image, [cv2.IMWRITE_JPEG_QUALITY, 90])
    return list_images(folder)


def stage_seconds(records: pd.DataFrame, weights: Path | None) -> dict[str, float]:
    """Median processor seconds per image of every stage, on one core.

    A stage is counted without those that run within it: hair within the classical evidence, and
    both within the refined mask.
    """
    steps: dict[str, list[float]] = {}

    within = 0.0

    def timed(stage: str, function: Callable, *args: object, **options: object):
        nonlocal within
        before, within = within, 0.0
        started = time.thread_time()
        answer = function(*args, **options)
        spent = time.thread_time() - started
        steps.setdefault(stage, []).append(spent - within)
        within = before + spent
        return answer

    hair = partial(timed, HAIR, hair_mask)
    evidence = partial(timed, EVIDENCE, segment_classical)
    images, masks = [], []
    for path in records["path"]:
        decoded = timed(DECODE, read_image, path, long_side=LONG_SIDE)
        image = timed("resize to 512", resize_long_side, decoded, LONG_SIDE)
        with (
            mock.patch.object(_classical, "hair_mask", hair),
            mock.patch.object(refine, "segment_classical", evidence),
        ):
            details = timed(REFINED, segment_details, image)
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
            structures=details.structures,
        )
        timed("perceptual hash", perceptual_hash, image)
        images.append(image)
        masks.append(details.mask)
    seconds = {stage: statistics.median(values) for stage, values in steps.items()}
    if weights:
        seconds[CNN] = embedding_seconds(images, masks, weights)
    return seconds


def embedding_seconds(images: list, masks: list, weights: Path) -> float:
    """Seconds per image of the CNN on one thread, after a warm-up."""
    import torch

    from hybridlesion import TimmEmbedder

    torch.set_num_threads(1)
    embedder = TimmEmbedder("mobilenetv2_100", weights=str(weights)).fit()
    embedder.transform(images[:32], masks[:32])
    started = time.process_time()
    embedder.transform(images, masks)
    return (time.process_time() - started) / len(images)


def print_stages(name: str, stages: dict[str, float]) -> None:
    """Print the table of one set, the sums with and without the CNN beneath."""
    print(f"\n{name}\nstage                       ms/image   images/s   share")
    total = sum(stages.values())
    for stage, seconds in stages.items():
        print(
            f"{stage:<26} {1000 * seconds:9.1f} {1 / seconds:10.1f} {100 * seconds / total:6.0f} %"
        )
    without = total - stages.get(CNN, 0.0)
    print(f"{'all but the CNN':<26} {1000 * without:9.1f} {1 / without:10.1f}")
    if CNN in stages:
        print(f"{'all':<26} {1000 * total:9.1f} {1 / total:10.1f}")
    print(f"all but the CNN takes {without / stages[DECODE]:.1f} times the bare scaled decode")


def time_whole(
    name: str, records: pd.DataFrame, stages: dict[str, float], weights: Path | None, folder: Path
) -> None:
    """Run the whole extraction in this process, without and with the CNN, its start included."""
    for label, weight in {"no CNN": None, "CNN": weights}.items():
        if label == "CNN" and weights is None:
            continue
        featurizer = LesionFeaturizer("mobilenetv2_100", weights=str(weight)) if weight else None
        allowed = 1 / (sum(stages.values()) - (0.0 if weight else stages.get(CNN, 0.0)))
        result = extract_features(
            records[["image_id", "path"]],
            folder / f"{name}-{label}.parquet",
            featurizer=featurizer or LesionFeaturizer("none"),
        )
        rate = result.n_rows / result.seconds
        print(
            f"whole, {label}: {rate:.1f} images/s, {100 * rate / allowed:.0f} % of what the "
            "stages allow"
        )


def draw(stages: dict[str, dict[str, float]], path: Path) -> None:
    """Draw one bar per set, cut into stages."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 1.4 + 0.6 * len(stages)), layout="constrained")
    axes = figure.subplots()
    names = list(dict.fromkeys(stage for one in stages.values() for stage in one))
    shades = ("#8c6d46", "#c8b08a", "#7a8b99", "#31688e", "#1f4e6b", "#b5ccd9", "#35b779")
    shades += ("#d0c04a", "#8a5a83")
    left = dict.fromkeys(stages, 0.0)
    for stage, shade in zip(names, shades, strict=False):
        widths = [1000 * one.get(stage, 0.0) for one in stages.values()]
        bars = axes.barh(list(stages), widths, left=list(left.values()), color=shade, label=stage)
        labels = [f"{width:.0f}" if width >= 2 else "" for width in widths]
        axes.bar_label(bars, labels, label_type="center", color="white", fontsize=8)
        left = {name: left[name] + width for name, width in zip(left, widths, strict=True)}
    axes.invert_yaxis()
    axes.set_xlabel("milliseconds of one core for an image")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside upper center", ncols=3, frameon=False, fontsize=8)
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    main()
