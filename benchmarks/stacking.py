"""Stack a CNN's out-of-fold scores with metadata on the full ISIC 2020 table.

Prints, for grouped folds: the CNN alone, age + sex + site alone, a plain LightGBM and a logistic
regression on both, and HybridLesionClassifier with and without the patient's other lesions, each
with intervals over patients, then the paired difference to the CNN and to the logistic regression,
and the time of a fit. With --thresholds, instead: models of half of the patients, and what their
threshold does to the other half, by the rule that chose it.

Usage: python benchmarks/stacking.py [FOLDER] [--seeds 3] [--jobs 2] [--thresholds DRAWS]
FOLDER holds isic2020/train.csv and tables/isic2019_2020_cnn_oof.csv (default: ../shared/data).
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import lightgbm
import numpy as np
import pandas as pd
from scipy.special import logit
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from hybridlesion.featurizer import encode_metadata
from hybridlesion.metadata import read_records
from hybridlesion.metrics import (
    choose_threshold,
    evaluate,
    paired_bootstrap,
    threshold_at_sensitivity,
)
from hybridlesion.model import HybridLesionClassifier, patient_context
from hybridlesion.model_selection import grouped_folds, grouping

FIGURES = ("auc", "average_precision", "pauc", "calibration_slope", "calibration_error")


def load_table(folder: Path) -> pd.DataFrame:
    """Join ISIC 2020 with the CNN's scores: one row per image, features by prefix."""
    records = read_records(folder / "isic2020" / "train.csv").frame
    scores = pd.read_csv(folder / "tables" / "isic2019_2020_cnn_oof.csv")
    mean = scores.filter(like="oof_snapshot").mean(axis=1).clip(1e-6, 1 - 1e-6)
    column = pd.DataFrame({"image_id": scores["image_name"], "cnn__score": logit(mean)})
    table = records[["image_id", "patient_id", "target"]].join(encode_metadata(records))
    return table.merge(column, on="image_id")


