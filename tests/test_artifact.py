"""One file, loaded without trusting it."""

from __future__ import annotations

import builtins
import functools
import hashlib
import json
import os
import pickle
import subprocess
import sys
import warnings
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline

from hybridlesion.artifact import (
    PROTOCOL,
    describe_manifest,
    load_artifact,
    read_manifest,
    save_artifact,
)
from hybridlesion.artifact._container import Container, read_container, write_container
from hybridlesion.artifact._unpickler import loads_listed
from hybridlesion.artifact._weights import attach_weights, detach_weights
from hybridlesion.exceptions import ArtifactError
from hybridlesion.model import HybridLesionClassifier
from hybridlesion.table import LesionFeaturizer
from hybridlesion.training import describe_training


@pytest.fixture(scope="module")
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


@pytest.fixture(scope="module")
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
    assert manifest["featurizer"]["segmenter"] == "classical"
    assert 0 < manifest["threshold"] < 1
    assert {"python", "scikit-learn", "lightgbm", "numpy"} <= set(manifest["versions"])
    assert "Not a medical device" in manifest["intended_use"]


def test_manifest_tells_the_folds_that_were_made(tmp_path, table):
    with pytest.warns(UserWarning, match="folds are made"):
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
    assert "Learned from 120 lesions of 40 patients, 24 of them malignant (20.0 %)" in words
    assert "0.900  (0.800 to 0.950)" in words
    assert "Measures images by itself" in words


def test_reading_the_manifest_leaves_the_model_packed(tmp_path):
    write_container(tmp_path / "m.joblib", Container({"made": "by hand"}, b"no pickle at all", {}))
    assert read_manifest(tmp_path / "m.joblib")["made"] == "by hand"
    with pytest.raises(ArtifactError, match="cannot be restored"):
        load_artifact(tmp_path / "m.joblib")


def test_the_file_is_readable_by_joblib(saved):
    content = joblib.load(saved)
    assert content["format"] == "hybridlesion-artifact"
    assert isinstance(content["payload"], bytes)


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
    with pytest.raises(ArtifactError, match="no joblib file"):
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
def test_changed_files(saved, key):
    content = joblib.load(saved)
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
def test_parts_of_another_kind(saved, change):
    joblib.dump(joblib.load(saved) | change, saved)
    with pytest.raises(ArtifactError, match="not a hybridlesion model file"):
        load_artifact(saved)


def test_newer_protocol(saved):
    joblib.dump(joblib.load(saved) | {"protocol": PROTOCOL + 1}, saved)
    for read in (load_artifact, read_manifest):
        with pytest.raises(ArtifactError, match="Install a newer hybridlesion"):
            read(saved)


@pytest.mark.parametrize("protocol", [0, -1, True, "1", None])
def test_protocols_that_are_none(saved, protocol):
    joblib.dump(joblib.load(saved) | {"protocol": protocol}, saved)
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


def test_other_versions_are_told_in_words(saved):
    container = read_container(saved)
    versions = container.manifest["versions"] | {"lightgbm": "3.0.0", "scikit-learn": "0.24"}
    manifest = container.manifest | {"versions": versions}
    write_container(saved, Container(manifest, container.payload, container.files))
    with pytest.warns(UserWarning, match=r"scikit-learn 0\.24 \(here: .*lightgbm 3\.0\.0 \(here:"):
        load_artifact(saved)


def test_the_same_versions_say_nothing(saved):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_artifact(saved)


# What a hostile payload may try -----------------------------------------------------------------


