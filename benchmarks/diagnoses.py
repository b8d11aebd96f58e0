"""Probabilities of diagnoses on HAM10000: DiagnosisClassifier and three others, side by side.

    python benchmarks/diagnoses.py --data DATA [--network-scores FILE] [--folds 5]

ABCD features, metadata and the scores of the network that ships, of every image and lesion-grouped
folds; each model is fitted outside the fold that it predicts. FILE, the ``out_of_fold.csv`` of a
`hybridlesion finetune`, replaces the scores of the network. The network alone is its own class
probabilities. Every model predicts the diagnosis whose probability exceeds its share most. The
feature table is kept in `.cache/benchmarks`. One thread.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
from lightgbm import LGBMClassifier
from missing_metadata import load
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from hybridlesion.cnn import CLASS_SHARES, CLASSES, SCORE_COLUMNS, name_classes
from hybridlesion.metrics import evaluate_diagnoses
from hybridlesion.model import DiagnosisClassifier

FAMILIES = ("abcd__", "cnn__", "meta__")
MEASURES = ["balanced_accuracy", "macro_auc", "log_loss"]


def main() -> None:
    """Cross-validate every model and print one row each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--network-scores", type=Path, help="out_of_fold.csv of a fine-tuning")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=1, help="processes that measure images")
    options = parser.parse_args()
    table = load("ham10000", options)
    diagnosis = name_classes(table["diagnosis"])
    table, diagnosis = table[diagnosis.notna()], diagnosis.dropna()
    if options.network_scores:
        scores = pd.read_csv(options.network_scores).set_index("image_id")
        own = scores[list(SCORE_COLUMNS)].reindex(table["image_id"])
        table = table.drop(columns=[name for name in table if name.startswith("cnn__")])
        table = table.assign(**dict(zip(own, own.to_numpy().T, strict=True)))
    features = table[[name for name in table if name.startswith(FAMILIES)]]
    features = features.loc[:, features.notna().any()]
    numbers = features.select_dtypes("number").astype(np.float32)
    groups = table["lesion_id"].to_numpy()
    classes = sorted(diagnosis.unique())
    y = diagnosis.to_numpy(dtype=object)
    splitter = StratifiedGroupKFold(options.folds, shuffle=True, random_state=0)
    splits = list(splitter.split(y, y, groups))
    print(f"{len(y):,} images, {len(classes)} diagnoses, {features.shape[1]} columns")
    print("| model | balanced accuracy | macro AUC | log loss | s a fold |")
    print("|---|---|---|---|---|")
    if set(SCORE_COLUMNS) <= set(features):
        # At the frequencies of these images, to be comparable.
        shares = dict(zip(CLASSES, CLASS_SHARES, strict=True))
        ratio = [(y == name).mean() / shares[name] for name in classes]
        own = features[[f"cnn__p_{CLASSES[name]}" for name in classes]].to_numpy(float) * ratio
        known = np.isfinite(own).all(axis=1)
        own = own[known] / own[known].sum(axis=1, keepdims=True)
        print_row("the network alone", y[known], own, classes, groups[known], 0.0)
    logistic = LogisticRegression(C=0.1, max_iter=1000)
    trees = LGBMClassifier(n_estimators=150, learning_rate=0.05, n_jobs=1, verbosity=-1)
    for label, model in {
        "logistic regression": make_pipeline(SimpleImputer(), StandardScaler(), logistic),
        "LightGBM": trees,
        "DiagnosisClassifier": DiagnosisClassifier(),
    }.items():
        own_groups = label == "DiagnosisClassifier"
        columns = features if own_groups else numbers
        found, began = np.zeros((len(y), len(classes))), time.process_time()
        for train, held in splits:
            given = {"groups": groups[train]} if own_groups else {}
            model.fit(columns.iloc[train], y[train], **given)
            places = [classes.index(name) for name in model.classes_]
            found[np.ix_(held, places)] = model.predict_proba(columns.iloc[held])
        seconds = (time.process_time() - began) / len(splits)
        print_row(label, y, found, classes, groups, seconds)


def print_row(label, y, probabilities, classes, groups, seconds) -> None:
    """Print the measures of one model, each diagnosis as frequent as any other in its calls."""
    prior = np.array([(y == name).mean() for name in classes])
    predicted = np.array(classes, dtype=object)[(probabilities / prior).argmax(axis=1)]
    found = evaluate_diagnoses(y, probabilities, classes, predicted=predicted, groups=groups)
    cells = [
        f"{one.value:.3f} ({one.low:.3f}-{one.high:.3f})"
        for one in found[found["metric"].isin(MEASURES)].itertuples()
    ]
    print(f"| {label} | {' | '.join(cells)} | {seconds:.0f} |", flush=True)


if __name__ == "__main__":
    main()
