"""Batches compared with the training rows by the command."""

import json

import pandas as pd


def test_no_alarm_is_0_and_an_alarm_is_3(hybridlesion, model_file, features_file, tmp_path):
    result = hybridlesion("drift", model_file, features_file)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[0].split() == ["batch", "rows", "patients", "alarms"]
    assert result.stdout.splitlines()[-1].startswith("0 alarms in ")
    table = pd.read_parquet(features_file)
    table["abcd__skin_lightness"] += 40
    table.to_parquet(tmp_path / "dark.parquet")
    result = hybridlesion("drift", model_file, features_file, tmp_path / "dark.parquet")
    assert result.exit_code == 3, result.output
    assert any(
        line.startswith("dark.parquet  abcd__skin_lightness") for line in result.stdout.splitlines()
    )
    result = hybridlesion("drift", model_file, tmp_path / "dark.parquet", "--json")
    assert result.exit_code == 3
    found = json.loads(result.stdout)
    assert found["alarm"] is True
    assert "abcd__skin_lightness" in [c["check"] for c in found["checks"] if c["alarm"]]


def test_without_patients_the_groups_are_images(hybridlesion, model_file, features_file, tmp_path):
    table = pd.read_parquet(features_file).drop(columns="patient_id")
    table.to_parquet(tmp_path / "images.parquet")
    result = hybridlesion("drift", model_file, tmp_path / "images.parquet")
    assert result.stdout.splitlines()[0].split() == ["batch", "rows", "images", "alarms"]
    result = hybridlesion("drift", model_file, tmp_path / "images.parquet", features_file)
    assert result.stdout.splitlines()[0].split() == ["batch", "rows", "groups", "alarms"]


def test_wrong_input_is_refused(hybridlesion, model_file, lesions, tmp_path):
    result = hybridlesion("drift", model_file, lesions / "metadata.csv")
    assert result.exit_code == 1
    assert "neither a score file nor a feature table" in result.stderr
    result = hybridlesion("drift", model_file, tmp_path / "no.csv", "--rate", 0.9)
    assert result.exit_code == 2
