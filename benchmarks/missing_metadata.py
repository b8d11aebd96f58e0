"""What a model says of lesions without age, sex and site, and what it costs where they are known.

Grouped folds on ISIC 2017 and HAM10000 (measurements, the network that ships, metadata) and on the
whole table of ISIC 2020 (published out-of-fold scores of a network, metadata):

    python benchmarks/missing_metadata.py --data ../shared/data

Three models a fold: trained without blanking, as shipped, and without the metadata columns. Each
scores the rows held out as they are and, where it knows metadata, with all of them blanked. Rows
whose network score is left out, since the network learned from them, are trained on but not judged.
The price of blanking is also taken on rows with all metadata alone: on the others a model without
blanking profits from which lesions lack their age, which tells nothing about new lesions.
Feature tables are kept in `.cache/benchmarks`.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
from accuracy import CACHE, LOADERS, undo_squash
from stacking import load_table

from hybridlesion import HybridLesionClassifier, LesionFeaturizer, extract_features
from hybridlesion.batch import read_features
from hybridlesion.leakage import blank_in_sample_scores
from hybridlesion.metrics import paired_bootstrap, roc_auc
from hybridlesion.model import _fold_model
from hybridlesion.model_selection import grouped_folds, grouping

FAMILIES = ("abcd__", "cnn__", "meta__")


def main() -> None:
    """Cross-validate the three models on each set and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    sets = ["isic2017", "ham10000", "isic2020-table"]
    parser.add_argument("--sets", nargs="+", default=sets, choices=sets)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    for name in options.sets:
        compare(name, load(name, options), options)


def load(name: str, options: argparse.Namespace) -> pd.DataFrame:
    """Return the labelled feature table of one set, extracted on the first call."""
    if name == "isic2020-table":
        return load_table(options.data)
    out = CACHE / f"{name}-shipped.parquet"
    if not out.exists():
        records = undo_squash(name, LOADERS[name](options.data / name))
        extract_features(
            records, out, featurizer=LesionFeaturizer("finetuned"), n_jobs=options.jobs
        )
    table = read_features(out)[0]
    return blank_in_sample_scores(table[table["target"].notna()].reset_index(drop=True))


def compare(name: str, table: pd.DataFrame, options: argparse.Namespace) -> None:
    """Print one line a model, then the paired differences."""
    y, groups = table["target"].to_numpy(dtype=bool), grouping(table).to_numpy()
    ids = [column for column in ("patient_id", "lesion_id", "image_id") if column in table]
    features = table[ids + [column for column in table if column.startswith(FAMILIES)]]
    metadata = [column for column in features if column.startswith("meta__")]
    blanked = features.assign(**dict.fromkeys(metadata, np.nan))
    judged = table["cnn__score"].notna().to_numpy()
    folds = grouped_folds(y, groups, n_splits=options.folds)
    found = {}
    for label, columns in {
        "no blanking": features,
        "as shipped": features,
        "without metadata": features.drop(columns=metadata),
    }.items():
        scores = {
            rows: (np.empty(len(y)), np.empty((len(y), 2), dtype=bool))
            for rows in ("known", "bare")
        }
        for fold in range(options.folds):
            held = folds == fold
            model = fit(columns[~held], y[~held], groups[~held], label, options.jobs)
            for rows, (score, called) in scores.items():
                table = blanked[columns.columns] if rows == "bare" else columns
                score[held] = model.predict_proba(table[held])[:, 1]
                cuts = model.thresholds_[0.9], model.best_f1_
                called[held] = score[held, None] >= np.array(cuts)
        found[label] = {rows: score for rows, (score, _) in scores.items()}
        for rows, (score, called) in scores.items():
            figures = describe(y[judged], score[judged], called[judged])
            print(f"{name} | {label:16s} | {rows:5s} | {figures}", flush=True)
    given = features[metadata].dropna(axis=1, how="all").notna().all(axis=1).to_numpy()
    known = {label: scores["known"] for label, scores in found.items()}
    shipped, unblanked = known["as shipped"], known["no blanking"]
    pairs = {
        "as they are: as shipped minus no blanking": (unblanked, shipped, judged),
        "known: as shipped minus no blanking": (unblanked, shipped, judged & given),
        "blanked: as shipped minus without metadata": (
            known["without metadata"],
            found["as shipped"]["bare"],
            judged,
        ),
    }
    for label, (reference, score, rows) in pairs.items():
        count = f"{rows.sum():,} rows, {y[rows].sum():,} malignant"
        for metric in ("auc", "average_precision"):
            drawn = [values[rows] for values in (y, reference, score)]
            gap = paired_bootstrap(*drawn, metric, groups=groups[rows])
            interval = f"{gap.difference:+.4f} ({gap.low:+.4f} to {gap.high:+.4f})"
            print(f"{label} ({count}), {metric}: {interval}", flush=True)


def fit(table, y, groups, label, n_jobs) -> HybridLesionClassifier:
    """Fit one model; the first one as LightGBM alone would treat missing values."""
    model = HybridLesionClassifier(threshold="f1", n_jobs=n_jobs)
    if label != "no blanking":
        model.fit(table, y, groups=groups)
    else:
        with mock.patch.object(_fold_model, "blank_at_random"):
            model.fit(table, y, groups=groups)
        model.metadata_ = model.metadata_[:0]
    model.best_f1_ = model.threshold_
    return model


def describe(y: np.ndarray, score: np.ndarray, called: np.ndarray) -> str:
    """AUC, the mean probability, then sensitivity and specificity at both thresholds."""
    cells = [f"AUC {roc_auc(y, score):.4f}", f"mean {score.mean():.4f} of {y.mean():.4f}"]
    for at, label in enumerate(("90 %", "F1")):
        cells.append(f"at {label} {called[y, at].mean():.3f}/{1 - called[~y, at].mean():.3f}")
    return " | ".join(cells)


if __name__ == "__main__":
    main()
