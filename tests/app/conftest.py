"""A drawn lesion, a model that was fitted on a table, and clients of the app."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import Pipeline

from hybridlesion._optional_imports import cv2
from hybridlesion.app import Gallery, LesionReader
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


def spread_lesions(n: int) -> list[np.ndarray]:
    """Lesions of growing size on ever darker skin, no two of which are near-identical."""
    rng = np.random.default_rng(0)
    images = []
    for k in range(n):
        image = draw_lesion(radius=40 + 8 * k)
        noise = cv2.resize(rng.normal(0, 14, (6, 8)), (320, 240), interpolation=cv2.INTER_CUBIC)
        images.append(np.clip(image + noise[..., None], 0, 255).astype(np.uint8))
    return images


@pytest.fixture(scope="session")
def cases(tmp_path_factory):
    """A table of eight cases; the last two are photographs of one lesion."""
    folder = tmp_path_factory.mktemp("gallery")
    for k, image in enumerate(spread_lesions(8)):
        (folder / f"case_{k}.png").write_bytes(encode(image))
    table = pd.DataFrame({"image_id": [f"case_{k}" for k in range(8)]})
    table["path"] = table["image_id"] + ".png"
    table["diagnosis"] = ["nevus", "melanoma"] * 4
    table["patient_id"] = [*(f"P{k}" for k in range(7)), "P6"]
    table["lesion_id"] = [*(f"L{k}" for k in range(7)), "L6"]
    table.to_csv(folder / "cases.csv", index=False)
    return folder / "cases.csv"


@pytest.fixture(scope="session")
def gallery(cases):
    """The cases, embedded."""
    gallery = Gallery(cases)
    gallery.read()
    return gallery


@pytest.fixture(scope="session")
def comparing_reader() -> LesionReader:
    """A model that compares the lesions of a patient: the largest total score is malignant."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"patient_id": [f"P{k // 4}" for k in range(240)]})
    table["abcd__tds"] = rng.uniform(1, 8.9, 240)
    largest = table.groupby("patient_id")["abcd__tds"].transform("max") == table["abcd__tds"]
    classifier = HybridLesionClassifier(3, max_trees=20).fit(table, largest.to_numpy())
    records = pd.DataFrame({"image_id": ["a"], "path": ["a.png"]})
    model = Pipeline([("features", LesionFeaturizer().fit(records)), ("model", classifier)])
    return LesionReader(model, name="context.joblib")
