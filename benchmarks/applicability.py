"""Applicability, conformal sets and drift alarms at home and at other sites.

    hybridlesion features SOURCE --metadata TABLE --out SITE.parquet    # for each site
    python benchmarks/applicability.py HOME.parquet SITE.parquet... [--lesions 100] [--draws 50]

A model of melanoma is fitted on half of the lesions of the first table and scores the other half
and the other tables. Printed for each: wrong labels in the tenth of lowest applicability, and of
lowest confidence, over those in the rest, with the interval over lesions; coverage of the sets of
90 % in both classes, also with sets from lesions drawn at random, as after recalibration (with
--malignant N, exactly N malignant ones with benign ones, where few lesions are malignant); the
calibration error after estimates of the prevalence without labels; and how often `detect_drift`
raises an alarm on batches drawn from the table, which for the first table are false alarms. Images
that the network learned from, and for which it has no other score, are left out.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from recalibration import draw
from transport import FAMILIES, load, melanoma

from hybridlesion import HybridLesionClassifier
from hybridlesion.inference import score_table
from hybridlesion.metrics import calibration_error, roc_auc, shift_prevalence
from hybridlesion.model.calibration import ConformalSets
from hybridlesion.model_selection import grouping
from hybridlesion.reporting import detect_drift

COVERAGE, TENTH, FEWEST = 0.9, 0.1, 5
BATCHES = (30, 100, 300)


def main() -> None:
    """Fit on half of the first table; print the figures of the other half and other tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="+", type=Path, help="feature tables, one for each site")
    parser.add_argument("--lesions", type=int, default=100, help="lesions to recalibrate on")
    parser.add_argument("--malignant", type=int, help="malignant ones; default: at random")
    parser.add_argument("--draws", type=int, default=50)
    parser.add_argument("--batches", type=int, default=200, help="batches of each size")
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    sites = {path.stem: load(path) for path in options.tables}
    home = next(iter(sites))
    table, groups = sites[home], grouping(sites[home]).to_numpy()
    chosen = np.random.default_rng(0).permutation(np.unique(groups))[: groups.max() // 2]
    fitted, columns = np.isin(groups, chosen), [c for c in table if c.startswith(FAMILIES)]
    train = table.drop(columns=[c for c in table if c.startswith("emb__")])[fitted]
    model = HybridLesionClassifier(n_jobs=options.jobs)
    model.fit(train, melanoma(train), groups=groups[fitted])
    sites[home] = table[~fitted].reset_index(drop=True)
    for name, site in sites.items():
        given = site.reindex(columns=[*{*site.columns, *columns}])
        scores = score_table(model, given, coverage=COVERAGE)
        y, score = melanoma(site), scores["score"].to_numpy()
        shown = f"{home} (half) on {name}: {len(y)} lesions, {y.sum()} melanomas"
        print(f"\n{shown}, AUC {roc_auc(y, score):.3f}")
        print_risk(y, scores, grouping(site).to_numpy())
        print_coverage(y, score, scores["set"], options)
        print_prevalence(y, score, model)
        print_alarms(model, given.assign(**scores[["score", "applicability"]]), options)


def print_risk(y: np.ndarray, scores: pd.DataFrame, groups: np.ndarray) -> None:
    """Wrong labels in the tenth flagged over those in the rest, with intervals over groups."""
    wrong = ((scores["score"] >= scores["threshold"]) != y).to_numpy(dtype=float)
    units = list(pd.Series(np.arange(len(y))).groupby(groups).indices.values())
    for name in ("applicability", "confidence"):
        certainty = scores[name].to_numpy()
        flagged = certainty <= np.quantile(certainty, TENTH)
        draws = []
        for seed in range(500):
            taken = np.random.default_rng(seed).choice(len(units), len(units))
            rows = np.concatenate([units[unit] for unit in taken])
            draws.append(ratio(wrong[rows], flagged[rows]))
        low, high = np.nanquantile(draws, [0.025, 0.975])
        shares = f"{wrong[flagged].mean():.3f} and {wrong[~flagged].mean():.3f}"
        found = f"{ratio(wrong, flagged):.2f} ({low:.2f} to {high:.2f})"
        print(f"  wrong labels, tenth of lowest {name} over rest: {found}, {shares}")
    low = scores["applicability"].to_numpy()
    print(f"  applicability below 0.05: {np.mean(low < 0.05):.1%}, 0.01: {np.mean(low < 0.01):.1%}")


def ratio(error: np.ndarray, flagged: np.ndarray) -> float:
    """Mean error of the flagged rows over that of the others."""
    return error[flagged].mean() / error[~flagged].mean() if flagged.any() else np.nan


def print_coverage(
    y: np.ndarray, score: np.ndarray, sets: pd.Series, options: argparse.Namespace
) -> None:
    """Coverage in both classes, before and after recalibration on drawn lesions."""
    holds = np.where(y == 1, sets.isin(["malignant", "both"]), sets.isin(["benign", "both"]))
    both = (sets == "both").mean()
    print(f"  coverage: benign {holds[y == 0].mean():.3f}, malignant {holds[y == 1].mean():.3f}; "
          f"both {both:.2f}, empty {(sets == 'empty').mean():.2f}")  # fmt: skip
    found = []
    for seed in range(options.draws):
        taken = draw(y == 1, options, np.random.default_rng(seed))
        rest = np.setdiff1d(np.arange(len(y)), taken)
        if min(y[taken].sum(), (1 - y[taken]).sum()) < FEWEST or not len(rest):
            continue
        # An increasing map, such as recalibration by an intercept, does not change the sets.
        inside = ConformalSets().fit(y[taken], score[taken]).predict(score[rest], COVERAGE)
        own = inside[np.arange(len(rest)), y[rest]]
        found.append((own[y[rest] == 0].mean(), own[y[rest] == 1].mean(), inside.all(1).mean()))
    if found:
        means, spread = np.mean(found, axis=0), np.std(found, axis=0)
        print(f"  after {options.lesions} lesions, {len(found)} draws: benign {means[0]:.3f} "
              f"(SD {spread[0]:.3f}), malignant {means[1]:.3f} ({spread[1]:.3f}); "
              f"both {means[2]:.2f}")  # fmt: skip


def print_prevalence(y: np.ndarray, score: np.ndarray, model: HybridLesionClassifier) -> None:
    """Calibration error with a prevalence estimated without labels, and with the true one."""
    trained = model.target_.mean()
    maximum_likelihood = trained
    for _ in range(500):  # Saerens, Latinne, Decaestecker 2002
        moved = shift_prevalence(score, trained, np.clip(maximum_likelihood, 1e-6, 1 - 1e-6))
        maximum_likelihood = moved.mean()
    cut, home = model.threshold_, model.oof_score_
    hits, alarms = (np.mean(home[model.target_ == own] >= cut) for own in (True, False))
    black_box = np.clip((np.mean(score >= cut) - alarms) / (hits - alarms), 1e-3, 1 - 1e-3)
    print(f"  prevalence {y.mean():.3f}, calibration error {calibration_error(y, score):.3f}")
    estimates = {"likelihood": maximum_likelihood, "black box": black_box, "true": y.mean()}
    for name, share in estimates.items():
        error = calibration_error(y, shift_prevalence(score, trained, float(share)))
        print(f"    {name}: prevalence {share:.3f}, calibration error {error:.3f}")


def print_alarms(
    model: HybridLesionClassifier, table: pd.DataFrame, options: argparse.Namespace
) -> None:
    """Share of drawn batches with an alarm, and the checks that raise it."""
    compared = {*model.training_summary_, "applicability", "patient_id", "lesion_id"}
    groups = grouping(table).to_numpy()
    table = table[[name for name in table if name in compared]]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "batch.parquet"
        for size in [size for size in BATCHES if size <= groups.max() + 1]:
            alarms, checks = 0, pd.Series(dtype=float)
            for seed in range(options.batches):
                taken = np.random.default_rng(seed).choice(groups.max() + 1, size, replace=False)
                table[np.isin(groups, taken)].to_parquet(path)
                result = detect_drift(model, [path])
                alarms += result.alarm
                raised = result.checks.query("alarm")["check"].value_counts()
                checks = checks.add(raised, fill_value=0)
            often = (checks / options.batches).sort_values(ascending=False).head(5)
            named = ", ".join(f"{name} {value:.2f}" for name, value in often.items())
            share = alarms / options.batches
            print(f"  batches of {size} lesions: alarm in {share:.1%}; {named}", flush=True)


if __name__ == "__main__":
    main()
