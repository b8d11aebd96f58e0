"""ISIC 2020 on disk to held-out figures and a report, with known duplicates and grouped splits.

    python pipelines/isic2020.py --images train/ --table train.csv --out run/ \
        [--duplicates ISIC_2020_Training_Duplicates.csv] [--weights mobilenetv2.safetensors]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from hybridlesion import (
    HybridLesionClassifier,
    LesionFeaturizer,
    evaluate,
    extract_features,
    list_images,
    read_records,
    save_artifact,
)
from hybridlesion.batch import read_features
from hybridlesion.leakage import blank_in_sample_scores
from hybridlesion.model_selection import Splits, grouping, train_validation_test, write_splits
from hybridlesion.reporting import write_page


def main(options: argparse.Namespace) -> pd.DataFrame:
    """Run the recipe and return the measures on the test patients.

    Parameters
    ----------
    options : Namespace
        ``images``, ``table``, ``duplicates``, ``weights``, ``out`` and ``jobs``.

    Returns
    -------
    DataFrame
        Columns metric, value, low, high.
    """
    records = read_records(
        options.table, images=list_images(options.images), duplicates=options.duplicates
    )
    for line in records.warnings:
        print("note:", line)
    embedder = "mobilenetv2_100" if options.weights else "finetuned"
    result = extract_features(
        records.frame,
        options.out / "features.parquet",
        featurizer=LesionFeaturizer(embedder, weights=options.weights),
        n_jobs=options.jobs,
    )
    print(f"{result.n_rows} images measured, {result.n_failed} failed, {result.seconds:.0f} s")

    # The score of a network that learned from the patient is no evidence.
    table = blank_in_sample_scores(read_features(result.path)[0])
    y = table["target"].to_numpy(dtype=int)
    groups = grouping(table).to_numpy()
    split = train_validation_test(y, groups, random_state=0)
    saved = Splits(table["image_id"].to_numpy(), split[:, None], groups, random_state=0)
    write_splits(options.out / "split.csv", saved)
    train, test = split != "test", split == "test"
    model = HybridLesionClassifier(n_jobs=options.jobs)
    model.fit(table[train], y[train], groups=groups[train])
    score = model.predict_proba(table[test])[:, 1]
    measures = evaluate(y[test], score, groups=groups[test], threshold=model.threshold_)
    print(f"at the threshold for {model.sensitivity:.0%} sensitivity ({model.threshold_:.4g}):")
    print(measures.round(3).to_string(index=False))
    measures.to_csv(options.out / "test_measures.csv", index=False)
    save_artifact(options.out / "model.joblib", model, metrics=model.metrics_)
    known = [name for name in ("image_id", "path", "patient_id") if name in table]
    scores = table.loc[test, known].assign(score=score, threshold=model.threshold_)
    scores.to_csv(options.out / "test_scores.csv", index=False)
    page = write_page(
        *(options.out / "model.joblib", options.out / "report"),
        scores=options.out / "test_scores.csv",
        truth=[options.table],
        n_jobs=options.jobs,
    )
    print("report:", page.path)
    return measures


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
    parser.add_argument("--images", required=True)
    parser.add_argument("--table", required=True)
    parser.add_argument("--duplicates")
    parser.add_argument(
        "--weights", help="local MobileNetV2 weights; without them, the CNN that ships"
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=-1)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main(parse())
