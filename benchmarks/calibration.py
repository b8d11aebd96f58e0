"""Calibration slope and error that a fit reports against those on fresh patients.

    python benchmarks/calibration.py [--cohorts 30] [--fresh 20000]

Cohorts of known truth are drawn at prevalences of 2, 10 and 30 %: a network's score, metadata, and
measurements of which most say nothing. `HybridLesionClassifier` is fitted on each; its reported
figures are compared with those of its scores on fresh patients, with calibrators as fitted on
single members ("before") and sharpened for the mean of members ("after"), and with those of one
member a row ("single").
"""

from __future__ import annotations

import argparse
from time import process_time
from unittest import mock

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import expit

from hybridlesion import HybridLesionClassifier
from hybridlesion.metrics import calibration_error, calibration_slope
from hybridlesion.model._ensemble import FoldEnsemble

COHORTS = {0.02: 4000, 0.1: 2000, 0.3: 1500}
N_MEASURED, N_NOISE = 10, 30


def draw(n: int, prevalence: float, rng: np.random.Generator) -> tuple[pd.DataFrame, np.ndarray]:
    """Draw lesions, three a patient, and their truth."""
    patient = rng.integers(0, n // 3, n)
    hidden = rng.normal(size=(n, N_MEASURED))
    age, male = rng.normal(50, 15, n), rng.integers(0, 2, n)
    risk = 1.1 * hidden[:, 0] + 0.7 * hidden[:, 1] + 0.6 * np.abs(hidden[:, 2])
    risk += 0.5 * hidden[:, 3] * (hidden[:, 4] > 0) + 0.5 * (age - 50) / 15 + 0.2 * male
    risk += rng.normal(0, 0.5, n // 3)[patient]
    start = brentq(lambda a: expit(a + risk).mean() - prevalence, -20, 20)
    columns = {"patient_id": patient.astype(str), "meta__age": age, "meta__sex_male": male}
    columns["cnn__score"] = expit(hidden[:, 0] + 0.5 * hidden[:, 1] + rng.normal(0, 1, n) - 1)
    measured = hidden + rng.normal(0, 0.7, hidden.shape)
    measured = np.column_stack([measured, rng.normal(size=(n, N_NOISE))])
    columns |= {f"abcd__{k}": measured[:, k] for k in range(measured.shape[1])}
    return pd.DataFrame(columns), rng.random(n) < expit(start + risk)


def measure(n: int, prevalence: float, n_fresh: int, seed: int) -> dict[str, float]:
    """Fit one cohort and score fresh patients, each scored alone."""
    rng = np.random.default_rng([seed, n])
    (table, y), (fresh, truth) = draw(n, prevalence, rng), draw(n_fresh, prevalence, rng)
    model = HybridLesionClassifier(context="none", random_state=seed)
    draws: list[float] = []
    start = process_time()
    with mock.patch.object(FoldEnsemble, "train", _timed(FoldEnsemble.train, draws)):
        model.fit(table, y)
    seconds = process_time() - start
    reported = model.metrics_.set_index("metric")["value"]
    row = {"reported": reported["calibration_slope"], "error": reported["calibration_error"]}
    after = model.predict_proba(fresh)[:, 1]
    for calibrator in (*model.calibrators_.values(), *model.bare_calibrators_.values()):
        del calibrator.line_
    before = model.predict_proba(fresh)[:, 1]
    # One member a row, as out of fold: what averaging alone does to the slope.
    logits = model.ensemble_.logits(model._read(fresh), False, 5, 1)
    single = logits[rng.integers(0, 5, n_fresh), np.arange(n_fresh)]
    row["slope single"] = calibration_slope(truth, model.calibrators_[False].predict(single))
    for label, score in (("before", before), ("after", after)):
        row[f"slope {label}"] = calibration_slope(truth, score)
        row[f"error {label}"] = calibration_error(truth, score)
        row[f"mean {label}"] = score.mean() / truth.mean()
    row["time"] = seconds / (seconds - draws[-1])
    return row


def _timed(train, seconds: list[float]):
    """Note the time of each draw; only calibration needs the last."""

    def wrapped(*arguments):
        start = process_time()
        found = train(*arguments)
        seconds.append(process_time() - start)
        return found

    return wrapped


def main() -> None:
    """Print one line per prevalence: means, their standard errors, and medians of the slopes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cohorts", type=int, default=30)
    parser.add_argument("--fresh", type=int, default=20_000)
    parser.add_argument(
        "--prevalences", type=float, nargs="+", default=[*COHORTS], choices=[*COHORTS]
    )
    options = parser.parse_args()
    for prevalence in options.prevalences:
        n = COHORTS[prevalence]
        rows = [measure(n, prevalence, options.fresh, seed) for seed in range(options.cohorts)]
        found = pd.DataFrame(rows)
        print(f"\nprevalence {prevalence:.0%}, {n} rows, {len(found)} cohorts")
        table = {"mean": found.mean(), "standard error": found.sem(), "median": found.median()}
        print(pd.DataFrame(table).round(4).to_string(), flush=True)


if __name__ == "__main__":
    main()
