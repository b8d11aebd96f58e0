"""Scores against the truth."""

from __future__ import annotations

import json

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
    assert lines[0].startswith("measure")
    assert "accuracy, precision, recall, specificity and f1 hold at the threshold 0.5." in lines
    assert any(line.startswith("pauc is the area") and "at most 0.2" in line for line in lines)
    assert any(line.split()[:2] == ["auc", "1.000"] for line in lines)
    assert any(line.split()[:2] == ["precision", "1.000"] for line in lines)
    assert lines[-1].startswith(f"wrote {out}: metrics.csv, metrics.json, metrics.png, 40 rows")
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
