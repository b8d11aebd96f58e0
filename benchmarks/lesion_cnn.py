"""How well networks rank lesions of sites left out of their training, side by side.

    python benchmarks/lesion_cnn.py --data DATA [--networks NETWORK...] [--sets derm7pt ph2]

NETWORK is what `hybridlesion finetune` wrote, a folder or its `whole.zip`; without one, the network
that ships. Photographs are segmented as `features` does. AUC of melanoma, of any malignancy
(melanoma, basal cell and squamous cell carcinoma; actinic keratosis is left out) and of basal cell
carcinoma against benign lesions, the mean recall of the diagnoses at equal class frequencies, and
each AUC minus that of the first network, paired over lesions. Images that a network learned from
are judged by its out-of-fold scores, or not at all. One thread.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd

from hybridlesion import datasets, segment
from hybridlesion.cnn import CLASS_SHARES, CLASSES, CNNScorer, allowed_classes, truths
from hybridlesion.io import read_image, resize_long_side
from hybridlesion.metrics import evaluate, paired_bootstrap
from hybridlesion.model_selection import grouping

LOADERS = {
    "derm7pt": datasets.load_derm7pt,
    "ph2": datasets.load_ph2,
    "isic2017": datasets.load_isic2017,
    "ham10000": datasets.load_ham10000,
    "isic2020": datasets.load_isic2020,
}


def main() -> None:
    """Score every set by every network and print one line each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=[None], help="default: what ships")
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--sets", nargs="+", default=["derm7pt", "ph2"], choices=LOADERS)
    parser.add_argument("--limit", type=int, help="images of each set at most")
    options = parser.parse_args()
    for name in options.sets:
        records = LOADERS[name](options.data / name)
        if options.limit:
            records = records.sample(min(options.limit, len(records)), random_state=0)
        compare(name, records.reset_index(drop=True), options.networks)


def compare(name: str, records: pd.DataFrame, networks: list[str | None]) -> None:
    """Print the figures of each network on one set, and the differences from the first."""
    photographs = [
        resize_long_side(read_image(path, long_side=512), 512) for path in records["path"]
    ]
    masks = [segment(photograph) for photograph in photographs]
    target = records["target"].fillna(0).to_numpy(int)
    allowed = allowed_classes(records.get("diagnosis"), target)
    truth = truths(allowed)
    cancer = np.where(allowed[:, 2] & (allowed.sum(axis=1) == 1), 1.0, 0.0)
    benign = truth["any malignancy"] == 0
    truth["BCC against benign"] = np.where((cancer == 1) | benign, cancer, np.nan)
    first: dict[str, np.ndarray] = {}
    for network in networks:
        scorer = CNNScorer(weights=network, device="cpu").fit()
        scorer.transform(photographs[:1], masks[:1])  # loads the network
        began = time.process_time()
        rows = scorer.transform(photographs, masks, records=records)
        cost = (time.process_time() - began) / len(records)
        scores = pd.DataFrame(rows, columns=scorer.get_feature_names_out())
        scores[scores["qa__cnn_seen"] == 2] = np.nan  # learned from, and no other score is known
        print(f"{name} | {network or 'ships'} | {len(scores):,} images, {1000 * cost:.1f} ms each")
        for measure, labels in truth.items():
            column = "cnn__melanoma" if measure == "melanoma" else "cnn__score"
            score = scores.get(column, scores["cnn__score"]).to_numpy()
            judged = np.isfinite(labels) & np.isfinite(score)
            if len(set(labels[judged])) < 2:
                continue
            y, groups = labels[judged].astype(int), grouping(records[judged]).to_numpy()
            auc = evaluate(y, score[judged], groups=groups).set_index("metric").loc["auc"]
            found = f"{auc.value:.3f} ({auc.low:.3f} to {auc.high:.3f})"
            line = f"  {measure}: {found}, {y.sum():,} of {len(y):,}"
            other = first.setdefault(measure, score)
            both = judged & np.isfinite(other)
            if other is not score and both.any():
                gap = paired_bootstrap(
                    *(labels[both].astype(int), other[both], score[both], "auc"),
                    groups=grouping(records[both]).to_numpy(),
                )
                line += (
                    f", minus the first {gap.difference:+.3f} ({gap.low:+.3f} to {gap.high:+.3f})"
                )
            print(line, flush=True)
        if "cnn__p_mel" in scores:
            print(f"  balanced accuracy: {balanced(scores, allowed):.3f}", flush=True)


def balanced(scores: pd.DataFrame, allowed: np.ndarray) -> float:
    """Mean recall of the diagnoses that occur, each as frequent as any other."""
    probabilities = scores[[f"cnn__p_{code}" for code in CLASSES.values()]].to_numpy()
    judged = (allowed.sum(axis=1) == 1) & np.isfinite(probabilities).all(axis=1)
    truth = allowed[judged].argmax(axis=1)
    guess = (probabilities[judged] / np.array(CLASS_SHARES)).argmax(axis=1)
    return float(np.mean([(guess[truth == kind] == kind).mean() for kind in np.unique(truth)]))


if __name__ == "__main__":
    main()
