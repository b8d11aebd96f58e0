"""The weight files of a model travel with it."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import Pipeline

from hybridlesion._optional_imports import import_timm
from hybridlesion.cnn import backbone as hub
from hybridlesion.cnn import backbone as network
from hybridlesion.exceptions import ArtifactError, SourceError
from hybridlesion.featurizer import LesionFeaturizer
from hybridlesion.model import HybridLesionClassifier
from hybridlesion.persistence import _weights as network_files
from hybridlesion.persistence import describe_manifest, load_artifact, read_manifest, save_artifact
from hybridlesion.persistence._weights import attach_weights, check_file_name, detach_weights
from hybridlesion.segmentation.refiner import SHIPPED_WEIGHTS


def test_weights_travel_without_their_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    file = tmp_path / "secret folder" / "net.safetensors"
    file.parent.mkdir()
    file.write_bytes(b"weights")
    featurizer = LesionFeaturizer("mobilenetv2_100", weights=str(file), segmenter="classical")
    model = Pipeline([("features", featurizer), ("model", HybridLesionClassifier())])
    packed, files = detach_weights(model)
    assert files == {"net.safetensors": b"weights"}
    assert b"secret folder" not in pickle.dumps(packed)
    assert model.named_steps["features"].weights == str(file)
    file.unlink()
    restored = Path(attach_weights(packed, files).named_steps["features"].weights)
    assert restored.read_bytes() == b"weights"
    assert restored.is_relative_to(tmp_path / "cache")
    # A file that somebody changed in the cache is not trusted.
    restored.write_bytes(b"changed")
    again = Path(attach_weights(packed, files).named_steps["features"].weights)
    assert again.read_bytes() == b"weights"


def test_weights_that_are_gone(tmp_path):
    featurizer = LesionFeaturizer("mobilenetv2_100", weights=str(tmp_path / "gone.safetensors"))
    model = Pipeline([("features", featurizer), ("model", HybridLesionClassifier())])
    with pytest.raises(ArtifactError, match="cannot be read"):
        detach_weights(model)
    featurizer.weights = "gone.safetensors"
    with pytest.raises(ArtifactError, match="which its artifact lacks"):
        attach_weights(model, {})


@pytest.fixture
def with_segmenter(tmp_path, monkeypatch, fitted) -> Pipeline:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    refiner = tmp_path / "mine" / "refiner.safetensors"
    refiner.parent.mkdir()
    refiner.write_bytes(b"weights of a refiner")
    featurizer = LesionFeaturizer(segmenter=str(refiner))
    vars(featurizer).update(
        {name: v for name, v in vars(fitted.named_steps["features"]).items() if name.endswith("_")}
    )
    return Pipeline([("features", featurizer), ("model", fitted.named_steps["model"])])


def test_a_segmenter_of_the_user_travels_too(tmp_path, with_segmenter):
    save_artifact(tmp_path / "m.joblib", with_segmenter)
    assert str(tmp_path).encode() not in (tmp_path / "m.joblib").read_bytes()
    (tmp_path / "mine" / "refiner.safetensors").unlink()
    loaded = Path(load_artifact(tmp_path / "m.joblib").named_steps["features"].segmenter)
    assert loaded.read_bytes() == b"weights of a refiner"
    assert loaded.suffix == ".safetensors"


def test_the_refiner_that_ships_travels_too(tmp_path, monkeypatch, with_segmenter):
    with_segmenter.named_steps["features"].segmenter = "refined"
    save_artifact(tmp_path / "m.joblib", with_segmenter)
    # A later release ships another one.
    monkeypatch.setattr(network_files, "SHIPPED_WEIGHTS", tmp_path / "none.safetensors")
    loaded = load_artifact(tmp_path / "m.joblib").named_steps["features"]
    assert Path(loaded.segmenter).read_bytes() == SHIPPED_WEIGHTS.read_bytes()
    assert Path(loaded.segmenter).is_relative_to(tmp_path / "cache")
    digest = hashlib.sha256(SHIPPED_WEIGHTS.read_bytes()).hexdigest()
    manifest = read_manifest(tmp_path / "m.joblib")
    assert manifest["files"]["segmenter-refiner.safetensors"]["sha256"] == digest
    assert "Includes segmenter-refiner.safetensors (1.5 MB)." in describe_manifest(manifest)


@pytest.fixture
def from_hub(tmp_path, monkeypatch, fitted) -> Pipeline:
    """A model with a small network of timm's, whose weights come from the hub."""
    torch = pytest.importorskip("torch")
    create_model = import_timm().create_model
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def create_pretrained(model):
        torch.manual_seed(0)
        return create_model(model, pretrained=False, num_classes=0)

    for module in (hub, network):
        monkeypatch.setattr(module, "create_pretrained", create_pretrained)
    network._load.cache_clear()
    records = pd.DataFrame({"image_id": ["a"], "path": ["a.png"]})
    featurizer = LesionFeaturizer("test_efficientnet", device="cpu").fit(records)
    return Pipeline([("features", featurizer), ("model", fitted.named_steps["model"])])


