"""A drawn lesion, a model that was fitted on a table, and clients of the app."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import Pipeline

from hybridlesion._optional_imports import cv2
from hybridlesion.app import LesionReader
from hybridlesion.featurizer import LesionFeaturizer
from hybridlesion.model import HybridLesionClassifier

ORIGIN = "http://127.0.0.1:8000"


def draw_lesion(size=(240, 320), radius=60) -> np.ndarray:
    """A dark disc with a black centre on skin."""
    y, x = np.mgrid[: size[0], : size[1]]
    distance = np.hypot(y - size[0] / 2, x - size[1] / 2)
    image = np.full((*size, 3), (225, 190, 170), np.uint8)
    image[distance < radius] = (120, 80, 60)
    image[distance < radius / 3] = (25, 22, 20)
    return image


def encode(image: np.ndarray, suffix: str = ".png") -> bytes:
    return cv2.imencode(suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes()


@pytest.fixture(scope="session")
def lesion() -> bytes:
    return encode(draw_lesion())


@pytest.fixture(scope="session")
def reader() -> LesionReader:
    """A model whose score rises with age and asymmetry."""
    rng = np.random.default_rng(0)
    target = np.arange(90) % 3 == 0
    table = pd.DataFrame(
        {
            "patient_id": [f"P{k}" for k in range(90)],
            "abcd__asymmetry_shape_min": rng.uniform(0, 0.2, 90) + 0.1 * target,
            "abcd__color": rng.integers(1, 6, 90),
            "meta__age": 40 + 20 * target + rng.normal(0, 5, 90),
        }
    )
    classifier = HybridLesionClassifier(3, max_trees=20).fit(table, target)
    records = pd.DataFrame({"image_id": ["a"], "path": ["a.png"], "age": [50.0]})
    featurizer = LesionFeaturizer(passthrough="ids").fit(records)
    model = Pipeline([("features", featurizer), ("model", classifier)])
    return LesionReader(model, name="nevi.joblib")


@pytest.fixture
def client(reader):
    """A client of the app with a model; the app ends, and deletes its folder, with the test."""
    testclient = pytest.importorskip("starlette.testclient")
    pytest.importorskip("fastapi")
    from hybridlesion.app import create_app

    with testclient.TestClient(create_app(reader), base_url=ORIGIN) as client:
        yield client
