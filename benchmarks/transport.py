"""How models fitted at one site rank lesions of the others, minus the CNN that ships.

    hybridlesion features SOURCE --metadata TABLE --out SITE.parquet    # for each site
    python benchmarks/transport.py SITE.parquet SITE.parquet... --train 2

Models of melanoma are fitted on each of the first tables, with the fallback to the network and
without it, and score all others. At home the scores are out of fold. Differences from the column
``cnn__melanoma`` are paired over lesions. Images that the network learned from, and for which it
has no other score, are left out.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from hybridlesion import HybridLesionClassifier
from hybridlesion.batch import read_features
from hybridlesion.metrics import paired_bootstrap, roc_auc
from hybridlesion.model_selection import grouping

FAMILIES = ("abcd__", "cnn__", "meta__")


def main() -> None:
    """Fit on the first tables, score all, and print a row for each pair."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="+", type=Path, help="feature tables, one for each site")
    parser.add_argument("--train", type=int, default=2, help="tables to fit on")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    sites = {path.stem: load(path) for path in options.tables}
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
                print(rows[-1], flush=True)
    print(pd.DataFrame(rows).to_string(index=False))


def load(path: Path) -> pd.DataFrame:
    """Read a feature table, without images whose score would be optimistic."""
    table = read_features(path)[0]
    seen = table.get("qa__cnn_seen", pd.Series(0, index=table.index))
    known = (seen != 2) & table["cnn__melanoma"].notna() & table["diagnosis"].notna()
    return table[known].reset_index(drop=True)


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


if __name__ == "__main__":
    main()
