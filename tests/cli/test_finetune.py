"""Images to a fine-tuned folder, and from there to a model file that carries the networks."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest

from hybridlesion.persistence import read_manifest

TINY = "test_efficientnet"


@pytest.fixture(scope="module")
def network(hybridlesion, lesions, tmp_path_factory):
    """A folder of three fine-tuned folds of a tiny backbone."""
    from safetensors.torch import save_file

    from hybridlesion._optional_imports import import_timm

    folder = tmp_path_factory.mktemp("finetune")
    weights = folder / "tiny.safetensors"
    save_file(import_timm().create_model(TINY, num_classes=0).state_dict(), weights)
    arguments = (lesions / "images", "--metadata", lesions / "metadata.csv")
    options = ("--backbone", TINY, "--weights", weights, "--folds", 3, "--epochs", 2)
    result = hybridlesion(
        *("finetune", *arguments, *options, "--image-size", 32, "--batch-size", 8, "--jobs", 1),
        *("--out", folder / "network"),
    )
    assert result.exit_code == 0, result.output
    assert "Out-of-fold scores:" in result.output
    return folder / "network"


def test_a_folder_with_weights_scores_curves_and_a_card(network):
    names = {path.name for path in network.iterdir()}
    assert {"fold_0.safetensors", "fold_2.safetensors", "finetuned.json", "seen.npz"} <= names
    assert {"out_of_fold.csv", "curves.csv", "curves.png", "CARD.md"} <= names
    card = (network / "CARD.md").read_text()
    assert f"Fine-tuned {TINY}: model card" in card
    assert "not a medical device" in card


@pytest.fixture(scope="module")
def scored(hybridlesion, lesions, network, tmp_path_factory):
    """A copy of the folder, and a feature table with its scores."""
    folder = tmp_path_factory.mktemp("secret folder") / "network"
    shutil.copytree(network, folder)
    features = tmp_path_factory.mktemp("features") / "f.parquet"
    sources = (lesions / "images", "--metadata", lesions / "metadata.csv")
    result = hybridlesion(
        "features", *sources, "--out", features, "--embedder", folder, "--jobs", 1
    )
    assert result.exit_code == 0, result.output
    return folder, features


def test_its_scores_reach_a_model_that_carries_it(
    hybridlesion, lesions, scored, tmp_path, monkeypatch
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (folder, features), model = scored, tmp_path / "m.joblib"
    sources = (lesions / "images", "--metadata", lesions / "metadata.csv")
    table = pd.read_parquet(features)
    assert table["cnn__score"].between(0, 1).all()
    assert (table["qa__cnn_seen"] == 1).all()

    fitted = hybridlesion("fit", features, "--out", model, "--folds", 3, "--jobs", 1)
    assert fitted.exit_code == 0, fitted.output
    assert "were used to train the CNN" in fitted.output.replace("\n", " ")
    manifest = read_manifest(model)
    assert manifest["features"]["families"]["cnn"] == 9
    assert list(manifest["files"]) == ["network.zip", "segmenter-refiner.safetensors"]
    assert str(folder.parent) not in str(manifest)

    shutil.rmtree(folder)
    result = hybridlesion("score", model, *sources, "--out", tmp_path / "images.csv", "--jobs", 1)
    assert result.exit_code == 0, result.output
    assert hybridlesion("score", model, features, "--out", tmp_path / "t.csv").exit_code == 0
    from_images, from_table = pd.read_csv(tmp_path / "images.csv"), pd.read_csv(tmp_path / "t.csv")
    np.testing.assert_allclose(from_images["score"], from_table["score"], rtol=1e-12)


def test_scores_of_networks_that_saw_the_row_are_left_out(hybridlesion, scored, tmp_path):
    features = tmp_path / "f.parquet"
    table = pd.read_parquet(scored[1])
    table.loc[:3, "qa__cnn_seen"] = 2
    table.to_parquet(features)
    arguments = ("fit", features, "--out", tmp_path / "m.joblib", "--folds", 3, "--jobs", 1)
    for words, told in (((), "left out"), (("--cnn-seen", "keep"), "optimistic")):
        result = hybridlesion(*arguments, *words)
        assert result.exit_code == 0, result.output
        assert told in result.output
    dropped = hybridlesion(*arguments, "--cnn-seen", "drop")
    assert f"fitted on {len(table) - 4} rows" in dropped.output


def test_a_folder_that_is_not_fine_tuned_is_refused(hybridlesion, tmp_path):
    result = hybridlesion("features", "images", "--out", "f.parquet", "--embedder", tmp_path)
    assert result.exit_code == 2
    assert "hybridlesion finetune" in result.output.replace("\n", " ")
