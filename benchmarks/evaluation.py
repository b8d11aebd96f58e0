"""Seconds for patient-bootstrap intervals of every measure, and the ratio to a plain loop.

    python benchmarks/evaluation.py [--resamples 2000] [--loop 20]

A table of the size of ISIC 2020 is drawn: 33,126 images of about 2,000 patients, 584 malignant.
The loop beside it draws patients, copies their rows and calls scikit-learn for the same measures;
it runs `--loop` resamples and is scaled up. Both run in one process on one core, and both give the
interval of the AUC, so that one can see that they do the same.
"""

from __future__ import annotations

import argparse
from time import perf_counter, process_time

import numpy as np
import pandas as pd
from scipy.special import expit, logit
from sklearn import metrics
from sklearn.linear_model import LogisticRegression

from hybridlesion.metrics import compare_scores, evaluate, evaluate_subgroups

N_IMAGES, N_PATIENTS, N_MALIGNANT = 33_126, 2_056, 584
THRESHOLD = 0.05


def draw(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw truth, calibrated scores and patients; patients differ in risk and in size."""
    rng = np.random.default_rng(seed)
    share = rng.gamma(1.0, size=N_PATIENTS)
    patient = rng.choice(N_PATIENTS, N_IMAGES, p=share / share.sum())
    x = rng.normal(-5.2, 1.5, N_IMAGES) + rng.normal(0, 0.7, N_PATIENTS)[patient]
    order = rng.random(N_IMAGES) < expit(x)
    y = np.zeros(N_IMAGES, dtype=int)
    y[rng.permutation(np.flatnonzero(order))[:N_MALIGNANT]] = 1
    return y, expit(x), patient


def measure_rows(y: np.ndarray, score: np.ndarray) -> dict[str, float]:
    """Take the measures of `evaluate` by scikit-learn, as one would in a loop."""
    called = score >= THRESHOLD
    true, false = called[y == 1].sum(), called[y == 0].sum()
    false_rate, recall, _ = metrics.roc_curve(y, score, drop_intermediate=False)
    # The partial area of ISIC 2024: classes and scores turned round, McClish's scaling undone.
    scaled = metrics.roc_auc_score(1 - y, -score, max_fpr=0.2)
    x = logit(np.clip(score, 1e-7, 1 - 1e-7))[:, None]
    bins = np.array_split(np.argsort(score), 10)
    gaps = [abs(score[rows].sum() - y[rows].sum()) for rows in bins]
    values = {
        "auc": metrics.roc_auc_score(y, score),
        "average_precision": metrics.average_precision_score(y, score),
        "pauc": 0.02 + (0.2 - 0.02) / 0.5 * (scaled - 0.5),
        "brier": metrics.brier_score_loss(y, score),
        "accuracy": metrics.accuracy_score(y, called),
        "precision": metrics.precision_score(y, called, zero_division=np.nan),
        "recall": metrics.recall_score(y, called),
        "specificity": metrics.recall_score(1 - y, ~called),
        "f1": metrics.f1_score(y, called),
        "net_benefit": (true - false * THRESHOLD / (1 - THRESHOLD)) / len(y),
        "calibration_slope": LogisticRegression(C=np.inf).fit(x, y).coef_[0, 0],
        "calibration_in_the_large": y.mean() / score.mean(),
        "calibration_error": sum(gaps) / len(y),
        "prevalence": y.mean(),
    }
    for target in (0.8, 0.9, 0.95):
        name = f"specificity_at_{round(100 * target)}_sensitivity"
        values[name] = (1 - false_rate[recall >= target]).max()
    return values


def loop(y: np.ndarray, score: np.ndarray, patient: np.ndarray, n: int) -> list[dict[str, float]]:
    """Resample patients by copying their rows."""
    rng = np.random.default_rng(0)
    order = np.argsort(patient, kind="stable")
    rows_of = np.split(order, np.flatnonzero(np.diff(patient[order])) + 1)
    found = []
    for _ in range(n):
        drawn = rng.integers(len(rows_of), size=len(rows_of))
        rows = np.concatenate([rows_of[number] for number in drawn])
        found.append(measure_rows(y[rows], score[rows]))
    return found


def timed(work) -> tuple[float, float, object]:
    """Seconds on the clock and of the processor, and what came of it."""
    clock, processor = perf_counter(), process_time()
    result = work()
    return perf_counter() - clock, process_time() - processor, result


def main() -> None:
    """Print seconds and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--resamples", type=int, default=2000)
    parser.add_argument("--loop", type=int, default=20)
    options = parser.parse_args()
    y, score, patient = draw()
    n, options_of = options.resamples, {"groups": patient, "n_bootstrap": options.resamples}
    print(f"{len(y):,} images of {len(np.unique(patient)):,} patients, {y.sum():,} malignant")

    clock, ours, table = timed(lambda: evaluate(y, score, threshold=THRESHOLD, **options_of))
    print(f"evaluate, {n:,} resamples            {clock:8.2f} s, processor {ours:8.2f} s")
    clock, seconds, found = timed(lambda: loop(y, score, patient, options.loop))
    scale = n / options.loop
    print(
        f"scikit-learn, {options.loop} resamples scaled {clock * scale:8.2f} s, processor "
        f"{seconds * scale:8.2f} s   ({seconds * scale / ours:.0f} x)"
    )
    row = table.set_index("metric").loc["auc"]
    low, high = np.quantile([values["auc"] for values in found], [0.025, 0.975])
    print(f"AUC {row['value']:.4f}: ours {row['low']:.4f} to {row['high']:.4f}, ", end="")
    print(f"the loop's few {low:.4f} to {high:.4f}")

    other = expit(logit(score) + np.random.default_rng(1).normal(0, 1, len(y)))
    clock, seconds, _ = timed(lambda: compare_scores(y, score, other, **options_of))
    print(f"compare_scores, {n:,} resamples      {clock:8.2f} s, processor {seconds:8.2f} s")
    groups = {name: np.random.default_rng(2).integers(5, size=len(y)) for name in ("age", "site")}
    attributes = pd.DataFrame(groups)
    clock, seconds, _ = timed(
        lambda: evaluate_subgroups(y, score, attributes, threshold=THRESHOLD, **options_of)
    )
    print(f"evaluate_subgroups, 11 groups        {clock:8.2f} s, processor {seconds:8.2f} s")


if __name__ == "__main__":
    main()
