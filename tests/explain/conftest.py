"""Feature tables whose malignant rows are known by age, network and shape."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from hybridlesion.model import HybridLesionClassifier


def _make_table(n=400, seed=0, n_embedding=0):
    rng = np.random.default_rng(seed)
    age, border = rng.normal(0, 1, n), rng.uniform(0, 8, n)
    y = (rng.random(n) < expit(-2 + age + border / 4)).astype(int)
    table = pd.DataFrame(
        {
            "image_id": [f"ISIC_{k:07d}" for k in range(n)],
            "patient_id": rng.integers(80, size=n).astype(str),
            "abcd__border": border,
            "abcd__color_share_black": rng.uniform(0, 1, n),
            "meta__age": np.where(rng.random(n) < 0.1, np.nan, 50 + 15 * age),
            "meta__sex_male": rng.integers(2, size=n).astype(float),
            "meta__device": rng.choice(["A", "B", "C"], n),
        }
    )
    for k in range(n_embedding):
        table[f"emb__{k}"] = y * (k == 0) + rng.normal(0, 1, n)
    return table, y


def _fit(table, y, **parameters):
    return HybridLesionClassifier(**({"n_splits": 3, "max_trees": 40} | parameters)).fit(table, y)


@pytest.fixture(scope="session")
def make_table():
    """Make a feature table and its truth: make_table(n, seed, n_embedding)."""
    return _make_table


@pytest.fixture(scope="session")
def fit():
    """Fit a small classifier: fit(table, y, **parameters)."""
    return _fit


@pytest.fixture(scope="session")
def explained(make_table, fit):
    """A model, its table and the truth."""
    table, y = make_table()
    return fit(table, y), table, y
