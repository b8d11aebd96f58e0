"""Retrieval by embeddings: do the nearest lesions share the diagnosis?

    python benchmarks/retrieval.py DERM7PT --weights MOBILENETV2 [--most 405]

DERM7PT has images/ and index.csv with image_id, lesion_id, diagnosis and malignant. The embedding
of the network that ships is compared with that of an ImageNet network on the same images: the share
of the five nearest neighbours, other photographs of the lesion excluded, that have the lesion's
class, and the AUC for malignancy of the share of malignant lesions among the fifteen nearest. No
image of Derm7pt is a training image of either network.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from hybridlesion._optional_imports import cv2
from hybridlesion.cnn import CNNScorer, TimmEmbedder, name_classes
from hybridlesion.io import read_image


def main() -> None:
    """Print both measures of both embeddings, and the difference with its interval."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="Derm7pt, or a folder like it")
    parser.add_argument("--weights", type=Path, required=True, help="timm's mobilenetv2_100")
    parser.add_argument("--most", type=int, help="number of images")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    table = pd.read_csv(options.folder / "index.csv").head(options.most)
    # Diagnoses outside the eight classes count as one class.
    classes = name_classes(table["diagnosis"]).fillna("other").to_numpy()
    paths = [options.folder / "images" / f"{name}.jpg" for name in table["image_id"]]
    images = [read_image(path, long_side=512) for path in paths]
    scorer = CNNScorer(embedding=True).fit()
    rows = scorer.transform(images)
    shipped = rows[:, [name.startswith("emb__") for name in scorer.get_feature_names_out()]]
    imagenet = TimmEmbedder("mobilenetv2_100", weights=str(options.weights), crop="frame")
    vectors = {"shipped": shipped, "ImageNet": imagenet.fit().transform(images)}
    lesions, malignant = table["lesion_id"].to_numpy(), table["malignant"].to_numpy()
    shares = {}
    for name, values in vectors.items():
        nearest = rank_neighbours(values, lesions)
        shares[name] = (classes[nearest[:, :5]] == classes[:, None]).mean(axis=1)
        auc = roc_auc_score(malignant, malignant[nearest[:, :15]].mean(axis=1))
        print(f"{name}: {shares[name].mean():.3f} of five share the class; AUC {auc:.3f}")
    gain = shares["shipped"] - shares["ImageNet"]
    rng = np.random.default_rng(0)
    drawn = [gain[rng.integers(0, len(gain), len(gain))].mean() for _ in range(2000)]
    low, high = np.percentile(drawn, [2.5, 97.5])
    print(f"difference {gain.mean():+.3f} ({low:+.3f} to {high:+.3f}), {len(gain)} images")


def rank_neighbours(vectors: np.ndarray, lesions: np.ndarray) -> np.ndarray:
    """Order the other lesions by their cosine similarity.

    Parameters
    ----------
    vectors : ndarray of shape (n, width)
        Embeddings.
    lesions : ndarray of shape (n,)
        Lesion of each image.

    Returns
    -------
    ndarray of shape (n, n)
        Positions, the most similar first; images of the same lesion come last.
    """
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    similarity = unit @ unit.T
    similarity[lesions[:, None] == lesions] = -2
    return np.argsort(-similarity, axis=1)


if __name__ == "__main__":
    main()
