"""In which form a frozen embedding pays: a probe's score, raw columns, components, a distance.

    python benchmarks/embedding_forms.py DATA --weights WEIGHTS [--cache embeddings.npz]

MobileNetV2 embeddings of the lesion crop, beside age, sex and site, on ISIC 2017, HAM10000 and
ISIC 2020 each for itself. Five grouped folds; probe, components and classifier are fitted inside
each. Every form goes to the same `HybridLesionClassifier`. Its ``emb__`` columns become the
probe's score, so raw columns and components get the prefix ``abcd__`` here: such columns reach
LightGBM (and the linear part) as they are. The distance is `ctx__embedding_distance`: how far an
image lies from the median of its patient, which takes no label and no other patient.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
from accuracy import LOADERS, undo_squash
from sklearn.decomposition import PCA

from hybridlesion import HybridLesionClassifier
from hybridlesion._optional_imports import cv2
from hybridlesion.cnn import TimmEmbedder
from hybridlesion.exceptions import HybridLesionError
from hybridlesion.featurizer import Failure, encode_metadata, read_segmented
from hybridlesion.metrics import bootstrap_interval, paired_bootstrap
from hybridlesion.model_selection import grouped_folds, grouping

FORMS = {
    "no embedding": (),
    "probe": ("probe",),
    "raw": ("raw",),
    "8 components": ("pca8",),
    "32 components": ("pca32",),
    "distance": ("distance",),
    "probe and distance": ("probe", "distance"),
}
CHUNK = 64  # images in memory at once
FEWEST = 5  # images of a patient from which on a distance says something


def main() -> None:
    """Print the table of one data set after the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--weights", type=Path, required=True, help="MobileNetV2 weight file")
    parser.add_argument("--cache", type=Path, help="npz file that keeps the embeddings")
    parser.add_argument("--sets", nargs="+", default=[*LOADERS], choices=[*LOADERS])
    parser.add_argument("--inner", type=int, default=5, help="folds inside the classifier")
    parser.add_argument("--seed", type=int, default=0, help="of the folds and of what is fitted")
    options = parser.parse_args()
    cv2.setNumThreads(1)

    print("| data | malignant | form | AUC | minus probe | fit, CPU s |")
    print("|---|---|---|---|---|---|")
    for name in options.sets:
        records = LOADERS[name](options.data / name)
        records = records[records["path"].notna() & records["target"].notna()]
        records = records.reset_index(drop=True)
        embedding = load_embedding(name, records, options)
        compare(name, records, embedding, options)


def load_embedding(name: str, records: pd.DataFrame, options: argparse.Namespace) -> np.ndarray:
    """Return one row an image, from the cache where it has the set."""
    cached = {}
    if options.cache is not None and options.cache.exists():
        with np.load(options.cache) as file:
            cached = dict(file)
    if name in cached:
        rows = pd.Index(cached[f"{name}_id"]).get_indexer(records["image_id"])
        if (rows < 0).any():
            raise SystemExit(f"{options.cache} lacks images of {name}; remove it to embed anew.")
        return cached[name][rows]
    embedding = embed(undo_squash(name, records), options.weights)
    if options.cache is not None:
        cached |= {name: embedding, f"{name}_id": records["image_id"].to_numpy(dtype=str)}
        np.savez(options.cache, **cached)
    return embedding


def embed(records: pd.DataFrame, weights: Path) -> np.ndarray:
    """Segment and embed images as `LesionFeaturizer` does by default."""
    network = TimmEmbedder("mobilenetv2_100", weights=weights).fit()
    pairs = list(zip(records["image_id"], records["path"], strict=True))
    parts = []
    for start in range(0, len(pairs), CHUNK):
        images, masks = [], []
        rows = pairs[start : start + CHUNK]
        for _, found in read_segmented(rows, long_side=512, segmenter="classical"):
            if isinstance(found, Failure):
                raise HybridLesionError(f"{found.path}: {found.reason}")
            images.append(found[0])
            masks.append(found[1].mask)
        parts.append(network.transform(images, masks))
    return np.concatenate(parts)


