"""HybridLesionClassifier against general classifiers, on one feature table and the same folds.

    hybridlesion features IMAGES --metadata TABLE --out SITE.parquet     # for each site
    python benchmarks/peer_classifiers.py SITE.parquet [FAR.parquet ...] --peers sklearn
    python benchmarks/peer_classifiers.py SITE.parquet [FAR.parquet ...] --peers sklearn autogluon

The peers are scikit-learn's HistGradientBoostingClassifier inside CalibratedClassifierCV, and
AutoGluon's TabularPredictor (``pip install "autogluon.tabular[lightgbm,catboost,xgboost]"``), with
default settings. All sides get the same columns and are fitted anew within each fold of lesions of
the first table; models of all its rows score the further tables. Melanoma is the target. Each
side runs in a process of its own, whose peak memory is printed.
"""

from __future__ import annotations

import argparse
import importlib.util
import multiprocessing
import resource
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import transport
from sklearn.metrics import log_loss

from hybridlesion.metrics import evaluate, paired_bootstrap
from hybridlesion.model import HybridLesionClassifier
from hybridlesion.model_selection import grouped_folds, grouping

COMPARED = ("auc", "pauc", "average_precision", "brier")


def main() -> None:
    """Fit all sides, and print their figures and differences."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="+", type=Path)
    parser.add_argument("--peers", nargs="+", choices=[*PEERS], default=["sklearn"])
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=60, help="time limit of AutoGluon, a fit")
    parser.add_argument("--preset", default="medium_quality", help="preset of AutoGluon")
    options = parser.parse_args()
    if "autogluon" in options.peers:
        require("autogluon.tabular", "autogluon.tabular[lightgbm,catboost,xgboost]")
    tables = {path.stem: read(path) for path in options.tables}
    home = next(iter(tables.values()))[0]
    columns = [name for name in home if name.startswith(transport.FAMILIES)]
    sides = {name: PEERS[name] for name in options.peers} | {"hybridlesion": hybrid}
    if "autogluon" in sides:
        limits = {"seconds": options.seconds, "preset": options.preset}
        sides["autogluon"] = partial(autogluon, **limits)
    scores = {}
    for name, fit in sides.items():
        scores[name], cost = apart(score_tables, fit, tables, columns, options.folds)
        print(f"{name}: {len(columns)} columns, {cost}", flush=True)
    for place, (_, y, groups) in tables.items():
        print_sides(place, y, groups, {name: found[place] for name, found in scores.items()})


def require(module: str, package: str) -> None:
    """Exit with a plain message if the peer is not installed."""
    try:
        found = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        found = None
    if found is None:
        sys.exit(f'{module} is not installed; nothing was compared. pip install "{package}"')


def read(path: Path) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Read a feature table, its targets and its groups."""
    table = transport.load(path)
    return table, transport.melanoma(table), grouping(table).to_numpy()


def apart(work, *arguments):
    """Run work in a process of its own; return its answer and what it cost."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        return pool.submit(_costed, work, *arguments).result()


def _costed(work, *arguments):
    wall, cpu = time.perf_counter(), time.process_time()
    answer = work(*arguments)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return answer, f"{wall:.0f} s ({cpu:.0f} s of processors), at most {peak:.0f} MB"


def score_tables(fit, tables: dict, columns: list[str], n_splits: int = 5) -> dict[str, np.ndarray]:
    """Score the first table out of fold, and the others by a model of the whole first."""
    (home, (table, y, groups)), *others = tables.items()
    folds, score = grouped_folds(y, groups, n_splits=n_splits), np.empty(len(y))
    for fold in range(n_splits):
        train = folds != fold
        model = fit(table[columns][train], y[train], table[train])
        score[~train] = model(table[~train])
    found = {home: score}
    if others:
        model = fit(table[columns], y, table)
        found |= {name: model(other.reindex(columns=table.columns)) for name, (other, *_) in others}
    return found


def hybrid(X: pd.DataFrame, y: np.ndarray, rows: pd.DataFrame):
    """Fit HybridLesionClassifier. It may also look at the patient's other lesions."""
    ids = rows.columns.intersection(["patient_id"])
    model = HybridLesionClassifier(n_jobs=2)
    model.fit(X.join(rows[ids]), y, groups=grouping(rows).to_numpy())
    return lambda new: model.predict_proba(new[[*X, *ids]])[:, 1]


def sklearn(X: pd.DataFrame, y: np.ndarray, rows: pd.DataFrame):
    """Fit scikit-learn's boosted trees, calibrated, with default settings."""
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.ensemble import HistGradientBoostingClassifier

    X = X.dropna(axis=1, how="all")  # the trees refuse a column without values
    model = CalibratedClassifierCV(HistGradientBoostingClassifier(random_state=0)).fit(X, y)
    return lambda new: model.predict_proba(new[[*X]])[:, 1]


def autogluon(X: pd.DataFrame, y: np.ndarray, rows: pd.DataFrame, *, seconds: int, preset: str):
    """Fit AutoGluon's TabularPredictor."""
    from autogluon.tabular import TabularPredictor

    folder = tempfile.mkdtemp(prefix="autogluon-")
    model = TabularPredictor("target", eval_metric="log_loss", path=folder, verbosity=0)
    model.fit(X.assign(target=y), presets=preset, time_limit=seconds)
    print(model.leaderboard(display=False)[["model", "score_val"]].head(3).to_string(), flush=True)
    return lambda new: model.predict_proba(new[[*X]])[1].to_numpy()


PEERS = {"sklearn": sklearn, "autogluon": autogluon}


def print_sides(place: str, y: np.ndarray, groups: np.ndarray, scores: dict) -> None:
    """Print the figures of all sides, and the last minus each other with its interval."""
    print(f"\n{place}: {len(y)} lesions, {y.sum()} malignant")
    print("| | " + " | ".join((*COMPARED, "log loss", "calibration slope", "error")) + " |")
    print("|---" * (len(COMPARED) + 4) + "|")
    for name, score in scores.items():
        found = evaluate(y, score, groups=groups).set_index("metric")
        cells = [
            f"{found.loc[m, 'value']:.3f} ({found.loc[m, 'low']:.3f}-{found.loc[m, 'high']:.3f})"
            for m in COMPARED
        ]
        cells.append(f"{log_loss(y, np.clip(score, 1e-6, 1 - 1e-6)):.4f}")
        cells += [f"{found.loc[f'calibration_{m}', 'value']:.3f}" for m in ("slope", "error")]
        print(f"| {name} | " + " | ".join(cells) + " |")
    *peers, last = scores
    for peer in peers:
        gaps = [paired_bootstrap(y, scores[peer], scores[last], m, groups=groups) for m in COMPARED]
        cells = [f"{gap.difference:+.3f} ({gap.low:+.3f} to {gap.high:+.3f})" for gap in gaps]
        print(f"| {last} minus {peer} | " + " | ".join(cells) + " | | | |", flush=True)


if __name__ == "__main__":
    main()