def plain_lightgbm(table: pd.DataFrame, y: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Score out of fold with LightGBM's defaults: what one would write first."""
    X = table.filter(regex="^(cnn|meta)__").to_numpy()
    folds, score = grouped_folds(y, groups), np.empty(len(y))
    for fold in range(5):
        train = folds != fold
        model = lightgbm.LGBMClassifier(verbosity=-1, random_state=0).fit(X[train], y[train])
        score[~train] = model.predict_proba(X[~train])[:, 1]
    return score


def logistic_regression(
    table: pd.DataFrame, y: np.ndarray, groups: np.ndarray, *, context: bool
) -> np.ndarray:
    """Score out of fold with a plain logistic regression on the same columns."""
    columns = table.filter(regex="^(cnn|meta)__")
    if context:
        columns = pd.concat([columns, patient_context(table)], axis=1)
    X, folds, score = columns.to_numpy(), grouped_folds(y, groups), np.empty(len(y))
    for fold in range(5):
        train = folds != fold
        model = make_pipeline(
            SimpleImputer(strategy="median"), StandardScaler(), LogisticRegression(max_iter=2000)
        )
        score[~train] = model.fit(X[train], y[train]).predict_proba(X[~train])[:, 1]
    return score


def print_thresholds(
    table: pd.DataFrame, y: np.ndarray, groups: np.ndarray, draws: int, jobs: int
) -> None:
    """Fit on half of the patients; print what each rule's threshold does to the other half."""
    rules = {
        "90 % sensitivity": threshold_at_sensitivity,
        "95 % sensitivity": lambda y, score: threshold_at_sensitivity(y, score, 0.95),
        "highest F1": choose_threshold,
    }
    print("| draw | malignant held out | threshold for | value | sensitivity | specificity |")
    print("|---|---|---|---|---|---|")
    found = []
    for draw in range(draws):
        train = grouped_folds(y, groups, n_splits=2, random_state=draw) == 0
        model = HybridLesionClassifier(n_jobs=jobs, random_state=draw).fit(table[train], y[train])
        score, held = model.predict_proba(table[~train])[:, 1], y[~train] == 1
        for name, rule in rules.items():
            value = rule(y[train], model.oof_score_)
            called = score >= value
            figures = (called[held].mean(), (~called[~held]).mean())
            found.append((name, *figures))
            cells = f"{value:.4f} | {figures[0]:.3f} | {figures[1]:.3f}"
            print(f"| {draw} | {held.sum()} | {name} | {cells} |", flush=True)
    columns = ["threshold for", "sensitivity", "specificity"]
    by_rule = pd.DataFrame(found, columns=columns).groupby("threshold for")
    print(by_rule.agg(["mean", "min", "max"]).round(3).to_string())


def hybrid(table: pd.DataFrame, y: np.ndarray, label: str, **parameters) -> np.ndarray:
    """Fit, print the time, return out-of-fold probabilities."""
    start = time.perf_counter()
    model = HybridLesionClassifier(**parameters).fit(table, y)
    print(f"{label}: {len(table)} rows, fitted in {time.perf_counter() - start:.1f} s")
    return model.oof_score_


def print_figures(label: str, y: np.ndarray, score: np.ndarray, groups: np.ndarray) -> None:
    """Print one line of figures with their intervals."""
    rows = evaluate(y, score, groups=groups).set_index("metric").loc[list(FIGURES)]
    cells = [f"{row.value:.4f} ({row.low:.3f}-{row.high:.3f})" for row in rows.itertuples()]
    print(f"| {label:28s} | " + " | ".join(cells) + " |")


def main() -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    parser.add_argument("folder", nargs="?", type=Path, default=default)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--thresholds", type=int, metavar="DRAWS")
    arguments = parser.parse_args()
    table = load_table(arguments.folder)
    y, groups = table["target"].to_numpy().astype(int), grouping(table).to_numpy()
    if arguments.thresholds:
        print_thresholds(table, y, groups, arguments.thresholds, arguments.jobs)
        return
    options = {"n_seeds": arguments.seeds, "n_jobs": arguments.jobs}
    metadata = table.drop(columns="cnn__score")
    scores = {
        "CNN alone": 1 / (1 + np.exp(-table["cnn__score"].to_numpy())),
        "metadata alone": hybrid(metadata, y, "metadata alone", **options),
        "plain LightGBM": plain_lightgbm(table, y, groups),
        "logistic regression": logistic_regression(table, y, groups, context=False),
        "logistic regression, context": logistic_regression(table, y, groups, context=True),
        "hybrid, no context": hybrid(table, y, "no context", context="none", **options),
        "hybrid, one seed": hybrid(table, y, "hybrid, one seed", n_jobs=arguments.jobs),
        "hybrid": hybrid(table, y, f"hybrid, {arguments.seeds} seeds", **options),
        "hybrid, trees alone": hybrid(table, y, "trees alone", linear_weight=0.0, **options),
        "hybrid, linear part alone": hybrid(
            table, y, "linear part alone", linear_weight=1.0, **options
        ),
    }
    print(f"\n| {len(y)} rows, {y.sum()} malignant | " + " | ".join(FIGURES) + " |")
    print("|---" * (1 + len(FIGURES)) + "|")
    for label, score in scores.items():
        print_figures(label, y, score, groups)
    for name, other in (
        ("hybrid", "CNN alone"),
        ("hybrid, no context", "CNN alone"),
        ("hybrid", "logistic regression"),
        ("hybrid", "logistic regression, context"),
    ):
        print(f"\n{name} minus {other}, paired over patients:")
        for metric in FIGURES[:3]:
            found = paired_bootstrap(y, scores[other], scores[name], metric, groups=groups)
            print(
                f"  {metric}: {found.difference:+.4f} ({found.low:+.4f} to {found.high:+.4f}), "
                f"p = {found.p_value:.3f}"
            )


if __name__ == "__main__":
    main()