def compare(
    name: str, records: pd.DataFrame, embedding: np.ndarray, options: argparse.Namespace
) -> None:
    """Score every form on the same folds and print a line for each."""
    y = records["target"].to_numpy(dtype=int)
    groups = grouping(records).to_numpy()
    has_patients = "patient_id" in records and records["patient_id"].notna().any()
    scores, seconds = {}, {}
    for form, kinds in FORMS.items():
        if "distance" not in kinds or has_patients:
            scores[form], seconds[form] = cross_validate(kinds, records, embedding, options)
    for form, score in scores.items():
        auc = bootstrap_interval(y, score, groups=groups)
        against = paired_bootstrap(y, scores["probe"], score, groups=groups)
        difference = f"{against.difference:+.3f} ({against.low:+.3f} to {against.high:+.3f})"
        print(
            f"| {name} | {y.sum()} of {len(y)} | {form} "
            f"| {auc.value:.3f} ({auc.low:.3f}-{auc.high:.3f}) "
            f"| {'' if form == 'probe' else difference} | {seconds[form]:.1f} |",
            flush=True,
        )


def cross_validate(
    kinds: tuple[str, ...],
    records: pd.DataFrame,
    embedding: np.ndarray,
    options: argparse.Namespace,
) -> tuple[np.ndarray, float]:
    """Out-of-fold scores of one form, and the median CPU time of a fit."""
    y, seed = records["target"].to_numpy(dtype=int), options.seed
    groups = grouping(records).to_numpy()
    folds = grouped_folds(y, groups, n_splits=5, random_state=seed)
    metadata = encode_metadata(records)
    score, seconds = np.empty(len(y)), []
    for fold in range(5):
        held, rest = folds == fold, folds != fold
        start = time.process_time()
        parts = [shape(kind, records, embedding, rest, seed) for kind in kinds]
        table = pd.concat([metadata, *parts], axis=1)
        model = HybridLesionClassifier(n_splits=options.inner, random_state=seed)
        model.fit(table[rest], y[rest], groups[rest])
        seconds.append(time.process_time() - start)
        score[held] = model.predict_proba(table[held])[:, 1]
    return score, float(np.median(seconds))


def shape(
    kind: str, records: pd.DataFrame, embedding: np.ndarray, rest: np.ndarray, seed: int
) -> pd.DataFrame:
    """Columns of one form for all rows; what is fitted sees the rows of `rest` alone."""
    if kind == "probe":
        return name_columns("emb__", embedding)
    if kind == "raw":
        return name_columns("abcd__raw_", embedding)
    if kind == "distance":
        distance = patient_distance(embedding, records["patient_id"])
        return pd.DataFrame({"ctx__embedding_distance": distance})
    components = PCA(int(kind.removeprefix("pca")), random_state=seed).fit(embedding[rest])
    return name_columns("abcd__component_", components.transform(embedding))


def name_columns(prefix: str, values: np.ndarray) -> pd.DataFrame:
    """Number the columns of a matrix behind a prefix."""
    return pd.DataFrame(values, columns=[f"{prefix}{k:04d}" for k in range(values.shape[1])])


def patient_distance(embedding: np.ndarray, patients: pd.Series) -> np.ndarray:
    """Distance to the median embedding of the same patient, in robust standard deviations.

    The distances of each patient are centred on their median and divided by 1.4826 times their
    median absolute deviation; patients with few images get NaN.
    """
    distance = np.full(len(embedding), np.nan)
    for rows in patients.groupby(patients).indices.values():
        if len(rows) < FEWEST:
            continue
        own = embedding[rows]
        away = np.linalg.norm(own - np.median(own, axis=0), axis=1)
        away -= np.median(away)
        distance[rows] = away / (1.4826 * np.median(np.abs(away)))
    return distance


if __name__ == "__main__":
    main()
