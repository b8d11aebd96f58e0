"""Calibration and sensitivity at other sites, before and after recalibration on a few lesions.

    hybridlesion features SOURCE --metadata TABLE --out SITE.parquet    # for each site
    python benchmarks/recalibration.py HOME.parquet SITE.parquet... [--lesions 100] [--draws 50]

A model fitted on the first table scores the others. Lesions are drawn at random from a site for
recalibration, and the rest of the site is the test. Draws with fewer than five lesions of a class,
which `recalibrate` refuses, are left out. With --malignant N, exactly N malignant lesions are drawn
with benign ones, and the scores of the rest are adjusted to the prevalence of the site, as by
`score --prevalence`. Images that the network learned from, and for which it has no other score, are
left out. Lesions of a patient may be on both sides.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import logit

from hybridlesion import HybridLesionClassifier
from hybridlesion.batch import read_features
from hybridlesion.metrics import (
    calibration_error,
    roc_auc,
    shift_prevalence,
    threshold_at_sensitivity,
)
from hybridlesion.model.recalibration import METHODS, choose_map, fit_map, sensitivity_threshold
from hybridlesion.model_selection import grouping

FAMILIES = ("abcd__", "cnn__", "meta__")
SENSITIVITY, FEWEST = 0.9, 5


def main() -> None:
    """Fit on the first table; print the figures of each other table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="+", type=Path, help="feature tables, one for each site")
    parser.add_argument("--lesions", type=int, default=100, help="lesions to recalibrate on")
    parser.add_argument("--malignant", type=int, help="malignant ones; default: at random")
    parser.add_argument("--draws", type=int, default=50)
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    home, *sites = map(load, options.tables)
    columns = [name for name in home if name.startswith(FAMILIES)]
    model = HybridLesionClassifier(n_jobs=options.jobs)
    model.fit(home[columns], home["target"].astype(int), groups=grouping(home).to_numpy())
    for path, site in zip(options.tables[1:], sites, strict=True):
        given = site.reindex(columns=[*{*site.columns, *columns}])
        y, score = site["target"].to_numpy() == 1, model.predict_proba(given)[:, 1]
        print(f"\n{options.tables[0].stem} on {path.stem}: {len(y)} lesions, {y.sum()} malignant,")
        print(f"AUC {roc_auc(y, score):.3f}, calibration error {calibration_error(y, score):.3f}")
        draws = measure(y, score, model.thresholds_[SENSITIVITY], options)
        print(summarise(draws), flush=True)


def load(path: Path) -> pd.DataFrame:
    """Read a feature table, without images whose score would be optimistic."""
    table = read_features(path)[0]
    score = "cnn__melanoma" if "cnn__melanoma" in table else "cnn__score"
    seen = table.get("qa__cnn_seen", pd.Series(0, index=table.index))
    known = (seen != 2) & table[score].notna() & table["target"].notna()
    return table[known].reset_index(drop=True)


def measure(
    y: np.ndarray, score: np.ndarray, threshold: float, options: argparse.Namespace
) -> pd.DataFrame:
    """Recalibrate on each draw, and test on the rest: one row a draw, a column a figure."""
    z, rows = logit(np.clip(score, 1e-12, 1 - 1e-12)), []
    for seed in range(options.draws):
        taken = draw(y, options, np.random.default_rng(seed))
        rest = np.setdiff1d(np.arange(len(y)), taken)
        n_positive = y[taken].sum()
        if min(n_positive, len(taken) - n_positive) < FEWEST:
            continue
        truth, own = y[rest], (z[taken], y[taken])
        chosen, _ = choose_map(*own, np.arange(len(taken)))
        row: dict[str, object] = {"chosen": chosen, "malignant": n_positive}
        for method in METHODS:
            mapped = fit_map(method, *own)
            p = mapped.predict(z[rest])
            if options.malignant:
                p = shift_prevalence(p, mapped.predict(z[taken]).mean(), y.mean())
            row[f"error, {method}"] = calibration_error(truth, p)
        row["error, before"] = calibration_error(truth, score[rest])
        row["error, chosen map"] = row[f"error, {chosen}"]
        cuts = {
            "before": logit(threshold),
            "quantile of the malignant": threshold_at_sensitivity(*own[::-1], SENSITIVITY),
            "recalibrated": sensitivity_threshold(*own, SENSITIVITY),
        }
        for name, cut in cuts.items():
            row[f"sensitivity, {name}"] = np.mean(z[rest][truth] >= cut)
            row[f"specificity, {name}"] = np.mean(z[rest][~truth] < cut)
        rows.append(row)
    return pd.DataFrame(rows)


def draw(y: np.ndarray, options: argparse.Namespace, rng: np.random.Generator) -> np.ndarray:
    """Draw the lesions to recalibrate on."""
    if not options.malignant:
        return rng.choice(len(y), options.lesions, replace=False)
    malignant = rng.choice(np.flatnonzero(y), options.malignant, replace=False)
    n_benign = options.lesions - options.malignant
    return np.r_[malignant, rng.choice(np.flatnonzero(~y), n_benign, replace=False)]


def summarise(draws: pd.DataFrame) -> str:
    """Mean over draws with its 95 % interval, and standard deviation of a draw."""
    if draws.empty:
        return "no draw has enough lesions of both classes"
    figures = draws.drop(columns="chosen").astype(float)
    table = pd.DataFrame({"mean": figures.mean(), "SD of a draw": figures.std()})
    reach = 1.96 * figures.sem()
    table["95 % interval"] = [
        f"{mean - half:.3f} to {mean + half:.3f}"
        for mean, half in zip(table["mean"], reach, strict=True)
    ]
    counts = draws["chosen"].value_counts()
    chosen = ", ".join(f"{name} {n}" for name, n in counts.items())
    return f"{len(draws)} draws; chosen: {chosen}\n{table.round(3).to_string()}"


if __name__ == "__main__":
    main()
