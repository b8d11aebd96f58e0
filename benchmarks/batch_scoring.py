"""A folder scored night after night: cold start, first night, nothing new, a few new images.

    python benchmarks/batch_scoring.py [--images 1000] [--new 20] [--jobs 2] [--embedder none]

Small synthetic lesions are drawn, a model is fitted on some others, and the command is run as a
scheduler would run it, in a process of its own each time. The ratio is that of the first night to
the second, both with their start.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

from hybridlesion import make_lesions

SIZE = (240, 180)


def main() -> None:
    """Print seconds and images per second of each night, and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=1000, help="images of the first night")
    parser.add_argument("--new", type=int, default=20, help="images that a later night adds")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--embedder", default="finetuned", help="finetuned, or none")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run(Path(folder), options)


def run(folder: Path, options: argparse.Namespace) -> None:
    """Draw, fit, and time the nights."""
    model = fit_model(folder, options)
    images, later = draw_images(folder, options.images, options.new)
    score = ("score", model, images, "--jobs", options.jobs)
    nights = {"empty start (--help)": timed("score", "--help")}
    nights["one image"] = timed(
        "score", model, next(images.iterdir()), "--jobs", 1, "--out", folder / "one.csv"
    )
    nights["without a cache"] = timed(*score, "--out", folder / "plain.csv")
    cached = (*score, "--out", folder / "cached.csv", "--cache", folder / "cache")
    nights["first night, --cache"] = timed(*cached)
    nights["second night, --cache"] = timed(*cached)
    grown = (*score, "--out", folder / "grown.csv", "--cache", folder / "cache", "--append")
    timed(*grown)
    nights["second night, --append"] = timed(*grown)
    for path in later:
        path.rename(images / path.name)
    nights[f"{options.new} new, --append"] = timed(*grown)
    check_equal(folder)
    print(f"{options.images} images of {SIZE[0]}x{SIZE[1]}, embedder {options.embedder}")
    print(f"{'night':<26} seconds")
    for name, seconds in nights.items():
        print(f"{name:<26} {seconds:7.1f}")
    ratio = nights["first night, --cache"] / nights["second night, --cache"]
    print(f"first night / second night: {ratio:.1f}")


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
        n_patients=n_first + n_later,
        lesions_per_patient=(1, 1),
        size=SIZE,
        random_state=2,
        n_jobs=2,
    )
    images = folder / "images"
    images.mkdir()
    paths = [Path(path) for path in drawn["path"]]
    for path in paths[:n_first]:
        path.rename(images / path.name)
    return images, paths[n_first:]


def timed(*arguments: object) -> float:
    """Run the command in a new process, and return the seconds until it ended."""
    command = [sys.executable, "-m", "hybridlesion", *map(str, arguments)]
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return time.perf_counter() - started


def check_equal(folder: Path) -> None:
    """A fast night that scores otherwise would be worth nothing."""
    plain, cached, grown = (
        pd.read_csv(folder / f"{name}.csv").set_index("image_id")["score"]
        for name in ("plain", "cached", "grown")
    )
    pd.testing.assert_series_equal(plain, cached)
    pd.testing.assert_series_equal(plain, grown.loc[plain.index])


if __name__ == "__main__":
    main()
