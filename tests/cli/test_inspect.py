"""What a model says about itself."""

from __future__ import annotations

import json

import joblib


def test_words_and_json(hybridlesion, model_file):
    words = hybridlesion("inspect", model_file)
    assert words.exit_code == 0, words.output
    assert "Learned from 39 lesions of 20 patients, 10 of them malignant" in words.stdout
    assert "Not a medical device" in words.stdout
    manifest = json.loads(hybridlesion("inspect", model_file, "--json").stdout)
    assert manifest["training"]["n_rows"] == 39


def test_foreign_files_are_refused(hybridlesion, tmp_path):
    joblib.dump({"a": 1}, tmp_path / "m.joblib")
    result = hybridlesion("inspect", tmp_path / "m.joblib")
    assert result.exit_code == 1
    assert "not a hybridlesion model file" in result.stderr
