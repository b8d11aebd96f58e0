"""Strategies against imbalance, compared on the full ISIC 2020 table.

    python benchmarks/imbalance.py [FOLDER] [--seeds 3] [--jobs 1] [--only NAME ...]

FOLDER holds isic2020/train.csv and tables/isic2019_2020_cnn_oof.csv (default: ../shared/data).
Every strategy learns from a CNN's out-of-fold score, age, sex, site and the patient's other
lesions, in the same grouped folds. Printed are AUC, average precision and partial AUC with their
intervals over patients, slope and error of the calibrated scores, and the paired difference to the
default. "LightGBM is_unbalance" is what one would switch on first.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import lightgbm
import numpy as np
import pandas as pd
from scipy.special import expit
from scipy.stats import rankdata
from stacking import load_table

from hybridlesion.metrics import evaluate, paired_bootstrap
from hybridlesion.model import HybridLesionClassifier, patient_context
from hybridlesion.model_selection import grouped_folds, grouping

DEFAULT = "undersample, 10 to 1"
STRATEGIES = {
    DEFAULT: {},
    "none": {"imbalance": "none"},
    "class_weight": {"imbalance": "class_weight"},
    "undersample, 3 to 1": {"negatives_per_positive": 3.0},
    "undersample, 10 to 1, four bags": {"n_bags": 4},
    "resample": {"imbalance": "resample"},
    "focal": {"imbalance": "focal"},
    "stopped by average precision": {"stopping": "average_precision"},
    "stopped by pAUC": {"stopping": "pauc"},
}
RANKING = ("auc", "average_precision", "pauc")


def main() -> None:
    """Fit every strategy and print its line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    parser.add_argument("folder", nargs="?", type=Path, default=default)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--only", nargs="*", choices=[*STRATEGIES], default=[*STRATEGIES])
    options = parser.parse_args()
    table = load_table(options.folder)
    y, groups = table["target"].to_numpy().astype(int), grouping(table).to_numpy()
    print(
        "| strategy | AUC | average precision | pAUC | slope | error | AUC minus default | fit, s |"
    )
    print("|---|---|---|---|---|---|---|---|")
    base = None
    for name in dict.fromkeys((DEFAULT, *options.only)):
        start = time.process_time()
        model = HybridLesionClassifier(
            n_seeds=options.seeds, n_jobs=options.jobs, **STRATEGIES[name]
        ).fit(table, y)
        seconds = time.process_time() - start
        ranked = expit(model.oof_raw_)
        base = ranked if base is None else base
        print_line(name, y, ranked, model.oof_score_, groups, base, seconds)
    score = plain(table, y, groups)
    print_line("LightGBM is_unbalance", y, score, score, groups, base, np.nan)
    print_averaging(table, y, options)


def plain(table: pd.DataFrame, y: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Score out of fold by LightGBM with its own switch, stopped by AUC on the held-out fold."""
    columns = table.filter(regex="^(cnn|meta)__")
    columns = pd.concat([columns, patient_context(table)], axis=1).to_numpy(np.float32)
    folds, score = grouped_folds(y, groups), np.empty(len(y))
    for fold in range(5):
        train = folds != fold
        model = lightgbm.LGBMClassifier(
            is_unbalance=True, n_estimators=400, verbosity=-1, random_state=0, num_threads=1
        )
        model.fit(
            columns[train],
            y[train],
            eval_set=[(columns[~train], y[~train])],
            eval_metric="auc",
            callbacks=[lightgbm.early_stopping(50, verbose=False)],
        )
        score[~train] = model.predict_proba(columns[~train])[:, 1]
    return score


def print_averaging(table: pd.DataFrame, y: np.ndarray, options: argparse.Namespace) -> None:
    """Compare ways to average seeds, each a model of its own."""
    logits = [
        HybridLesionClassifier(random_state=10 + seed, n_jobs=options.jobs).fit(table, y).oof_raw_
        for seed in range(options.seeds)
    ]
    ways = {
        "logits": expit(np.mean(logits, axis=0)),
        "probabilities": np.mean(expit(logits), axis=0),
        "ranks": np.mean([rankdata(z) / len(z) for z in logits], axis=0),
    }
    print(f"\n| {options.seeds} seeds averaged by | AUC | average precision | pAUC |")
    print("|---|---|---|---|")
    for name, score in ways.items():
        values = evaluate(y, score, n_bootstrap=2).set_index("metric").loc[list(RANKING), "value"]
        print(f"| {name} | " + " | ".join(f"{value:.4f}" for value in values) + " |")


def print_line(name, y, ranked, score, groups, base, seconds) -> None:
    """Print one strategy."""
    found = evaluate(y, ranked, groups=groups).set_index("metric")
    calibrated = evaluate(y, score, groups=groups, n_bootstrap=2).set_index("metric")["value"]
    cells = [
        f"{found.loc[m, 'value']:.4f} ({found.loc[m, 'low']:.3f}-{found.loc[m, 'high']:.3f})"
        for m in RANKING
    ]
    cells += [f"{calibrated['calibration_slope']:.3f}", f"{calibrated['calibration_error']:.4f}"]
    difference = ""
    if ranked is not base:
        paired = paired_bootstrap(y, base, ranked, "auc", groups=groups)
        difference = f"{paired.difference:+.4f} ({paired.low:+.4f} to {paired.high:+.4f})"
    print(f"| {name} | " + " | ".join(cells) + f" | {difference} | {seconds:.0f} |", flush=True)


if __name__ == "__main__":
    main()