def test_weights_of_the_hub_travel_too(tmp_path, monkeypatch, from_hub, rng):
    images = [rng.integers(0, 256, (64, 80, 3), dtype=np.uint8)]
    expected = from_hub.named_steps["features"].embedder_.transform(images)
    save_artifact(tmp_path / "m.joblib", from_hub)

    def offline(model):
        raise SourceError("the hub does not answer")

    for module in (hub, network):
        monkeypatch.setattr(module, "create_pretrained", offline)
    network._load.cache_clear()
    loaded = load_artifact(tmp_path / "m.joblib").named_steps["features"].embedder_
    np.testing.assert_array_equal(loaded.transform(images), expected)
    with pytest.raises(ArtifactError, match="network is missing: the hub does not answer"):
        save_artifact(tmp_path / "again.joblib", from_hub)


def test_weights_of_the_hub_that_changed_are_refused(tmp_path, from_hub):
    from_hub.named_steps["features"].embedder_.weights_digest_ = "0" * 64
    with pytest.raises(ArtifactError, match="not those the model was fitted with"):
        save_artifact(tmp_path / "m.joblib", from_hub)


def test_large_files_lie_beside_and_are_checked(tmp_path, monkeypatch, with_segmenter):
    monkeypatch.setattr(network_files, "MAX_INSIDE", 10)
    save_artifact(tmp_path / "m.joblib", with_segmenter)
    outside = tmp_path / "m.segmenter-refiner.safetensors"
    assert outside.read_bytes() == b"weights of a refiner"
    files = read_manifest(tmp_path / "m.joblib")["files"]
    assert files["segmenter-refiner.safetensors"]["beside"] == outside.name
    loaded = Path(load_artifact(tmp_path / "m.joblib").named_steps["features"].segmenter)
    assert loaded.read_bytes() == b"weights of a refiner"
    with pytest.raises(ArtifactError, match=r"hybridlesion\.load_artifact"):
        joblib.load(tmp_path / "m.joblib")
    outside.write_bytes(b"weights of another")
    with pytest.raises(ArtifactError, match="is not the weight file"):
        load_artifact(tmp_path / "m.joblib")
    outside.unlink()
    with pytest.raises(ArtifactError, match="Copy both"):
        load_artifact(tmp_path / "m.joblib")


def test_a_file_that_has_the_name_of_large_weights_is_left_alone(
    tmp_path, monkeypatch, with_segmenter
):
    monkeypatch.setattr(network_files, "MAX_INSIDE", 10)
    kept = tmp_path / "m.segmenter-refiner.safetensors"
    kept.write_bytes(b"weights of somebody")
    for _ in range(2):
        save_artifact(tmp_path / "m.joblib", with_segmenter)
    assert kept.read_bytes() == b"weights of somebody"
    loaded = Path(load_artifact(tmp_path / "m.joblib").named_steps["features"].segmenter)
    assert loaded.read_bytes() == b"weights of a refiner"
    assert len(list(tmp_path.glob("m.*"))) == 3


@pytest.mark.parametrize(
    "name", ["../w.pth", "a/w.pth", "a\\w.pth", "..", ".hidden", "a\nb", "", "C:w", "w" * 300, None]
)
def test_names_that_lead_elsewhere(name):
    with pytest.raises(ArtifactError, match="stores a file under the name"):
        check_file_name(name)


def test_a_model_cannot_name_files_of_this_machine(tmp_path):
    secret = tmp_path / "secret.safetensors"
    secret.write_bytes(b"secret")
    featurizer = LesionFeaturizer(segmenter=str(secret))
    model = Pipeline([("features", featurizer), ("model", HybridLesionClassifier())])
    with pytest.raises(ArtifactError, match="which its artifact lacks"):
        attach_weights(model, {})
