"""One small fitted model, and its file."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import Pipeline

from hybridlesion.featurizer import LesionFeaturizer
from hybridlesion.model import HybridLesionClassifier
from hybridlesion.persistence import save_artifact
from hybridlesion.training import describe_training


class _Content(pickle.Unpickler):
    """Reads the plain values of a model file instead of restoring its model."""

    def find_class(self, module, name):
        assert f"{module}.{name}" == "hybridlesion.persistence.restore_model"
        return dict


@pytest.fixture(scope="session")
def read_content():
    def read(path) -> dict:
        with open(path, "rb") as file:
            return _Content(file).load()

    return read


@pytest.fixture(scope="session")
def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    n = 120
    frame = pd.DataFrame(
        {
            "image_id": [f"SYN_{row:04d}" for row in range(n)],
            "patient_id": [f"P{row // 3:03d}" for row in range(n)],
            "target": (np.arange(n) % 5 == 0).astype(float),
        }
    )
    frame["abcd__area_share"] = rng.normal(size=n) + 1.5 * frame["target"]
    frame["abcd__border_circularity"] = rng.normal(size=n)
    frame["meta__age"] = rng.uniform(20, 80, size=n)
    return frame


@pytest.fixture(scope="session")
def fitted(table) -> Pipeline:
    classifier = HybridLesionClassifier(n_splits=3).fit(table, table["target"].astype(int))
    return Pipeline([("features", LesionFeaturizer().fit(table)), ("model", classifier)])


@pytest.fixture
def saved(tmp_path, fitted, table) -> Path:
    metrics = pd.DataFrame(
        {"metric": ["auc", "n"], "value": [0.9, 120], "low": [0.8, np.nan], "high": [0.95, np.nan]}
    )
    facts = describe_training(table, table["target"])
    save_artifact(tmp_path / "model.joblib", fitted, training=facts, metrics=metrics)
    return tmp_path / "model.joblib"
