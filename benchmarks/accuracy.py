"""Melanoma AUC and average precision of each feature family alone and together.

Grouped folds on local copies of ISIC 2017, HAM10000 and ISIC 2020, apart and pooled:

    python benchmarks/accuracy.py --data ../shared/data --weights model.safetensors
    python benchmarks/accuracy.py --data ../shared/data --cnn FOLDER

The first measures a frozen embedding, the second the score of fine-tuned networks, which is out of
fold for every image that they learned from. Feature tables are kept in `.cache/benchmarks`, so a
second run only fits.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from hybridlesion import HybridLesionClassifier, LesionFeaturizer, datasets, extract_features
from hybridlesion._optional_imports import cv2
from hybridlesion.batch import read_features
from hybridlesion.io import read_image, write_image
from hybridlesion.metrics import evaluate
from hybridlesion.model_selection import grouped_folds, grouping

CACHE = Path(".cache/benchmarks")
FAMILIES = {
    "metadata": ("meta__",),
    "ABCD": ("abcd__",),
    "embedding": ("emb__",),
    "CNN": ("cnn__",),
    "ABCD + metadata": ("abcd__", "meta__"),
    "CNN + metadata": ("cnn__", "meta__"),
    "ABCD + CNN": ("abcd__", "cnn__"),
    "all": ("abcd__", "emb__", "cnn__", "meta__"),
}
LOADERS = {
    "isic2017": datasets.load_isic2017,
    "ham10000": datasets.load_ham10000,
    "isic2020": datasets.load_isic2020,
}


def main() -> None:
    """Extract, cross-validate and print one table per data set."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    network = parser.add_mutually_exclusive_group(required=True)
    network.add_argument("--weights", type=Path, help="MobileNetV2 weight file")
    network.add_argument("--cnn", type=Path, help="folder of hybridlesion finetune")
    parser.add_argument("--sets", nargs="+", default=[*LOADERS], choices=[*LOADERS])
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=1, help="how often the folds are redrawn")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()

    tables = {name: load_features(name, options) for name in options.sets}
    rows = []
    for name, table in tables.items():
        rows += cross_validate(name, table, options)
    if len(tables) > 1:
        pooled = pd.concat(
            [table.assign(dataset=name) for name, table in tables.items()], ignore_index=True
        )
        rows += cross_validate("pooled", pooled, options)
    print()
    print(pd.DataFrame(rows).to_string(index=False))


def load_features(name: str, options: argparse.Namespace) -> pd.DataFrame:
    """Return the feature table of one data set, extracted on the first call."""
    out = CACHE / f"{name}{'-cnn' if options.cnn else ''}.parquet"
    if not out.exists():
        records = undo_squash(name, LOADERS[name](options.data / name))
        if options.cnn:
            featurizer = LesionFeaturizer("finetuned", weights=str(options.cnn))
        else:
            featurizer = LesionFeaturizer("mobilenetv2_100", weights=str(options.weights))
        result = extract_features(
            records,
            out,
            featurizer=featurizer,
            n_jobs=options.jobs,
            progress=lambda done, failed, total: print(
                f"\r{name}: {done} of {total}, {failed} failed", end="", flush=True
            ),
        )
        print(f"\n{name}: {result.n_rows / result.seconds:.1f} images/s")
    return read_features(out)[0]


def undo_squash(name: str, records: pd.DataFrame) -> pd.DataFrame:
    """Give square copies their true aspect back, where the loader knows it.

    The original size serves geometry only; it is an acquisition fact and never a feature.
    """
    records = records[records["path"].notna() & records["target"].notna()].reset_index(drop=True)
    if "orig_width" not in records:
        return records
    folder = CACHE / "images" / name
    paths = []
    for path, width, height in zip(
        records["path"], records["orig_width"], records["orig_height"], strict=True
    ):
        copy = folder / f"{Path(path).stem}.png"
        if not copy.exists():
            image = read_image(path)
            short = min(image.shape[:2])
            scale = short / min(width, height)
            size = (round(width * scale), round(height * scale))
            write_image(copy, cv2.resize(image, size, interpolation=cv2.INTER_CUBIC))
        paths.append(str(copy))
    return records.assign(path=paths)


def cross_validate(name: str, table: pd.DataFrame, options: argparse.Namespace) -> list[dict]:
    """Score every family on grouped folds; nothing is fitted outside its fold."""
    y = table["target"].to_numpy(dtype=int)
    groups = grouping(table).to_numpy()
    rows = []
    for family, prefixes in FAMILIES.items():
        columns = [column for column in table if column.startswith(prefixes)]
        found = [prefix for prefix in prefixes if any(c.startswith(prefix) for c in columns)]
        if family != "all" and len(found) < len(prefixes):
            continue  # the columns of a network that was not asked for
        if table[columns].isna().all(axis=None):
            continue
        score = np.zeros(len(table))
        for seed in range(options.seeds):
            folds = grouped_folds(y, groups, n_splits=options.folds, random_state=seed)
            for fold in range(options.folds):
                held, rest = folds == fold, folds != fold
                model = HybridLesionClassifier(random_state=seed, n_jobs=options.jobs)
                model.fit(table.loc[rest, columns], y[rest], groups=groups[rest])
                score[held] += model.predict_proba(table.loc[held, columns])[:, 1] / options.seeds
        rows.append(summarise(name, family, table, y, score, groups))
        print(rows[-1], flush=True)
    return rows


def summarise(name, family, table, y, score, groups) -> dict:
    """Take the measures with their patient-bootstrap intervals."""
    measured = evaluate(y, score, groups=groups).set_index("metric")
    row = {"data": name, "family": family, "n": len(y), "malignant": int(y.sum())}
    for metric in ("auc", "average_precision", "pauc"):
        value, low, high = measured.loc[metric, ["value", "low", "high"]]
        row[metric] = f"{value:.3f} ({low:.3f}-{high:.3f})"
    if "dataset" in table:
        # Prevalence differs between the sets, so a pooled AUC also rewards telling them apart.
        from sklearn.metrics import roc_auc_score

        parts = [table["dataset"] == part for part in table["dataset"].unique()]
        within = [roc_auc_score(y[part], score[part]) for part in parts]
        row["auc within sets"] = " / ".join(f"{value:.3f}" for value in within)
    return row


if __name__ == "__main__":
    main()
