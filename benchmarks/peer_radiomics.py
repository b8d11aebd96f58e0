"""ABCD features against those of pyradiomics, on the same images and masks, by one LightGBM.

    hybridlesion features IMAGES --metadata TABLE --out SITE.parquet     # for each site
    python benchmarks/peer_radiomics.py SITE.parquet [FAR.parquet ...] --most 500

From the tables come paths, diagnoses and groups; images are measured anew, with one mask for both
sides. pyradiomics (``pip install pyradiomics``) takes grey images: its classes for two dimensions
measure the luminance, and its first-order class also the red, green and blue channels. LightGBM
tells melanoma out of fold on the first site, and by a model of that site on the others. Times are
of one processor, for the features alone.
"""

from __future__ import annotations

import argparse
import logging
import time
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from peer_classifiers import apart, print_sides, read, require, score_tables

from hybridlesion._optional_imports import cv2
from hybridlesion.features import abcd
from hybridlesion.io import read_image
from hybridlesion.preprocessing import shades_of_gray
from hybridlesion.segmentation import Segmentation, segment_details

LONG_SIDE = 256


def main() -> None:
    """Measure, fit, and print both sides."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="+", type=Path)
    parser.add_argument("--most", type=int, default=500, help="images of a site, evenly spaced")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    require("radiomics", "pyradiomics")
    sides: dict[str, dict] = {name: {} for name in (*SIDES, "both")}
    for path in options.tables:
        table, y, groups = read(path)
        rows = np.linspace(0, len(y) - 1, min(options.most, len(y))).astype(int)
        table, y, groups = table.iloc[rows].reset_index(drop=True), y[rows], groups[rows]
        found = Parallel(options.jobs)(delayed(measure)(p, [*SIDES]) for p in table["path"])
        for name in SIDES:
            values = pd.DataFrame([one[name] for one in found])
            ms = 1000 * values.pop("seconds")
            print(f"{path.stem}, {name}: {values.shape[1]} features, {ms.median():.0f} ms an image")
            sides[name][path.stem] = (values, y, groups)
        both = pd.concat([sides[name][path.stem][0] for name in SIDES], axis=1)
        sides["both"][path.stem] = (both, y, groups)
        sample = [*table["path"][:10]]
    for name in SIDES:
        cost = apart(measure_all, sample, name)[1]
        print(f"{name}, ten images decoded, segmented and measured: {cost}")
    scores = {}
    for name, tables in sides.items():
        columns = [*next(iter(tables.values()))[0]]
        scores[name] = score_tables(lightgbm, tables, columns)
    for place, (_, y, groups) in sides["both"].items():
        for pair in (("pyradiomics", "hybridlesion"), ("hybridlesion", "both")):
            print_sides(place, y, groups, {name: scores[name][place] for name in pair})


def measure_all(paths: list[str], side: str) -> None:
    """Measure images by one side, for its memory."""
    for path in paths:
        measure(path, [side])


def measure(path: str, sides: list[str]) -> dict[str, dict[str, float]]:
    """Features of one image and its refined mask by each side, with the seconds they took."""
    image = read_image(path)
    scale = LONG_SIDE / max(image.shape[:2])
    image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    details, found = segment_details(image, segmenter="refined"), {}
    for name in sides:
        start = time.process_time()
        values = SIDES[name](image, details)
        found[name] = values | {"seconds": time.process_time() - start}
    return found


def ours(image: np.ndarray, details: Segmentation) -> dict[str, float]:
    """ABCD features, as `LesionFeaturizer` measures them."""
    field = details.field_of_view
    return abcd(
        *(shades_of_gray(image, mask=field), details.mask),
        field_of_view=field,
        hair=details.hair,
        raw=image,
        structures=details.structures,
    )


def radiomics(image: np.ndarray, details: Segmentation) -> dict[str, float]:
    """pyradiomics on the luminance, and its first-order statistics of each channel."""
    import SimpleITK as sitk
    from radiomics.featureextractor import RadiomicsFeatureExtractor

    logging.getLogger("radiomics").setLevel(logging.ERROR)
    if details.mask.sum() < 2:
        return {}
    full, colors = (RadiomicsFeatureExtractor(force2D=True) for _ in range(2))
    full.disableAllFeatures()
    for kind in ("shape2D", "firstorder", "glcm", "gldm", "glrlm", "glszm", "ngtdm"):
        full.enableFeatureClassByName(kind)  # its default is shape, of volumes: 6 s, not 0.02 s
    colors.disableAllFeatures()
    colors.enableFeatureClassByName("firstorder")
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    # it adds the bin width to the greatest value, which overflows in eight bits
    planes = [plane.astype(np.float32) for plane in (grey, *np.moveaxis(image, 2, 0))]
    mask = sitk.GetImageFromArray(details.mask[None].astype(np.uint8))
    found = {}
    for name, plane in zip("lrgb", planes, strict=True):
        extractor = full if name == "l" else colors
        values = extractor.execute(sitk.GetImageFromArray(plane[None]), mask)
        kept = {k: float(v) for k, v in values.items() if not k.startswith("diagnostics")}
        found |= {f"{name}_{key}": value for key, value in kept.items()}
    return found


SIDES = {"hybridlesion": ours, "pyradiomics": radiomics}


def lightgbm(X: pd.DataFrame, y: np.ndarray, rows: pd.DataFrame):
    """Fit boosted trees with settings for few rows."""
    from lightgbm import LGBMClassifier

    settings = {"subsample": 0.7, "subsample_freq": 1, "colsample_bytree": 0.3}
    model = LGBMClassifier(
        n_estimators=250,
        learning_rate=0.03,
        num_leaves=7,
        n_jobs=1,
        random_state=0,
        verbose=-1,
        **settings,
    ).fit(X, y)
    return lambda new: model.predict_proba(new[[*X]])[:, 1]


if __name__ == "__main__":
    main()
