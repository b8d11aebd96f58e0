"""A folder scored night after night: cold start, first night, a few new images, nothing new.

    python benchmarks/batch_scoring.py [--images 1000] [--new 10] [--jobs 2] [--embedder finetuned]

Small synthetic lesions are drawn, a model is fitted on some others, and the command is run as a
scheduler would run it, in a process of its own each time, its start included. Beside the clock
stands the processor time of the command and its workers, which other work on the machine disturbs
less. Every image is
another file: a drawn lesion as it is, turned and mirrored. The ratio is that of the first night to
the second. Scores of some images are held against those of a run without cache and history.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from hybridlesion import make_lesions, read_image
from hybridlesion.io import write_image

SIZE = (240, 180)
VIEWS = 8
N_CHECKED = 40


def main() -> None:
    """Print seconds and images per second of each night, and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=1000, help="images of the first night")
    parser.add_argument("--new", type=int, default=10, help="images that the second night adds")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--embedder", default="finetuned", help="finetuned, or none")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run(Path(folder), options)


def run(folder: Path, options: argparse.Namespace) -> None:
    """Draw, fit, and time the nights."""
    model = fit_model(folder, options)
    images, later = draw_images(folder, options.images, options.new)
    print(f"{options.images} images of {SIZE[0]}x{SIZE[1]}, embedder {options.embedder}")
    show("empty start (--help)", 0, timed("score", "--help"))
    one = ("score", model, next(images.iterdir()), "--jobs", 1, "--out", folder / "one.csv")
    show("cold start: one image", 1, timed(*one))
    score = ("score", model, images, "--jobs", options.jobs, "--cache", folder / "cache")
    night = (*score, "--out", folder / "scores.csv", "--append")
    first = show("first night", options.images, timed(*night))
    for path in later:
        path.rename(images / path.name)
    second = show(f"second night, {options.new} new", options.new, timed(*night))
    show("third night, nothing new", 0, timed(*night))
    known = options.images + options.new
    show("all anew from the cache", known, timed(*score, "--out", folder / "again.csv"))
    check_equal(folder, model, images)
    print(f"first night / second night: {first / second:.1f}")


def show(name: str, n_images: int, took: tuple[float, float]) -> float:
    """Print a night at once, so that a run that is stopped has said something."""
    clock, processor = took
    rate = f"{n_images / clock:8.1f} images/s" if n_images else ""
    print(f"{name:<26} {clock:7.1f} s {processor:7.1f} s of processor {rate}", flush=True)
    return clock


def fit_model(folder: Path, options: argparse.Namespace) -> Path:
    """Fit a model on lesions of other patients."""
    train, features, model = folder / "train", folder / "train.parquet", folder / "model.joblib"
    make_lesions(train, n_patients=25, lesions_per_patient=(4, 4), size=SIZE, random_state=1)
    measured = ("features", train / "images", "--metadata", train / "metadata.csv")
    timed(*measured, "--embedder", options.embedder, "--jobs", options.jobs, "--out", features)
    timed("fit", features, "--jobs", options.jobs, "--out", model)
    return model


def draw_images(folder: Path, n_first: int, n_later: int) -> tuple[Path, list[Path]]:
    """Draw the images of the first night into a folder, and those of a later one beside it."""
    drawn = make_lesions(
        folder / "drawn",
        n_patients=-(-(n_first + n_later) // VIEWS),
        lesions_per_patient=(1, 1),
        size=SIZE,
        random_state=2,
        n_jobs=2,
    )
    images, waiting = folder / "images", folder / "waiting"
    later = []
    for number in range(n_first + n_later):
        path = (images if number < n_first else waiting) / f"N{number:06d}.png"
        write_image(path, view(read_image(drawn["path"].iloc[number // VIEWS]), number % VIEWS))
        if number >= n_first:
            later.append(path)
    return images, later


def view(image: np.ndarray, number: int) -> np.ndarray:
    """Turn an image by quarters, and mirror it from the fifth view on."""
    turned = np.rot90(image, number % 4)
    return np.ascontiguousarray(turned[:, ::-1] if number >= 4 else turned)


def timed(*arguments: object) -> tuple[float, float]:
    """Run the command in a new process; return seconds by the clock and of the processor."""
    command = [sys.executable, "-m", "hybridlesion", *map(str, arguments)]
    started, before = time.perf_counter(), processor_seconds()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return time.perf_counter() - started, processor_seconds() - before


def processor_seconds() -> float:
    """Processor time of all that this process has started and that has ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def check_equal(folder: Path, model: Path, images: Path) -> None:
    """A fast night that scores otherwise would be worth nothing."""
    plain = folder / "plain.csv"
    some = sorted(images.iterdir())[-N_CHECKED:]
    timed("score", model, *some, "--jobs", 1, "--out", plain)
    expected, grown, again = (
        pd.read_csv(folder / f"{name}.csv").set_index("image_id")["score"]
        for name in ("plain", "scores", "again")
    )
    pd.testing.assert_series_equal(expected, grown.loc[expected.index])
    pd.testing.assert_series_equal(expected, again.loc[expected.index])


if __name__ == "__main__":
    main()
