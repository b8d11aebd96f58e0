"""A model with an embedding carries its network."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest

from hybridlesion.persistence import read_manifest


@pytest.mark.real
@pytest.mark.slow
def test_the_model_scores_images_without_the_weight_file(
    hybridlesion, lesions, real_weights, tmp_path, monkeypatch
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "mobilenetv2_100.imagenet"
    folder.mkdir()
    weights = shutil.copy(real_weights, folder)
    features, model = tmp_path / "f.parquet", tmp_path / "m.joblib"
    arguments = (lesions / "images", "--metadata", lesions / "metadata.csv", "--out", features)
    measured = hybridlesion("features", *arguments, "--embedder", weights, "--jobs", 1)
    assert measured.exit_code == 0, measured.output
    fitted = hybridlesion("fit", features, "--out", model, "--folds", 3, "--jobs", 1)
    assert fitted.exit_code == 0, fitted.output
    manifest = read_manifest(model)
    assert manifest["features"]["families"]["emb"] == 1280
    assert manifest["featurizer"]["embedder"] == "mobilenetv2_100"
    assert list(manifest["files"]) == ["model.safetensors", "segmenter-refiner.safetensors"]
    assert str(tmp_path) not in str(manifest)
    shutil.rmtree(folder)
    sources = (lesions / "images", "--metadata", lesions / "metadata.csv")
    scored = hybridlesion("score", model, *sources, "--out", tmp_path / "images.csv", "--jobs", 1)
    assert scored.exit_code == 0, scored.output
    assert hybridlesion("score", model, features, "--out", tmp_path / "t.csv").exit_code == 0
    from_images, from_table = pd.read_csv(tmp_path / "images.csv"), pd.read_csv(tmp_path / "t.csv")
    np.testing.assert_allclose(from_images["score"], from_table["score"], rtol=1e-12)


def test_weights_of_an_unknown_network_ask_for_its_name(hybridlesion, tmp_path):
    (tmp_path / "mine.safetensors").write_bytes(b"")
    arguments = ("images", "--out", tmp_path / "f.parquet")
    result = hybridlesion("features", *arguments, "--embedder", tmp_path / "mine.safetensors")
    assert result.exit_code == 2
    assert "--weights" in result.output
