"""Tables to a model file."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hybridlesion.persistence import load_artifact, read_manifest


def test_model_of_a_feature_table(hybridlesion, features_file, tmp_path):
    out = tmp_path / "m.joblib"
    result = hybridlesion("fit", features_file, "--out", out, "--folds", 3, "--jobs", 1)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert "39 lesions in 20 groups, 10 malignant" in lines[0]
    assert any(line.startswith("auc ") and " to " in line for line in lines)
    assert lines[-1].startswith(f"wrote {out}: fitted on 39 rows")
    manifest = read_manifest(out)
    assert manifest["folds"]["n_splits"] == 3
    assert manifest["training"]["n_patients"] == 20
    assert [row["metric"] for row in manifest["metrics"]].count("auc") == 1
    assert list(load_artifact(out).named_steps) == ["features", "model"]


def test_features_and_metadata_are_joined(hybridlesion, lesions, tmp_path):
    bare = tmp_path / "bare.parquet"
    assert hybridlesion("features", lesions / "images", "--out", bare, "--jobs", 1).exit_code == 0
    refused = hybridlesion("fit", bare, "--out", tmp_path / "m.joblib")
    assert refused.exit_code == 1
    assert "no targets for the lesions were found" in refused.stderr
    out = tmp_path / "m.joblib"
    arguments = (bare, lesions / "metadata.csv", "--out", out, "--folds", 3, "--jobs", 1)
    result = hybridlesion("fit", *arguments)
    assert result.exit_code == 0, result.output
    assert "benign_malignant" in result.stderr
    assert "1 of 40 records have no measured image" in result.stderr
    manifest = read_manifest(out)
    assert manifest["training"]["n_rows"] == 39
    assert {"abcd", "meta"} <= set(manifest["features"]["families"])
    assert "qa" not in manifest["features"]["families"]


def test_metadata_alone(hybridlesion, lesions, tmp_path):
    out = tmp_path / "m.joblib"
    arguments = (lesions / "metadata.csv", "--out", out, "--folds", 3, "--seeds", 2, "--jobs", 1)
    result = hybridlesion("fit", *arguments)
    assert result.exit_code == 0, result.output
    manifest = read_manifest(out)
    assert set(manifest["features"]["families"]) <= {"meta", "ctx"}
    assert manifest["featurizer"] is None
    assert manifest["folds"]["n_seeds"] == 2


@pytest.mark.parametrize(
    ("option", "rule"),
    [
        ((), "for 90 % sensitivity"),
        (("--sensitivity", 0.8), "for 80 % sensitivity"),
        (("--threshold", "f1"), "for the highest F1"),
        (("--cost-ratio", 19), "for a cost ratio of 19"),
    ],
)
def test_the_rule_of_the_threshold_is_said_and_kept(hybridlesion, lesions, tmp_path, option, rule):
    out, oof = tmp_path / "m.joblib", tmp_path / "oof.csv"
    arguments = (lesions / "metadata.csv", "--out", out, "--folds", 3, "--jobs", 1, "--oof", oof)
    result = hybridlesion("fit", *arguments, *option)
    assert result.exit_code == 0, result.output
    kept = pd.read_csv(oof)
    words = f"the threshold {rule} ({kept['threshold'][0]:.4g})"
    assert f"classified as malignant at or above {words}" in result.stdout
    assert f"f1 and net_benefit are at {words}." in result.stdout
    assert set(kept["threshold_rule"]) == {rule}
    assert f"malignant at or above {words}." in hybridlesion("inspect", out).stdout
    measured = hybridlesion(
        "evaluate", oof, "--truth", lesions / "metadata.csv", "--out", tmp_path, "--bootstrap", 5
    )
    assert f"are at {words}." in measured.stdout
    if "sensitivity" in rule:
        called = kept["score"] >= kept["threshold"]
        assert called[kept["target"] == 1].mean() >= float(rule.split()[1]) / 100


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--sensitivity", 0.95, "--cost-ratio", 20), "--sensitivity and --cost-ratio both set"),
        (("--sensitivity", 0.9, "--threshold", "f1"), "--sensitivity and --threshold both set"),
        (("--sensitivity", 95), "as 0.95"),
        (("--sensitivity", 0), "as 0.95"),
    ],
)
def test_rules_that_exclude_each_other(hybridlesion, features_file, tmp_path, options, reason):
    result = hybridlesion("fit", features_file, "--out", tmp_path / "m.joblib", *options)
    assert result.exit_code == 2
    assert reason in " ".join(result.stderr.split())


def test_the_same_seed_gives_the_same_model(hybridlesion, features_file, tmp_path):
    digests = []
    for name in ("a", "b"):
        out = tmp_path / f"{name}.joblib"
        hybridlesion("fit", features_file, "--out", out, "--folds", 3, "--jobs", 1)
        manifest = read_manifest(out)
        digests.append((manifest["metrics"], manifest["threshold"], manifest["training"]))
    assert digests[0] == digests[1]


@pytest.mark.parametrize(
    ("change", "arguments", "reason"),
    [
        (lambda t: t.assign(target=0, benign_malignant="benign"), (), "benign and malignant"),
        (lambda t: t, ("--groups", "clinic"), "the tables lack"),
        (lambda t: t, ("--target", "outcome"), "outcome"),
    ],
)
def test_refusals(hybridlesion, lesions, tmp_path, change, arguments, reason):
    change(pd.read_csv(lesions / "metadata.csv")).to_csv(tmp_path / "t.csv", index=False)
    result = hybridlesion("fit", tmp_path / "t.csv", "--out", tmp_path / "m.joblib", *arguments)
    assert result.exit_code == 1, result.output
    assert reason in result.stderr
    assert not (tmp_path / "m.joblib").exists()


def test_out_of_fold_scores_are_written(hybridlesion, lesions, features_file, tmp_path):
    oof = tmp_path / "oof.csv"
    arguments = (features_file, "--out", tmp_path / "m.joblib", "--folds", 3, "--jobs", 1)
    result = hybridlesion("fit", *arguments, "--oof", oof)
    assert result.exit_code == 0, result.output
    assert len(pd.read_csv(oof)) == 39
    told = next(line for line in result.stdout.splitlines() if line.startswith("auc "))
    truth = lesions / "metadata.csv"
    judged = hybridlesion("evaluate", oof, "--truth", truth, "--out", tmp_path / "e")
    assert told.split()[1] in judged.stdout
    assert "39 of" not in judged.stderr
    refused = hybridlesion("fit", *arguments, "--oof", tmp_path / "oof.xlsx")
    assert refused.exit_code == 2
    assert "'--oof': it must end in .csv" in refused.stderr


def test_sources_are_left_out_in_turn(hybridlesion, lesions, features_file, tmp_path):
    names = pd.read_csv(lesions / "metadata.csv")["image_name"]
    # Four images are two patients, one of them with a melanoma.
    hospitals = np.where(np.arange(len(names)) // 4 % 2, "Lyon", "Graz")
    table = pd.DataFrame({"image_name": names, "hospital": hospitals})
    table.to_csv(tmp_path / "hospitals.csv", index=False)
    arguments = (features_file, tmp_path / "hospitals.csv", "--out", tmp_path / "m.joblib")
    options = ("--source", "hospital", "--folds", 2, "--jobs", 1)
    result = hybridlesion("fit", *arguments, *options)
    assert result.exit_code == 0, result.output
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert any(line.startswith("Graz ") for line in lines)
    assert any("prediction for a new source needs at least 3" in line for line in lines)
    facts = read_manifest(tmp_path / "m.joblib")["training"]["sources"]
    assert [row["source"] for row in facts["table"]] == ["Graz", "Lyon"]
