"""The report of a model, by command."""

from __future__ import annotations

import pandas as pd


def test_a_model_alone_and_with_scores(hybridlesion, model_file, features_file, lesions, tmp_path):
    result = hybridlesion("report", model_file, "--out", tmp_path / "alone")
    assert result.exit_code == 0, result.output
    assert "0 cases, 0 failed" in result.stdout.splitlines()[-1]
    scores = tmp_path / "s.csv"
    assert hybridlesion("score", model_file, features_file, "--out", scores).exit_code == 0
    arguments = ("--scores", scores, "--truth", lesions / "metadata.csv", "--cases", 5)
    images = ("--images", lesions / "images", "--jobs", 1)
    result = hybridlesion("report", model_file, *arguments, *images, "--out", tmp_path / "all")
    assert result.exit_code == 0, result.output
    assert "5 cases, 0 failed" in result.stdout.splitlines()[-1]
    assert (tmp_path / "all" / "report.html").read_text().count("data:image/webp") >= 5


def test_no_model(hybridlesion, tmp_path):
    result = hybridlesion("report", tmp_path / "gone.joblib", "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "gone.joblib" in result.stderr


def test_scores_to_compare_with_need_the_truth(hybridlesion, model_file, tmp_path):
    (tmp_path / "s.csv").write_text("image_id,score\na,0.5\n")
    arguments = ("--scores", tmp_path / "s.csv", "--against", tmp_path / "s.csv")
    result = hybridlesion("report", model_file, *arguments, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "--against needs --truth TABLE" in " ".join(result.stderr.split())


def test_columns_of_the_truth_can_be_named(hybridlesion, model_file, features_file, tmp_path):
    scores, truth = tmp_path / "s.csv", tmp_path / "truth.csv"
    assert hybridlesion("score", model_file, features_file, "--out", scores).exit_code == 0
    table = pd.read_parquet(features_file, columns=["image_id", "diagnosis"])
    table.rename(columns={"diagnosis": "Ergebnis"}).to_csv(truth, index=False)
    arguments = ("report", model_file, "--scores", scores, "--truth", truth, "--malignant", "mel")
    shown = (*arguments, "--cases", 1, "--sheets", 0, "--jobs", 1, "--out", tmp_path / "out")
    refused = hybridlesion(*shown)
    assert refused.exit_code == 1
    assert "--column" in refused.stderr
    result = hybridlesion(*shown, "--column", "diagnosis=Ergebnis")
    assert result.exit_code == 0, result.output
