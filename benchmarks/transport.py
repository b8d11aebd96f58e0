"""How models fitted at one site rank lesions of the others, minus the CNN that ships.

    hybridlesion features SOURCE --metadata TABLE --out SITE.parquet    # for each site
    python benchmarks/transport.py SITE.parquet SITE.parquet... --train 2 [--lesions 100]
    python benchmarks/transport.py SITE.parquet SITE.parquet... --train 4 --leave-out

Models of melanoma are fitted on each of the first tables, with the fallback to the network and
without it, and score all others. At home the scores are out of fold. Differences from the column
``cnn__melanoma`` are paired over lesions. With ``--lesions``, sensitivity at the threshold for 90 %
and calibration error follow, before and after recalibration of the default model on lesions drawn
at random from the scored table, as in ``recalibration.py``: at most half of the table, and where a
draw would have fewer than 12 melanomas, 12 of them. Images that the network learned from, and for
which it has no other score, are left out. With ``--leave-out``, the first tables are pooled, and
each is left out of a model of the others, as by ``fit --source``; a model of all scores the other
tables. In a table without diagnoses, malignant lesions count as melanomas.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from recalibration import SENSITIVITY, measure

from hybridlesion import HybridLesionClassifier
from hybridlesion.batch import read_features
from hybridlesion.metrics import (
    describe_sources,
    evaluate,
    evaluate_subgroups,
    paired_bootstrap,
    roc_auc,
)
from hybridlesion.model_selection import grouping
from hybridlesion.training import leave_one_source_out

FAMILIES = ("abcd__", "cnn__", "meta__")
RARE = 12  # melanomas drawn for recalibration where they are rare


def main() -> None:
    """Fit on the first tables, score all, and print a row for each pair."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="+", type=Path, help="feature tables, one for each site")
    parser.add_argument("--train", type=int, default=2, help="tables to fit on")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--leave-out", action="store_true", help="leave each out of a pooled fit")
    parser.add_argument("--most", type=int, default=100_000, help="images of a site, at random")
    parser.add_argument("--lesions", type=int, default=0, help="lesions to recalibrate on")
    parser.add_argument("--draws", type=int, default=20, help="draws of these lesions")
    parser.add_argument("--out", type=Path, help="also write the rows of the pairs to this CSV")
    options = parser.parse_args()
    sites = {path.stem: load(path) for path in options.tables}
    if options.leave_out:
        leave_out(sites, options)
        return
    sites = {name: take(site, options.most) for name, site in sites.items()}
    rows = []
    for home in list(sites)[: options.train]:
        table = sites[home]
        columns = [name for name in table if name.startswith(FAMILIES)]
        y, groups = melanoma(table), grouping(table).to_numpy()
        for fallback in (False, True):
            model = HybridLesionClassifier(fallback=fallback, n_jobs=options.jobs)
            model.fit(table[columns], y, groups=groups)
            for name, other in sites.items():
                given = other.reindex(columns=[*{*other.columns, *columns}])
                score = model.oof_score_ if name == home else model.predict_proba(given)[:, 1]
                shown = {"fitted on": home, "scored": name, "fallback": fallback}
                rows.append(shown | compare(other, score))
                if options.lesions and fallback and name != home:
                    cut = model.thresholds_[SENSITIVITY]
                    rows[-1] |= recalibrate_on_draws(other, score, cut, options)
                print(rows[-1], flush=True)
    table = pd.DataFrame(rows)
    print(table.to_string(index=False, na_rep=""))
    if options.out:
        table.to_csv(options.out, index=False)


