"""Whether the light, size and compression of a data set stand for the class in a network.

    python benchmarks/source_probe.py FOLDER [--per-cell 300]

FOLDER was written by `hybridlesion finetune` and still holds ``training/``. A linear probe learns
to tell the sources of nevi by the features of the network that did not see them (fold 0); half of
them are kept for the test. Then it scores melanomas and the other nevi of each source: if the look
of a source with many melanomas had been learned as a sign of melanoma, melanomas would look like
that source, and the probe would tell them from nevi. One thread.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from hybridlesion.cnn import SCORED_VIEWS, Finetuned, name_classes
from hybridlesion.cnn.dataset import scored_view
from hybridlesion.metrics import evaluate
from hybridlesion.training._image_training import ImageStore


def main() -> None:
    """Print the accuracy of the probe, and what it tells about melanoma within each source."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--per-cell", type=int, default=300, help="images of a source and class")
    options = parser.parse_args()
    table = pd.read_csv(options.folder / "out_of_fold.csv", low_memory=False)
    table["kind"] = name_classes(table["diagnosis"]).where(
        lambda kind: kind.isin(["melanoma", "nevus"])
    )
    table = table[(table["fold"] == 0) & table["kind"].notna()]
    counts = table.groupby("source")["kind"].value_counts().unstack()
    table = table[table["source"].isin(counts.index[(counts >= 30).all(axis=1)])]
    table = table.sample(frac=1, random_state=0)
    table = table.groupby(["source", "kind"]).head(options.per_cell)
    features = embed(options.folder, table.index.to_numpy())
    nevus = (table["kind"] == "nevus").to_numpy()
    source = table["source"].to_numpy()
    learned = nevus & (np.random.default_rng(0).random(len(table)) < 0.5)
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=2000))
    probe.fit(features[learned], source[learned])
    rest = nevus & ~learned
    chance = pd.Series(source[rest]).value_counts(normalize=True).max()
    print(f"{learned.sum()} nevi learned, {rest.sum()} other nevi")
    print(f"source told: {probe.score(features[rest], source[rest]):.2f}, chance {chance:.2f}")
    sources = probe[-1].classes_
    logits = probe.decision_function(features)
    print("| within source | nevi, melanomas | AUC of looking like each source |")
    print("|---|---|---|")
    for own in sources:
        rows = (source == own) & ~learned
        y = (~nevus[rows]).astype(int)
        cells = []
        for k in range(len(sources)):
            auc = evaluate(y, expit(logits[rows, k])).set_index("metric").loc["auc"]
            cells.append(f"{sources[k]}: {auc.value:.2f} ({auc.low:.2f}-{auc.high:.2f})")
        print(f"| {own} | {(1 - y).sum()}, {y.sum()} | {', '.join(cells)} |")


def embed(folder: Path, rows: np.ndarray) -> np.ndarray:
    """Features of the network of fold 0 before its classifier, of the frame."""
    import torch

    torch.set_num_threads(1)
    tuned = Finetuned.read(folder)
    network = tuned.networks()[0]
    spec = tuned.spec([network])
    store = ImageStore.open(folder / "training")
    readable = np.flatnonzero(store.places[:, 1] > 0)[rows]
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (spec.mean, spec.std))
    found = []
    for place, image in zip(readable, store.images(readable), strict=True):
        view = scored_view(image, store.boxes[place], SCORED_VIEWS[0], spec)
        pixels = torch.from_numpy(view).permute(2, 0, 1) / 255
        with torch.inference_mode():
            features = network.forward_features(((pixels - mean) / std)[None])
            found.append(network.forward_head(features, pre_logits=True)[0].numpy())
    return np.stack(found)


if __name__ == "__main__":
    main()
