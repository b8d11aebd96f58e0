"""One file, and what it says of itself."""

from __future__ import annotations

import pickle
import subprocess
import sys

import joblib
import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError

from hybridlesion.exceptions import ArtifactError
from hybridlesion.model import HybridLesionClassifier
from hybridlesion.model._boosting import IMBALANCE
from hybridlesion.persistence import (
    PROTOCOL,
    load_artifact,
    read_manifest,
    restore_model,
    save_artifact,
)
from hybridlesion.persistence._artifact import Container, write_container
from hybridlesion.training import describe_training


def test_the_loaded_model_gives_equal_scores(saved, fitted, table):
    loaded = load_artifact(saved)
    assert [name for name, _ in loaded.steps] == ["features", "model"]
    expected = fitted.named_steps["model"].predict_proba(table)
    np.testing.assert_array_equal(loaded.named_steps["model"].predict_proba(table), expected)


def test_a_new_process_gives_equal_scores(saved, fitted, table, tmp_path):
    table.to_pickle(tmp_path / "table.pkl")
    code = (
        "import sys, numpy as np, pandas as pd; from hybridlesion import load_artifact;"
        "model = load_artifact(sys.argv[1]).named_steps['model'];"
        "np.save(sys.argv[3], model.predict_proba(pd.read_pickle(sys.argv[2])))"
    )
    out = tmp_path / "scores.npy"
    subprocess.run([sys.executable, "-c", code, saved, tmp_path / "table.pkl", out], check=True)
    expected = fitted.named_steps["model"].predict_proba(table)
    np.testing.assert_array_equal(np.load(out), expected)


def test_a_bare_classifier_is_an_artifact_too(tmp_path, fitted, table):
    save_artifact(tmp_path / "m.joblib", fitted.named_steps["model"])
    loaded = load_artifact(tmp_path / "m.joblib")
    assert isinstance(loaded, HybridLesionClassifier)
    assert read_manifest(tmp_path / "m.joblib")["featurizer"] is None


@pytest.mark.parametrize("imbalance", IMBALANCE)
def test_models_of_every_strategy_are_saved(tmp_path, table, imbalance):
    model = HybridLesionClassifier(n_splits=2, max_trees=20, imbalance=imbalance)
    model.fit(table, table["target"].astype(int))
    save_artifact(tmp_path / "m.joblib", model)
    loaded = load_artifact(tmp_path / "m.joblib")
    np.testing.assert_array_equal(loaded.predict_proba(table), model.predict_proba(table))


def test_reading_the_manifest_leaves_the_model_packed(tmp_path):
    write_container(tmp_path / "m.joblib", Container({"made": "by hand"}, b"no pickle at all", {}))
    assert read_manifest(tmp_path / "m.joblib")["made"] == "by hand"
    with pytest.raises(ArtifactError, match="cannot be restored"):
        load_artifact(tmp_path / "m.joblib")


def test_joblib_loads_the_model(saved, fitted, table):
    loaded = joblib.load(saved)
    assert [type(step) for _, step in loaded.steps] == [type(step) for _, step in fitted.steps]
    expected = fitted.named_steps["model"].predict_proba(table)
    np.testing.assert_array_equal(loaded.named_steps["model"].predict_proba(table), expected)
    save_artifact(saved, fitted.named_steps["model"])
    np.testing.assert_array_equal(joblib.load(saved).predict_proba(table), expected)


def test_joblib_loads_through_the_same_checks(saved, read_content):
    content = read_content(saved)
    for changed in (
        {"sha256": "0" * 64},
        {"protocol": PROTOCOL + 1},
        {"format": "other"},
        {"payload": pickle.dumps(print)},
    ):
        with pytest.raises(ArtifactError):
            restore_model(content | changed)
    hostile = Container(content["manifest"], pickle.dumps(print), {})
    write_container(saved, hostile)
    with pytest.raises(ArtifactError, match=r"asks for builtins\.print"):
        joblib.load(saved)


