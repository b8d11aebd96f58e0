"""The manifest of a model file, and its description as text."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

from hybridlesion.exceptions import ArtifactError
from hybridlesion.model import HybridLesionClassifier
from hybridlesion.persistence import (
    PROTOCOL,
    describe_manifest,
    load_artifact,
    read_manifest,
    save_artifact,
)
from hybridlesion.persistence._artifact import Container, read_container, write_container


def test_manifest_is_plain_json_and_complete(saved, table):
    manifest = read_manifest(saved)
    assert json.loads(json.dumps(manifest, allow_nan=False)) == manifest
    assert manifest["protocol"] == PROTOCOL
    assert manifest["training"]["n_rows"] == 120
    assert manifest["training"]["n_positive"] == 24
    assert manifest["training"]["n_patients"] == 40
    assert len(manifest["training"]["digest"]) == 64
    assert manifest["metrics"][0] == {"metric": "auc", "value": 0.9, "low": 0.8, "high": 0.95}
    assert manifest["metrics"][1]["low"] is None
    assert manifest["features"]["families"] == {"abcd": 2, "meta": 1}
    names = manifest["features"]["names"]
    assert manifest["features"]["sha256"] == hashlib.sha256("\n".join(names).encode()).hexdigest()
    assert manifest["folds"] == {"n_splits": 3, "n_seeds": 1, "random_state": 0}
    assert manifest["featurizer"]["segmenter"] == "segmenter-refiner.safetensors"
    assert 0 < manifest["threshold"] < 1
    assert {"python", "scikit-learn", "lightgbm", "numpy"} <= set(manifest["versions"])
    assert "Not a medical device" in manifest["intended_use"]


def test_manifest_tells_the_folds_that_were_made(tmp_path, table):
    with pytest.warns(UserWarning, match="folds instead of"):
        model = HybridLesionClassifier(n_splits=50).fit(table, table["target"].astype(int))
    folds = save_artifact(tmp_path / "m.joblib", model)["folds"]
    assert folds["n_splits"] == len(np.unique(model.folds_)) < 50


@pytest.mark.parametrize(
    ("facts", "unit"),
    [
        ({"n_patients": 40, "n_groups": 40}, "patients"),
        ({"n_patients": None, "n_groups": 120}, "images"),
        ({"n_patients": 40, "n_groups": 7}, "groups"),
    ],
)
def test_words_claim_patients_only_where_they_were_drawn(facts, unit):
    metrics = [{"metric": "auc", "value": 0.9, "low": 0.8, "high": 0.95}]
    words = describe_manifest({"training": {"n_rows": 120} | facts, "metrics": metrics})
    assert f"intervals over {unit}:" in words


def test_manifest_in_words(saved):
    words = describe_manifest(read_manifest(saved))
    assert "Trained on 120 lesions of 40 patients, 24 of them malignant (20.0 %)" in words
    assert "0.900  (0.800 to 0.950)" in words
    assert "Measures images with: " in words


def test_a_manifest_of_another_model(saved, fitted):
    container = read_container(saved, None)
    told = container.manifest["features"] | {"sha256": "0" * 64}
    other = Container(
        container.manifest | {"features": told}, container.payload, dict(container.files)
    )
    write_container(saved, other, None)
    assert read_manifest(saved)["features"]["sha256"] == "0" * 64
    with pytest.raises(ArtifactError, match="describes features that its model does not take"):
        load_artifact(saved)


def test_words_of_a_manifest_cannot_steer_a_terminal():
    words = describe_manifest({"protocol": 2, "intended_use": "\x1b]0;owned\x07 \u202etxt.exe"})
    assert "\x1b" not in words
    assert "\\x1b]0;owned\\x07 \\u202etxt.exe" in words


@pytest.mark.parametrize(
    "manifest",
    [{"training": [1]}, {"model": "a"}, {"metrics": [1]}, {"files": {"a": 1}, "featurizer": {}}],
)
def test_manifests_of_another_kind(manifest):
    with pytest.raises(ArtifactError, match="cannot be described"):
        describe_manifest(manifest)
