"""Models that learned diagnoses, saved and loaded."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hybridlesion.model import HybridLesionClassifier
from hybridlesion.persistence import describe_manifest, load_artifact, read_manifest, save_artifact


@pytest.fixture(scope="module")
def learned(table):
    names = np.array(["nevus", "melanoma", "benign keratosis"], dtype=object)
    kind = np.where(table["target"] == 1, 1, 2 * (np.arange(len(table)) % 2))
    more = table.assign(abcd__asymmetry_shape_mean=kind + 0.1 * table["abcd__area_share"])
    model = HybridLesionClassifier(n_splits=3, max_trees=20)
    return model.fit(more, table["target"].astype(int), diagnoses=names[kind]), more


def test_diagnoses_are_equal_after_loading(tmp_path, learned):
    model, table = learned
    save_artifact(tmp_path / "m.joblib", model)
    loaded = load_artifact(tmp_path / "m.joblib")
    for found, expected in (
        (loaded.predict_diagnoses(table), model.predict_diagnoses(table)),
        (loaded.oof_diagnoses_, model.oof_diagnoses_),
    ):
        pd.testing.assert_frame_equal(found, expected, check_exact=True)


def test_the_manifest_names_them(tmp_path, learned):
    manifest = save_artifact(tmp_path / "m.joblib", learned[0])
    assert manifest["diagnoses"] == {"benign keratosis": False, "melanoma": True, "nevus": False}
    words = describe_manifest(read_manifest(tmp_path / "m.joblib"))
    assert "Gives the probabilities of benign keratosis, melanoma (malignant), nevus." in words


def test_a_model_without_says_nothing(saved):
    assert read_manifest(saved)["diagnoses"] == {}
    assert "probabilities of" not in describe_manifest(read_manifest(saved))