def test_digest_of_training_rows_sees_every_change(table):
    digest = describe_training(table, table["target"])["digest"]
    assert describe_training(table.copy(), table["target"])["digest"] == digest
    assert describe_training(table.iloc[::-1], table["target"][::-1])["digest"] != digest
    assert describe_training(table, 1 - table["target"])["digest"] != digest
    changed = table.assign(meta__age=table["meta__age"].where(table.index != 7, 1.0))
    assert describe_training(changed, table["target"])["digest"] != digest


# Refusals -------------------------------------------------------------------------------------


def test_missing_file(tmp_path):
    with pytest.raises(ArtifactError, match="cannot read the model file"):
        load_artifact(tmp_path / "none.joblib")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"a": 1}, "lacks the format mark"),
        ([1, 2], "lacks the format mark"),
        (np.arange(3), "asks for"),
        (RandomForestClassifier(), "asks for sklearn.ensemble"),
    ],
)
def test_foreign_joblib_files(tmp_path, content, reason):
    joblib.dump(content, tmp_path / "m.joblib")
    for read in (load_artifact, read_manifest):
        with pytest.raises(ArtifactError, match=reason):
            read(tmp_path / "m.joblib")


def test_files_that_are_no_pickle(tmp_path):
    (tmp_path / "m.joblib").write_bytes(b"image_id,score\n")
    with pytest.raises(ArtifactError, match="not a joblib file"):
        load_artifact(tmp_path / "m.joblib")
    joblib.dump({"a": 1}, tmp_path / "z.joblib", compress=3)
    with pytest.raises(ArtifactError, match="not a hybridlesion model file"):
        load_artifact(tmp_path / "z.joblib")


def test_every_truncation_is_refused(saved):
    data = saved.read_bytes()
    for length in (0, 1, 10, 200, len(data) // 2, len(data) - 1):
        saved.write_bytes(data[:length])
        with pytest.raises(ArtifactError, match="not a hybridlesion model file"):
            load_artifact(saved)


@pytest.mark.parametrize("key", ["payload", "manifest", "files", "sha256"])
def test_changed_files(saved, key, read_content):
    content = read_content(saved)
    content[key] = {
        "payload": content["payload"] + b".",
        "manifest": content["manifest"] | {"threshold": 0.001},
        "files": {"weights.safetensors": b"other"},
        "sha256": "0" * 64,
    }[key]
    joblib.dump(content, saved)
    for read in (load_artifact, read_manifest):
        with pytest.raises(ArtifactError, match="was changed after it was written"):
            read(saved)


@pytest.mark.parametrize(
    "change",
    [
        {"payload": "text"},
        {"manifest": []},
        {"files": None},
        {"files": {"a": 1}},
        {"manifest": {1: b""}},
    ],
)
def test_parts_of_another_kind(saved, change, read_content):
    joblib.dump(read_content(saved) | change, saved)
    with pytest.raises(ArtifactError, match="not a hybridlesion model file"):
        load_artifact(saved)


def test_newer_protocol(saved, read_content):
    joblib.dump(read_content(saved) | {"protocol": PROTOCOL + 1}, saved)
    for read in (load_artifact, read_manifest):
        with pytest.raises(ArtifactError, match="Install a newer hybridlesion"):
            read(saved)


@pytest.mark.parametrize("protocol", [0, -1, True, "1", None])
def test_protocols_that_are_none(saved, protocol, read_content):
    joblib.dump(read_content(saved) | {"protocol": protocol}, saved)
    with pytest.raises(ArtifactError, match="protocol number"):
        load_artifact(saved)


def test_models_that_could_not_be_loaded_again_are_not_saved(tmp_path, table):
    forest = RandomForestClassifier(n_estimators=2).fit(table[["meta__age"]], table["target"])
    with pytest.raises(ArtifactError, match="cannot become an artifact"):
        save_artifact(tmp_path / "m.joblib", forest)
    assert not list(tmp_path.iterdir())


def test_unfitted_models_are_not_saved(tmp_path):
    with pytest.raises(NotFittedError):
        save_artifact(tmp_path / "m.joblib", HybridLesionClassifier())
