"""ISIC 2024 on disk to grouped out-of-fold figures and a report, with or without its images.

    python pipelines/isic2024.py --table train-metadata.csv --out run/ \
        [--images train-image.hdf5] [--benign 20000] [--seeds 1]

Without images the model rests on the measurements of total-body photography, age, sex and site, and
on the comparison with the patient's other lesions: all 401,059 rows, minutes. With images, every
malignant lesion and `--benign` others of the same and other patients are measured as well; figures
are then those of that sample, whose prevalence is higher.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from hybridlesion import (
    HybridLesionClassifier,
    LesionFeaturizer,
    extract_features,
    list_images,
    read_records,
    save_artifact,
)
from hybridlesion.batch import read_features
from hybridlesion.featurizer import encode_metadata
from hybridlesion.reporting import write_page

SHOWN = ["pauc", "auc", "average_precision", "specificity_at_90_sensitivity", "calibration_slope"]


def main(options: argparse.Namespace) -> pd.DataFrame:
    """Run the recipe and return the out-of-fold measures.

    Parameters
    ----------
    options : Namespace
        ``images``, ``table``, ``benign``, ``seeds``, ``out`` and ``jobs``.

    Returns
    -------
    DataFrame
        Columns metric, value, low, high; intervals are resampled by patient.
    """
    options.out.mkdir(parents=True, exist_ok=True)
    images = list_images(options.images) if options.images else None
    found = read_records(options.table, images=images)
    for line in found.warnings:
        print("note:", line)
    records = found.frame[found.frame["target"].notna()].reset_index(drop=True)
    table = measure(records, options) if options.images else describe(records)
    y = table["target"].to_numpy(dtype=int)
    model = HybridLesionClassifier(n_seeds=options.seeds, n_jobs=options.jobs).fit(table, y)
    print(f"{len(y)} lesions, {y.sum()} malignant; columns: {len(model.feature_names_)}")
    print(model.metrics_.set_index("metric").loc[SHOWN].round(4).to_string())
    share = pd.Series(model.feature_importances_, index=model.feature_names_)
    print("most used:", ", ".join(share.nlargest(8).index))
    scores = table[["image_id", "patient_id", "target"]].assign(score=model.oof_score_)
    scores.to_csv(options.out / "out_of_fold.csv", index=False)
    model.metrics_.to_csv(options.out / "measures.csv", index=False)
    save_artifact(options.out / "model.joblib", model, metrics=model.metrics_)
    page = write_page(
        *(options.out / "model.joblib", options.out / "report"),
        scores=options.out / "out_of_fold.csv",
        truth=[options.table],
        images=[options.images] if options.images else (),
        n_jobs=options.jobs,
    )
    print("report:", page.path)
    return model.metrics_


def describe(records: pd.DataFrame) -> pd.DataFrame:
    """Join what is known of each lesion with its encoded measurements.

    Parameters
    ----------
    records : DataFrame of shape (n, columns)
        Records.

    Returns
    -------
    DataFrame of shape (n, columns)
        Feature table without pictures.
    """
    return records[["image_id", "patient_id", "target"]].join(encode_metadata(records))


def measure(records: pd.DataFrame, options: argparse.Namespace) -> pd.DataFrame:
    """Measure the images of all malignant lesions and some benign ones.

    Parameters
    ----------
    records : DataFrame of shape (n, columns)
        Records with paths.
    options : Namespace
        ``benign``, ``out`` and ``jobs``.

    Returns
    -------
    DataFrame
        Feature table.
    """
    benign = np.flatnonzero(records["target"] == 0)
    rng = np.random.default_rng(0)
    drawn = rng.choice(benign, min(options.benign, len(benign)), replace=False)
    rows = np.sort(np.r_[np.flatnonzero(records["target"] == 1), drawn])
    result = extract_features(
        records.iloc[rows].reset_index(drop=True),
        options.out / "features.parquet",
        featurizer=LesionFeaturizer("finetuned"),
        n_jobs=options.jobs,
    )
    print(f"{result.n_rows} images measured, {result.n_failed} failed, {result.seconds:.0f} s")
    return read_features(result.path)[0]


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line.

    Parameters
    ----------
    arguments : list of str or None, default=None
        Words of the command line; None takes the process's own.

    Returns
    -------
    Namespace
        The options.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", required=True, help="train-metadata.csv")
    parser.add_argument("--images", help="train-image.hdf5, or a folder")
    parser.add_argument("--benign", type=int, default=20_000, help="benign lesions to measure")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=-1)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main(parse())
