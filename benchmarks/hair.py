"""How well the share of hair ranks images on which people saw hair.

    python benchmarks/hair.py DATA

Annotated images of ISIC 2017. The score that accepts lines as hairs was fitted on those with even
positions in the sorted list of ids and on the 200 larger copies; only the others are measured.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from hybridlesion._opencv import cv2
from hybridlesion.preprocessing import field_of_view, hair_mask
from hybridlesion.segmentation import segment_details
from hybridlesion.segmentation.refiner import read_unsquashed


def main() -> None:
    """Print the AUC of both shares, with the interval of the first, and milliseconds an image."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    notes = pd.read_csv(options.data / "tables/artifact_annotations.csv", sep=";")
    hair = notes.set_index(notes["image"].str.removesuffix(".png"))["hair"]
    sizes = pd.read_csv(options.data / "isic2017/index.csv").set_index("image_id")
    larger = {path.stem for path in (options.data / "isic2017-hires/images").glob("*.jpg")}
    paths = [
        path
        for path in sorted((options.data / "isic2017/images").glob("*.jpg"))
        if path.stem in hair.index
    ]
    paths = [path for path in paths[1::2] if path.stem not in larger]
    shares, columns, seconds = [], [], 0.0
    for path in paths:
        width, height = sizes.loc[path.stem, ["orig_width", "orig_height"]]
        image = read_unsquashed(path, width / height)
        view = field_of_view(image)
        started = time.process_time()
        shares.append(hair_mask(image, fov=view).mean())
        seconds += time.process_time() - started
        columns.append(segment_details(image).hair.mean())
    truth, shares = hair.loc[[path.stem for path in paths]].to_numpy(), np.array(shares)
    rng = np.random.default_rng(0)
    draws = rng.integers(0, len(truth), (1000, len(truth)))
    low, high = np.percentile(
        [roc_auc_score(truth[draw], shares[draw]) for draw in draws], [2.5, 97.5]
    )
    print(f"{len(truth)} images, {truth.sum()} with hair")
    print(f"AUC {roc_auc_score(truth, shares):.3f} ({low:.3f} to {high:.3f})")
    print(f"AUC of qa__hair_share {roc_auc_score(truth, columns):.3f}")
    print(f"{1000 * seconds / len(truth):.1f} ms an image")


if __name__ == "__main__":
    main()