class _Calls:
    """Pickles into a call of anything with anything."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


_TRIES = {
    "os.system": _Calls(os.system, "touch {mark}"),
    "subprocess": _Calls(subprocess.Popen, ["touch", "{mark}"]),
    "eval": _Calls(builtins.eval, "open('{mark}', 'w')"),
    "exec": _Calls(builtins.exec, "open('{mark}', 'w')"),
    "open": _Calls(builtins.open, "{mark}", "w"),
    "import": _Calls(builtins.__import__, "antigravity"),
    "getattr": _Calls(builtins.getattr, os.system, "__self__"),
    "partial": functools.partial(os.system, "touch {mark}"),
    "joblib load": _Calls(joblib.load, "{mark}"),
    "numpy load": _Calls(np.load, "{mark}"),
    "in an object array": np.array([_Calls(os.system, "touch {mark}")], dtype=object),
    "in a list of a dict": {"model": [_Calls(os.system, "touch {mark}")]},
    "pickle loads": _Calls(pickle.loads, pickle.dumps(_Calls(os.system, "touch {mark}"))),
}


@pytest.mark.parametrize("protocol", [0, 2, 5])
@pytest.mark.parametrize("attempt", _TRIES)
def test_hostile_payloads_run_nothing(tmp_path, attempt, protocol):
    mark = tmp_path / "mark"
    payload = _fill_in(_TRIES[attempt], str(mark), protocol)
    write_container(tmp_path / "m.joblib", Container({}, payload, {}))
    with pytest.raises(ArtifactError, match="not among the classes"):
        load_artifact(tmp_path / "m.joblib")
    assert not mark.exists()
    read_manifest(tmp_path / "m.joblib")
    assert not mark.exists()


def _fill_in(value, mark: str, protocol: int) -> bytes:
    if isinstance(value, _Calls):
        function, arguments = value.call
        value = _Calls(function, *(_replace(argument, mark) for argument in arguments))
    return pickle.dumps(value, protocol=protocol)


def _replace(argument, mark: str):
    if isinstance(argument, list):
        return [_replace(part, mark) for part in argument]
    return argument.replace("{mark}", mark) if isinstance(argument, str) else argument


def test_joblibs_own_array_wrapper_is_refused(tmp_path):
    path = tmp_path / "arrays.joblib"
    joblib.dump(np.arange(5), path)
    with pytest.raises(ArtifactError, match="NumpyArrayWrapper"):
        loads_listed(path.read_bytes())


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        # Dotted names reach through a listed module's attributes: protocol 4 STACK_GLOBAL.
        (b"\x80\x04\x8c\x05numpy\x8c\x0ef2py.os.system\x93.", "not among the classes"),
        (b"\x80\x04\x8c\x05numpy\x8c\x10ndarray.__init__\x93.", "not among the classes"),
        # INST and OBJ call a class by ways of protocol 0 and 1.
        (b"(S'touch mark'\nios\nsystem\n.", "opcode"),
        (b"(cnumpy\nndarray\nI3\no.", "opcode"),
        (b"Pmark\n.", "opcode"),
        # A listed class that is only to be recreated is called as a function.
        (b"\x80\x02cnumpy\nndarray\nK\x03\x85R.", "it calls"),
        # Attributes of the class itself are overwritten.
        (b"\x80\x02cnumpy\nndarray\nN}X\x01\x00\x00\x00aK\x01s\x86b.", "it sets attributes"),
        # An instance is made of something that is no listed class.
        (b"\x80\x02cnumpy._core.multiarray\nscalar\n)\x81.", "it makes an instance"),
        (b"\x80\x05\x97.", "opcode"),
        (b"\x80\x04.", "cannot be restored"),
        (b"", "cannot be restored"),
    ],
)
def test_hand_written_streams_are_refused(payload, reason):
    with pytest.raises(ArtifactError, match=reason):
        loads_listed(payload)


def test_special_methods_of_listed_instances_stay(fitted):
    classifier = HybridLesionClassifier()
    vars(classifier)["__setstate__"] = 1
    state = pickle.dumps(classifier, protocol=5)
    with pytest.raises(ArtifactError, match="special methods"):
        loads_listed(state)


@pytest.mark.parametrize(
    "value",
    [
        np.arange(6.0).reshape(2, 3),
        np.asfortranarray(np.arange(6).reshape(2, 3)),
        np.array(["a", None], dtype=object),
        np.array(["ab", "c"]),
        np.float64(0.5),
        np.dtype("float32"),
        {"a": (1, [2.5, None, True], {3}, b"x")},
    ],
)
@pytest.mark.parametrize("protocol", [4, 5])
def test_values_that_models_are_made_of_pass(value, protocol):
    loaded = loads_listed(pickle.dumps(value, protocol=protocol))
    np.testing.assert_equal(loaded, value)


# Weights ----------------------------------------------------------------------------------------


def test_weights_travel_without_their_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    weights = tmp_path / "secret folder" / "net.safetensors"
    weights.parent.mkdir()
    weights.write_bytes(b"weights")
    featurizer = LesionFeaturizer("mobilenetv2_100", weights=str(weights))
    model = Pipeline([("features", featurizer), ("model", HybridLesionClassifier())])
    packed, files = detach_weights(model)
    assert files == {"net.safetensors": b"weights"}
    assert b"secret folder" not in pickle.dumps(packed)
    assert model.named_steps["features"].weights == str(weights)
    weights.unlink()
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
