"""Models saved with other library versions or protocols."""

from __future__ import annotations

import io
import pickle
import warnings
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import Pipeline

from hybridlesion.exceptions import ArtifactError
from hybridlesion.inference import score_table
from hybridlesion.model import HybridLesionClassifier
from hybridlesion.persistence import describe_manifest, load_artifact, read_manifest, save_artifact
from hybridlesion.persistence._allowlist import loads_listed
from hybridlesion.persistence._artifact import Container, read_container, write_container
from hybridlesion.persistence._state import dumps_model, frame_from_columns


def _rewrite(path, **changed):
    kept = read_container(path)
    manifest = kept.manifest | changed
    write_container(path, Container(manifest, kept.payload, kept.files, kept.protocol))


def _older(path) -> dict:
    versions = read_manifest(path)["versions"]
    return versions | {"lightgbm": "3.0.0", "scikit-learn": "0.24"}


def test_equal_check_rows_load_with_a_warning(saved, fitted, table):
    _rewrite(saved, versions=_older(saved))
    with pytest.warns(UserWarning, match=r"scikit-learn 0\.24 \(here: .*lightgbm 3\.0\.0 \(here:"):
        loaded = load_artifact(saved)
    expected = fitted.named_steps["model"].predict_proba(table)
    np.testing.assert_array_equal(loaded.named_steps["model"].predict_proba(table), expected)


@pytest.mark.parametrize("scores", [[0.5] * 16, [0.5], ["a"] * 16, {"a": 1}])
def test_other_check_rows_are_refused(saved, scores):
    checks = read_manifest(saved)["checks"] | {"scores": scores}
    _rewrite(saved, versions=_older(saved), checks=checks)
    with pytest.raises(ArtifactError, match="check rows score differently"):
        load_artifact(saved)


def test_check_rows_differ_from_row_to_row(saved):
    scores = read_manifest(saved)["checks"]["scores"]
    assert len(scores) == 16
    assert len(np.unique(np.round(scores, 6))) > 8


def test_the_last_number_of_a_version_says_nothing(saved):
    versions = {name: f"{v}.post9" for name, v in read_manifest(saved)["versions"].items()}
    _rewrite(saved, versions=versions)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_artifact(saved)


def test_images_measured_otherwise_are_told(saved):
    checks = read_manifest(saved)["checks"]
    _rewrite(saved, checks=checks | {"measuring": checks["measuring"] - 1})
    with pytest.warns(UserWarning, match="can score tables of that version, but no images"):
        load_artifact(saved)


def test_categories_and_plain_matrices_have_check_rows(tmp_path, rng):
    y = np.arange(90) % 3 == 0
    text = pd.DataFrame({"meta__age": 1.0 * y + rng.normal(size=90), "meta__kind": ["a", "b"] * 45})
    for name, X in (("text", text), ("matrix", text[["meta__age"]].to_numpy())):
        model = HybridLesionClassifier(n_splits=3).fit(X, y)
        manifest = save_artifact(tmp_path / f"{name}.joblib", model)
        assert len(manifest["checks"]["scores"]) == 16


@pytest.mark.parametrize("protocol", [1, 2, 3])
@pytest.mark.filterwarnings("ignore:.*was saved with", "ignore:.*was fitted on features")
def test_stored_files_score_as_they_did(protocol):
    path = Path(__file__).parent / "data" / f"protocol{protocol}.joblib"
    assert read_manifest(path)["protocol"] == protocol
    rows = pd.read_csv(path.with_suffix(".csv"))
    loaded = load_artifact(path)
    scores = score_table(loaded, rows.drop(columns="expected_score"))["score"]
    # The linear part has been computed in single precision since protocol 1.
    tolerance = {1: 1e-6}.get(protocol, 1e-12)
    np.testing.assert_allclose(scores, rows["expected_score"], rtol=0, atol=tolerance)
    if protocol < 3:
        assert joblib.load(path)["protocol"] == protocol  # plain values


class _OfProtocol1(pickle.Pickler):
    """How protocol 1 pickled: boosters and pipelines as their libraries do."""

    def reducer_override(self, value):
        if type(value) is pd.DataFrame:
            return frame_from_columns, ({str(name): value[name].to_list() for name in value},)
        return NotImplemented


def test_files_of_protocol_1_load(tmp_path, fitted, table):
    buffer = io.BytesIO()
    _OfProtocol1(buffer, protocol=5).dump(fitted)
    assert b"lightgbm.basic" in buffer.getvalue()
    manifest = {"versions": {"lightgbm": "3.0.0"}, "files": {}}
    write_container(tmp_path / "m.joblib", Container(manifest, buffer.getvalue(), {}, 1))
    with pytest.warns(UserWarning, match=r"lightgbm 3\.0\.0.*Scores may differ"):
        loaded = load_artifact(tmp_path / "m.joblib")
    expected = fitted.named_steps["model"].predict_proba(table)
    np.testing.assert_array_equal(loaded.named_steps["model"].predict_proba(table), expected)


@pytest.mark.parametrize("protocol", [1, 2])
def test_models_that_maximised_f1_keep_their_threshold_and_say_so(
    tmp_path, fitted, table, protocol
):
    model = HybridLesionClassifier()
    vars(model).update(vars(fitted.named_steps["model"]) | {"threshold": "f1", "threshold_": 0.3})
    del model.sensitivity
    parameters = {name: value for name, value in vars(model).items() if name in ("threshold",)}
    manifest = {"model": {"parameters": parameters | {"cost_ratio": None}}, "threshold": 0.3}
    write_container(tmp_path / "m.joblib", Container(manifest, dumps_model(model), {}, protocol))
    loaded = load_artifact(tmp_path / "m.joblib")
    assert loaded.get_params()["sensitivity"] == 0.9
    assert set(score_table(loaded, table)["threshold"]) == {0.3}
    assert set(score_table(loaded, table)["threshold_rule"]) == {"for the highest F1"}
    words = describe_manifest(read_manifest(tmp_path / "m.joblib"))
    assert "classified as malignant at or above the threshold for the highest F1 (0.3)" in words


def test_payloads_name_neither_lightgbm_nor_pipelines(fitted):
    payload = dumps_model(fitted)
    assert b"lightgbm.basic" not in payload
    assert b"sklearn." not in payload


def test_notes_for_the_next_fit_and_memory_stay_behind(fitted, table):
    from sklearn import config_context

    model = HybridLesionClassifier()
    vars(model).update(vars(fitted.named_steps["model"]))
    with config_context(enable_metadata_routing=True):
        model.set_fit_request(groups=True)
    pipeline = Pipeline(
        [("features", fitted.named_steps["features"]), ("model", model)], memory="x"
    )
    loaded = loads_listed(dumps_model(pipeline))
    assert loaded.memory is None
    expected = fitted.named_steps["model"].predict_proba(table)
    np.testing.assert_array_equal(loaded.named_steps["model"].predict_proba(table), expected)
