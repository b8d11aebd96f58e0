"""`--json`: standard output is one JSON object, for each command whose result a script reads."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from typer.core import TyperOption
from typer.main import get_command

from hybridlesion.cli import app
from hybridlesion.cli._output import print_json

OUTCOME = ["seconds", "notes", "path", "n_rows", "n_reused", "n_failed", "errors_path", "fields"]


def test_commands_with_a_result_have_it():
    having = [
        name
        for name, command in get_command(app).commands.items()
        if any("--json" in one.opts for one in command.params if isinstance(one, TyperOption))
    ]
    # explain draws, demo shows, app serves: nothing to read for a script.
    assert set(get_command(app).commands) - set(having) == {"explain", "demo", "app"}


@pytest.fixture
def read(hybridlesion):
    """Run a command with --json and read what it prints."""

    def run(*arguments):
        result = hybridlesion(*arguments, "--json")
        assert result.exit_code == 0, result.output
        found = json.loads(result.stdout)
        assert found["seconds"] > 0
        assert isinstance(found["notes"], list)
        return found

    return run


def test_features(read, lesions, tmp_path):
    out = tmp_path / "f.parquet"
    images = tmp_path / "images"
    images.mkdir()
    for name in ("SYN_0001", "SYN_0007"):
        (images / f"{name}.png").write_bytes((lesions / "images" / f"{name}.png").read_bytes())
    found = read("features", images, "--out", out, "--jobs", 1, "--embedder", "none")
    assert list(found) == [*OUTCOME, "columns", "diagnoses"]
    assert found["columns"] == []
    assert found["fields"] == list(pd.read_parquet(out))
    assert found["path"] == str(out)
    assert (found["n_rows"], found["n_reused"], found["n_failed"]) == (1, 0, 1)
    assert found["errors_path"] == f"{out}.errors.csv"


def test_fit(read, features_file, tmp_path):
    out = tmp_path / "m.joblib"
    found = read("fit", features_file, "--out", out, "--folds", 3, "--jobs", 1)
    assert found["path"] == str(out)
    assert (found["n_rows"], found["n_groups"], found["n_positive"]) == (39, 20, 10)
    assert found["metrics"]["auc"]["low"] <= found["metrics"]["auc"]["value"] <= 1
    assert found["metrics"]["threshold"]["low"] is None
    assert found["threshold"] == found["metrics"]["threshold"]["value"]
    assert list(found["thresholds"]) == ["0.8", "0.9", "0.95"]
    assert found["audit"]["checks"]
    assert [one["baseline"] for one in found["baselines"]] == ["metadata", "logistic", "cnn"]
    for one in found["baselines"]:
        assert one["low"] <= one["auc"] - one["auc_baseline"] <= one["high"]
    assert "diagnosis" in found["set_aside"]


def test_score(read, model_file, features_file, tmp_path):
    found = read("score", model_file, features_file, "--out", tmp_path / "s.csv")
    assert list(found) == [*OUTCOME, "n_unscored", "reasons", "threshold", "threshold_rule"]
    scores = pd.read_csv(tmp_path / "s.csv")
    assert found["n_rows"] == len(scores) == 39
    assert found["fields"] == list(scores)
    assert (found["threshold"], found["threshold_rule"]) == (
        scores["threshold"][0],
        "for 90 % sensitivity",
    )


def test_report(read, model_file, tmp_path):
    found = read("report", model_file, "--out", tmp_path / "r")
    assert found["path"] == str(tmp_path / "r" / "report.html")
    assert (found["n_cases"], found["warnings"]) == (0, [])


def test_refusals_leave_standard_output_empty(hybridlesion, tmp_path):
    result = hybridlesion("score", "gone", "gone", "--out", tmp_path / "s.csv", "--json")
    assert (result.exit_code, result.stdout) == (1, "")


def test_what_json_cannot_hold_becomes_null(capsys):
    print_json({"a": float("nan"), "b": [float("inf"), 1.5], 0.8: {"c": -float("inf")}})
    found = json.loads(capsys.readouterr().out)
    assert found.pop("seconds") > 0
    assert found == {"notes": [], "a": None, "b": [None, 1.5], "0.8": {"c": None}}
