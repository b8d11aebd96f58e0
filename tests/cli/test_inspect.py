"""What a model says about itself."""

from __future__ import annotations

import json

import joblib


def test_words_and_json(hybridlesion, model_file):
    words = hybridlesion("inspect", model_file)
    assert words.exit_code == 0, words.output
    assert "Trained on 39 lesions of 20 patients, 10 of them malignant" in words.stdout
    assert "Not a medical device" in words.stdout
    manifest = json.loads(hybridlesion("inspect", model_file, "--json").stdout)
    assert manifest["training"]["n_rows"] == 39


def test_foreign_files_are_refused(hybridlesion, tmp_path):
    joblib.dump({"a": 1}, tmp_path / "m.joblib")
    result = hybridlesion("inspect", tmp_path / "m.joblib")
    assert result.exit_code == 1
    assert "not a hybridlesion model file" in result.stderr


def test_signed_models(hybridlesion, features_file, lesions, tmp_path):
    key, other, model = tmp_path / "key", tmp_path / "other", tmp_path / "m.joblib"
    key.write_text("a key of at least 16 bytes\n")
    other.write_text("another key of 16 bytes and more\n")
    fitted = hybridlesion("fit", features_file, "--out", model, "--folds", 3, "--sign", key)
    assert fitted.exit_code == 0, fitted.output
    assert "Signed; give the key" in hybridlesion("inspect", model).stdout
    assert "Signed with this key." in hybridlesion("inspect", model, "--key", key).stdout
    arguments = ("score", model, features_file, "--out", tmp_path / "s.csv")
    assert hybridlesion(*arguments, "--key", key).exit_code == 0
    report = ("report", model, "--out", tmp_path / "page")
    assert hybridlesion(*report, "--key", key).exit_code == 0
    for command in (("inspect", model), arguments, report):
        refused = hybridlesion(*command, "--key", other)
        assert refused.exit_code == 1
        assert "does not match this key" in refused.stderr


def test_a_key_refuses_unsigned_models(hybridlesion, model_file, tmp_path):
    (tmp_path / "key").write_text("a key of at least 16 bytes\n")
    for command in (
        ("inspect", model_file),
        ("score", model_file, "x", "--out", tmp_path / "s.csv"),
        ("report", model_file, "--out", tmp_path / "page"),
    ):
        refused = hybridlesion(*command, "--key", tmp_path / "key")
        assert refused.exit_code == 1
        assert "is not signed" in refused.stderr
    assert hybridlesion("inspect", model_file, "--key", tmp_path / "none").exit_code == 1


def test_no_fit_starts_with_a_key_that_is_none(hybridlesion, tmp_path):
    arguments = ("fit", tmp_path / "none.csv", "--out", tmp_path / "m.joblib")
    result = hybridlesion(*arguments, "--sign", tmp_path / "none")
    assert result.exit_code == 1
    assert "cannot read the key file" in result.stderr
