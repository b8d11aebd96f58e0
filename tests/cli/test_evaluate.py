"""Scores against the truth."""

from __future__ import annotations

import json
import re

import pandas as pd
import pytest


@pytest.fixture
def scores(lesions, tmp_path):
    truth = pd.read_csv(lesions / "metadata.csv")
    table = pd.DataFrame({"image_id": truth["image_name"], "score": 0.1 + 0.5 * truth["target"]})
    table.to_csv(tmp_path / "scores.csv", index=False)
    return tmp_path / "scores.csv"


def test_table_files_and_last_line(hybridlesion, lesions, scores, tmp_path):
    out = tmp_path / "evaluation"
    arguments = (scores, "--truth", lesions / "metadata.csv", "--out", out, "--threshold", 0.5)
    result = hybridlesion("evaluate", *arguments)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].startswith("metric")
    named = "accuracy, precision, recall, specificity, f1 and net_benefit"
    assert f"{named} are at the threshold 0.5." in lines
    assert any(line.startswith("pauc is the area") and "at most 0.2" in line for line in lines)
    assert any(line.split()[:2] == ["auc", "1.000"] for line in lines)
    assert any(line.split()[:2] == ["precision", "1.000"] for line in lines)
    assert lines[-1].startswith(f"wrote {out}: metrics.csv, metrics.json, metrics.png, ")
    assert ", 40 rows, 0 failed, " in lines[-1]
    metrics = json.loads((out / "metrics.json").read_text())["metrics"]
    assert metrics["auc"]["value"] == 1.0


def test_truth_is_asked_for_by_name(hybridlesion, lesions, scores, tmp_path):
    table = pd.read_csv(lesions / "metadata.csv").rename(columns={"target": "cancer"})
    table = table.drop(columns=["benign_malignant", "diagnosis"])
    table.to_csv(tmp_path / "truth.csv", index=False)
    arguments = (scores, "--truth", tmp_path / "truth.csv", "--out", tmp_path / "e")
    refused = hybridlesion("evaluate", *arguments)
    assert refused.exit_code == 1
    assert "--target" in refused.stderr
    assert hybridlesion("evaluate", *arguments, "--target", "cancer").exit_code == 0


def test_groups_of_patients_and_thresholds_are_printed(hybridlesion, lesions, scores, tmp_path):
    arguments = (scores, "--truth", lesions / "metadata.csv", "--out", tmp_path / "e")
    result = hybridlesion("evaluate", *arguments, "--cost-ratio", 9, "--bootstrap", 20)
    assert result.exit_code == 0, result.output
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert "threshold for threshold sensitivity specificity precision positive" in lines
    assert any(line.startswith("sensitivity 90 % 0.600") for line in lines)
    assert any(line.startswith("cost ratio 9, by formula 0.100 1.00") for line in lines)
    assert any(re.match(r"all 40 10 1\.00 \(0\.9\d-1\.00\)", line) for line in lines)
    assert any(line.startswith("site: torso 40 10 1.00") for line in lines)
    assert any(line.startswith("- : too few malignant or benign images") for line in lines)


def test_json_is_all_there_is_on_standard_output(hybridlesion, lesions, scores, tmp_path):
    out = tmp_path / "e"
    arguments = (scores, "--truth", lesions / "metadata.csv", "--out", out)
    result = hybridlesion("evaluate", *arguments, "--json", "--bootstrap", 20)
    assert result.exit_code == 0, result.output
    content = json.loads(result.stdout)
    stored = json.loads((out / "metrics.json").read_text())
    assert {name: content[name] for name in stored} == stored
    assert set(content) - set(stored) == {"seconds", "notes", "path", "files"}
    assert sorted(content["files"]) == sorted(str(path) for path in out.iterdir())
    assert content["n_bootstrap"] == 20
    auc = content["metrics"]["auc"]
    assert (auc["value"], auc["high"]) == (1.0, 1.0)
    # Ten malignant lesions ranked right are not all that there are.
    assert 0.8 < auc["low"] < 1
    assert content["subgroups"][0]["n"] == 40


def test_two_scores(hybridlesion, lesions, scores, tmp_path):
    table = pd.read_csv(scores)
    table["score"] = 1 - table["score"]
    table.to_csv(tmp_path / "worse.csv", index=False)
    arguments = (scores, "--truth", lesions / "metadata.csv", "--out", tmp_path / "e")
    result = hybridlesion("evaluate", *arguments, "--against", tmp_path / "worse.csv")
    assert result.exit_code == 0, result.output
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    found = [line for line in lines if line.startswith("auc 1.000 0.000 +1.0000 +0.")]
    assert found[0].endswith("to +1.0000 < 0.001")
    assert any(line.startswith("difference = scores.csv minus worse.csv") for line in lines)
    assert (tmp_path / "e" / "comparison.csv").exists()


@pytest.mark.parametrize(
    ("option", "value", "code", "words"),
    [
        ("--cost-ratio", -2, 2, "for one missed lesion; got -2"),
        ("--bootstrap", -1, 2, "--bootstrap"),
        ("--against", "nowhere.csv", 1, "nowhere.csv"),
    ],
)
def test_refusals(hybridlesion, lesions, scores, tmp_path, option, value, code, words):
    arguments = (scores, "--truth", lesions / "metadata.csv", "--out", tmp_path / "e")
    result = hybridlesion("evaluate", *arguments, option, value)
    assert result.exit_code == code
    assert words in result.stderr
    assert "Traceback" not in result.stderr


def test_a_column_of_sources(hybridlesion, lesions, scores, tmp_path):
    table = pd.read_csv(lesions / "metadata.csv")
    table["hospital"] = [("Graz", "Lyon", "Oslo")[row // 2 % 3] for row in range(len(table))]
    table.to_csv(tmp_path / "truth.csv", index=False)
    arguments = (scores, "--truth", tmp_path / "truth.csv", "--out", tmp_path / "e")
    result = hybridlesion("evaluate", *arguments, "--source", "hospital", "--bootstrap", 20)
    assert result.exit_code == 0, result.output
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert any(line.startswith("source: Graz") for line in lines)
    assert "metric sources mean 95 % interval new source" in lines
    assert (tmp_path / "e" / "sources.csv").exists()
    # Single lesions of Lyon and Oslo are too few for values of their own.
    table["hospital"] = ["Lyon", "Oslo", *["Graz"] * (len(table) - 2)]
    table.to_csv(tmp_path / "truth.csv", index=False)
    single = hybridlesion("evaluate", *arguments, "--source", "hospital", "--bootstrap", 20)
    assert "1 source: a prediction for a new source needs at least 3." in single.stdout
    assert "mean" not in single.stdout.replace("mean score", "")
    refused = hybridlesion("evaluate", *arguments, "--source", "clinic")
    assert refused.exit_code == 1
    assert "--source names the column 'clinic', which the tables lack" in refused.stderr