def leave_out(sites: dict[str, pd.DataFrame], options: argparse.Namespace) -> None:
    """Leave each of the first tables out, and score the others by a model of all of them."""
    names = list(sites)
    pooled = [sites[name].assign(source=name) for name in names[: options.train]]
    home = pd.concat([take(site, options.most) for site in pooled])
    home = home.reset_index(drop=True)
    columns = [name for name in home if name.startswith(FAMILIES)]
    y, groups = melanoma(home), grouping(home).to_numpy()
    model = HybridLesionClassifier(n_jobs=options.jobs)
    model.fit(home[columns], y, groups=groups)
    print(f"fitted on {len(home)} images", flush=True)
    found = leave_one_source_out(model, home[columns], y, groups, home["source"])
    far = []
    for name in names[options.train :]:
        given = sites[name].reindex(columns=[*{*sites[name].columns, *columns}])
        y, score = melanoma(given), model.predict_proba(given)[:, 1]
        options_of = {"threshold": model.threshold_, "groups": grouping(given).to_numpy()}
        row = evaluate_subgroups(y, score, pd.DataFrame(index=given.index), **options_of)
        far.append(row.assign(source=name, **compare(given, score)))
    with pd.option_context("display.width", 200, "display.max_columns", 50):
        print(found.table.T.to_string())
        for table in (found.summary, found.gains, *far):
            print(table.round(3).T.to_string() if len(table) == 1 else table.round(3).to_string())
    print("\n".join([*describe_sources(found.summary), *found.notes]))


def load(path: Path) -> pd.DataFrame:
    """Read a feature table, without images whose score would be optimistic."""
    table = read_features(path)[0]
    if "diagnosis" not in table:
        print(f"{path.stem} has no diagnoses: its malignant lesions count as melanomas")
        table["diagnosis"] = table["target"].map({1: "melanoma"})
    seen = table.get("qa__cnn_seen", pd.Series(0, index=table.index))
    told = table["diagnosis"].notna() | (table["target"] == 0)
    known = (seen != 2) & table["cnn__melanoma"].notna() & told
    return table[known].reset_index(drop=True)


def take(table: pd.DataFrame, most: int) -> pd.DataFrame:
    """Draw at most this many images of a site."""
    return table.sample(min(len(table), most), random_state=0).reset_index(drop=True)


def melanoma(table: pd.DataFrame) -> np.ndarray:
    """Whether each lesion is a melanoma."""
    return table["diagnosis"].astype(str).str.contains("melanoma").astype(int).to_numpy()


def compare(table: pd.DataFrame, score: np.ndarray) -> dict[str, object]:
    """AUC of a score, and its difference from the network's, paired over lesions."""
    y, network = melanoma(table), table["cnn__melanoma"].to_numpy(float)
    gap = paired_bootstrap(y, network, score, "auc", groups=grouping(table).to_numpy())
    return {
        "lesions": len(y),
        "melanomas": int(y.sum()),
        "network": f"{roc_auc(y, network):.3f}",
        "model": f"{roc_auc(y, score):.3f}",
        "difference": f"{gap.difference:+.3f} ({gap.low:+.3f} to {gap.high:+.3f})",
    }


def recalibrate_on_draws(
    table: pd.DataFrame, score: np.ndarray, threshold: float, options: argparse.Namespace
) -> dict[str, object]:
    """Sensitivity and calibration error, on all lesions and before and after recalibration."""
    y, groups = melanoma(table) == 1, grouping(table).to_numpy()
    figures = evaluate(y, score, groups=groups, threshold=threshold).set_index("metric")
    found: dict[str, object] = {}
    for name in ("recall", "specificity", "calibration_error"):
        value, low, high = figures.loc[name]
        found[name] = f"{value:.2f} ({low:.2f} to {high:.2f})"
    lesions = min(options.lesions, len(y) // 2)
    malignant = min(RARE, y.sum() // 2) if lesions * y.mean() < RARE else None
    drawn = argparse.Namespace(lesions=lesions, malignant=malignant, draws=options.draws)
    draws = measure(y, score, threshold, drawn)
    for after, error in {"before": "before", "recalibrated": "chosen map"}.items():
        for figure, name in {"sensitivity": after, "specificity": after, "error": error}.items():
            values = draws[f"{figure}, {name}"]
            found[f"{figure} {after}"] = f"{values.mean():.3f} ({values.std():.3f})"
    return found | {"malignant drawn": round(draws["malignant"].mean())}


if __name__ == "__main__":
    main()
