"""What each family of features is worth, alone and beside the others.

    python pipelines/ablation.py features.parquet [metadata.csv ...] --out ablation/ [--seeds 1]

Every combination of metadata, ABCD features, CNN and patient context that the tables allow is
fitted in the same patient-grouped folds. Printed and written are AUC, average precision and partial
AUC with patient intervals, and for each family what it adds to all others, paired by patient, in
words.
"""

from __future__ import annotations

import argparse
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from hybridlesion import HybridLesionClassifier, read_records
from hybridlesion.leakage import blank_in_sample_scores
from hybridlesion.metrics import evaluate, paired_bootstrap
from hybridlesion.model_selection import GROUP_COLUMNS, grouping

FAMILIES = {"metadata": ("meta__",), "ABCD": ("abcd__",), "CNN": ("cnn__", "emb__")}
CONTEXT = "context"
MEASURES = ("auc", "average_precision", "pauc")


def main(options: argparse.Namespace) -> pd.DataFrame:
    """Run the recipe and return one row for each combination.

    Parameters
    ----------
    options : Namespace
        ``tables``, ``seeds``, ``out`` and ``jobs``.

    Returns
    -------
    DataFrame
        Columns families, n_columns, then value, low and high of each measure.
    """
    options.out.mkdir(parents=True, exist_ok=True)
    table = blank_in_sample_scores(read_records(options.tables).frame)
    table = table[table["target"].notna()].reset_index(drop=True)
    y, groups = table["target"].to_numpy(int), grouping(table).to_numpy()
    scores, rows = {}, []
    for names in combine(table):
        model = fit(table, y, groups, names, options)
        if CONTEXT in names and len(model.feature_names_) == len(model.feature_names_in_):
            continue  # hardly a lesion comes with others of its patient
        scores[names] = model.oof_score_
        rows.append(describe(names, model, y, groups))
        print(f"{rows[-1]['families']:34s} AUC {rows[-1]['auc']:.3f}", flush=True)
    result = pd.DataFrame(rows)
    result.to_csv(options.out / "ablation.csv", index=False)
    words = conclude(scores, y, groups)
    (options.out / "ablation.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    print("\n".join(words))
    return result


def combine(table: pd.DataFrame) -> list[tuple[str, ...]]:
    """List the combinations of families that the table has any value of.

    Parameters
    ----------
    table : DataFrame of shape (n, columns)
        Feature table.

    Returns
    -------
    list of tuple of str
        Smallest first; context only beside a family that it compares.
    """
    known = [
        name for name in FAMILIES if not table[columns_of(table, (name,))].isna().all(axis=None)
    ]
    found = []
    for size in range(1, len(known) + 1):
        for names in combinations(known, size):
            found.append(names)
            if names != ("metadata",) and "patient_id" in table:
                found.append((*names, CONTEXT))
    return found


def columns_of(table: pd.DataFrame, names: tuple[str, ...]) -> list[str]:
    """Columns of some families.

    Parameters
    ----------
    table : DataFrame of shape (n, columns)
        Feature table.
    names : tuple of str
        Keys of `FAMILIES`; others are passed over.

    Returns
    -------
    list of str
        Column names.
    """
    prefixes = tuple(prefix for name in names for prefix in FAMILIES.get(name, ()))
    return [column for column in table if prefixes and column.startswith(prefixes)]


def fit(table, y, groups, names, options) -> HybridLesionClassifier:
    """Fit one combination on all rows; its scores are out of fold."""
    known = [column for column in GROUP_COLUMNS if column in table]
    model = HybridLesionClassifier(
        n_seeds=options.seeds,
        n_jobs=options.jobs,
        context="auto" if CONTEXT in names else "none",
    )
    return model.fit(table[known + columns_of(table, names)], y, groups=groups)


def describe(names, model, y, groups) -> dict:
    """Make the row of one combination."""
    row = {"families": " + ".join(names), "n_columns": len(model.feature_names_)}
    found = evaluate(y, model.oof_score_, groups=groups).set_index("metric")
    for measure in MEASURES:
        value, low, high = found.loc[measure, ["value", "low", "high"]]
        row |= {measure: value, f"{measure}_low": low, f"{measure}_high": high}
    return row


def conclude(scores: dict[tuple[str, ...], np.ndarray], y, groups) -> list[str]:
    """Say in words what each family adds to all the others."""
    whole = max(scores, key=len)
    words = []
    for name in whole:
        rest = tuple(other for other in whole if other != name)
        if rest not in scores:
            continue
        found = paired_bootstrap(y, scores[rest], scores[whole], "auc", groups=groups)
        verdict = "is not shown to matter"
        if found.low > 0 or found.high < 0:
            verdict = "adds" if found.low > 0 else "harms"
        words.append(
            f"{name} {verdict}: AUC {found.difference:+.3f} ({found.low:+.3f} to "
            f"{found.high:+.3f}) beside {' and '.join(rest)}."
        )
    return words


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line.

    Parameters
    ----------
    arguments : list of str or None, default=None
        Words of the command line; None takes the process's own.

    Returns
    -------
    Namespace
        The options.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="+", help="feature and metadata tables")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=-1)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main(parse())
