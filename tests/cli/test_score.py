"""A model over images and tables."""

from __future__ import annotations

import json

import pandas as pd
import pyarrow.parquet as pq
import pytest


@pytest.fixture(scope="module")
def from_images(hybridlesion, model_file, lesions, tmp_path_factory):
    out = tmp_path_factory.mktemp("scores") / "scores.csv"
    arguments = (model_file, lesions / "images", "--metadata", lesions / "metadata.csv")
    result = hybridlesion("score", *arguments, "--out", out, "--jobs", 1)
    assert result.exit_code == 0, result.output
    return out, result


def test_columns_rows_and_failures(from_images):
    out, result = from_images
    scores = pd.read_csv(out)
    known = ["image_id", "path", "patient_id", "score", "label", "threshold", "threshold_rule"]
    known += ["applicability", "applicability_reason"]
    assert scores["applicability"].between(0, 1).all()
    assert scores.columns.tolist() == known
    assert len(scores) == 39
    assert scores["score"].between(0, 1).all()
    assert (scores["label"] == (scores["score"] >= scores["threshold"])).all()
    assert set(scores["threshold_rule"]) == {"for 90 % sensitivity"}
    at = f"the threshold for 90 % sensitivity ({scores['threshold'][0]:.4g})"
    assert f"label 1 is a score at or above {at}" in result.stdout
    assert pd.read_csv(f"{out}.errors.csv")["image_id"].tolist() == ["SYN_0007"]
    assert "39 rows, 1 failed" in result.stdout.splitlines()[-1]
    assert sorted(path.name for path in out.parent.iterdir()) == [
        "scores.csv",
        "scores.csv.errors.csv",
    ]


def test_feature_tables_give_equal_scores(
    hybridlesion, model_file, features_file, from_images, tmp_path
):
    out = tmp_path / "scores.parquet"
    result = hybridlesion("score", model_file, features_file, "--out", out)
    assert result.exit_code == 0, result.output
    table, images = pd.read_parquet(out), pd.read_csv(from_images[0])
    assert table["image_id"].tolist() == images["image_id"].tolist()
    pd.testing.assert_series_equal(table["score"], images["score"], rtol=1e-12)


def test_tables_measured_in_another_way_are_refused(
    hybridlesion, model_file, features_file, tmp_path
):
    other = tmp_path / "other.parquet"
    table = pq.read_table(features_file)
    facts = json.loads(table.schema.metadata[b"hybridlesion"])
    facts["featurizer"] |= {"segmenter": "classical", "long_side": 256}
    marked = table.schema.metadata | {b"hybridlesion": json.dumps(facts).encode()}
    pq.write_table(table.replace_schema_metadata(marked), other)
    result = hybridlesion("score", model_file, other, "--out", tmp_path / "s.csv")
    assert result.exit_code == 1
    assert "were measured in another way" in " ".join(result.stderr.split())
    assert "long_side, segmenter" in " ".join(result.stderr.split())
    assert not (tmp_path / "s.csv").exists()


def test_images_in_two_tables_are_refused(hybridlesion, model_file, features_file, tmp_path):
    tables = (features_file, features_file)
    result = hybridlesion("score", model_file, *tables, "--out", tmp_path / "s.csv")
    assert result.exit_code == 1
    assert "in more than one of the tables" in " ".join(result.stderr.split())


def test_images_without_metadata_are_scored_with_a_note(
    hybridlesion, model_file, lesions, tmp_path
):
    out = tmp_path / "s.csv"
    sources = [lesions / "images" / f"SYN_000{number}.png" for number in (1, 2)]
    result = hybridlesion("score", model_file, *sources, "--out", out, "--jobs", 1)
    assert result.exit_code == 0, result.output
    assert "note: the model uses age, sex and site" in result.stderr
    assert pd.read_csv(out)["image_id"].tolist() == ["SYN_0001", "SYN_0002"]


def test_models_of_metadata_score_tables_only(hybridlesion, lesions, tmp_path):
    model, out = tmp_path / "m.joblib", tmp_path / "s.csv"
    arguments = (lesions / "metadata.csv", "--out", model, "--folds", 3, "--jobs", 1)
    assert hybridlesion("fit", *arguments).exit_code == 0
    result = hybridlesion("score", model, lesions / "metadata.csv", "--out", out)
    assert result.exit_code == 0, result.output
    assert len(pd.read_csv(out)) == 40
    refused = hybridlesion("score", model, lesions / "images", "--out", out)
    assert refused.exit_code == 1
    assert "cannot measure images" in refused.stderr


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda t: t.drop(columns=[c for c in t if c.startswith("abcd__a")]), "lacks"),
        (lambda t: t.drop(columns=["image_id", "path"]), "image"),
    ],
)
def test_feature_tables_that_lack_something(
    hybridlesion, model_file, features_file, tmp_path, change, reason
):
    change(pd.read_parquet(features_file)).to_parquet(tmp_path / "t.parquet")
    result = hybridlesion("score", model_file, tmp_path / "t.parquet", "--out", tmp_path / "s.csv")
    assert result.exit_code == 1, result.output
    assert reason in result.stderr
    assert not (tmp_path / "s.csv").exists()


def test_images_and_feature_tables_do_not_mix(
    hybridlesion, model_file, features_file, lesions, tmp_path
):
    arguments = (model_file, features_file, lesions / "images", "--out", tmp_path / "s.csv")
    result = hybridlesion("score", *arguments)
    assert result.exit_code == 1
    assert "not both at once" in result.stderr


def test_nothing_usable_leaves_the_reasons(hybridlesion, model_file, lesions, tmp_path):
    out = tmp_path / "s.csv"
    broken = lesions / "images" / "SYN_0007.png"
    result = hybridlesion("score", model_file, broken, "--out", out, "--jobs", 1)
    assert result.exit_code == 1
    assert f"{out}.errors.csv" in result.stderr
    assert not out.exists()
    assert pd.read_csv(f"{out}.errors.csv")["image_id"].tolist() == ["SYN_0007"]


def _half(lesions, folder):
    pd.read_csv(lesions / "metadata.csv").head(20).to_csv(folder / "half.csv", index=False)
    return folder / "half.csv"


def test_images_without_a_record_are_scored_with_a_note(
    hybridlesion, model_file, lesions, tmp_path
):
    out = tmp_path / "s.csv"
    table = pd.read_csv(lesions / "metadata.csv").iloc[18:20]
    table.to_csv(tmp_path / "two.csv", index=False)
    sources = [lesions / "images" / f"SYN_00{number}.png" for number in (18, 19, 20)]
    arguments = (model_file, *sources, "--metadata", tmp_path / "two.csv")
    result = hybridlesion("score", *arguments, "--out", out, "--jobs", 1)
    assert result.exit_code == 0, result.output
    scores = pd.read_csv(out)
    assert len(scores) == 3
    assert scores["patient_id"].notna().sum() == 2
    assert "1 of 3 images have no record; they are scored" in result.stderr
    assert "left out" not in result.stderr


def test_metadata_of_other_images_is_refused(hybridlesion, model_file, lesions, tmp_path):
    table = pd.read_csv(lesions / "metadata.csv")
    table.assign(image_name="X" + table["image_name"]).to_csv(tmp_path / "t.csv", index=False)
    arguments = (model_file, lesions / "images", "--metadata", tmp_path / "t.csv")
    result = hybridlesion("score", *arguments, "--out", tmp_path / "s.csv", "--jobs", 1)
    assert result.exit_code == 1
    assert "no record of these images" in result.stderr


def test_measured_rows_without_a_record_are_scored(
    hybridlesion, model_file, features_file, lesions, tmp_path
):
    record = ["age", "sex", "site", "patient_id", "age_raw", "sex_raw", "site_raw"]
    bare = pd.read_parquet(features_file).drop(columns=record, errors="ignore")
    bare.to_parquet(tmp_path / "bare.parquet")
    out = tmp_path / "s.csv"
    arguments = (model_file, tmp_path / "bare.parquet", "--metadata", _half(lesions, tmp_path))
    result = hybridlesion("score", *arguments, "--out", out)
    assert result.exit_code == 0, result.output
    assert len(pd.read_csv(out)) == 39


def test_training_rows_are_told(from_images, hybridlesion, model_file, features_file, tmp_path):
    seen = "39 of 40 images, 20 of 20 patients were in the training data; their scores are"
    assert seen in from_images[1].stderr
    table = pd.read_parquet(features_file)
    new = table.assign(image_id="N" + table["image_id"], patient_id="N" + table["patient_id"])
    new.to_parquet(tmp_path / "new.parquet")
    arguments = (model_file, tmp_path / "new.parquet", "--out", tmp_path / "s.csv")
    assert "in the training" not in hybridlesion("score", *arguments).stderr


def test_reasons_add_up_to_the_score(hybridlesion, model_file, features_file, tmp_path):
    out = tmp_path / "s.csv"
    result = hybridlesion("score", model_file, features_file, "--out", out, "--explain")
    assert result.exit_code == 0, result.output
    scores = pd.read_csv(out)
    shares = [name for name in scores if name.startswith("share_")]
    assert {"share_border", "share_color", "share_meta"} <= set(shares)
    total = scores["base"] + scores[shares].sum(axis=1)
    pd.testing.assert_series_equal(total, scores["score"], check_names=False, atol=1e-9)
    assert scores[["reason_1", "reason_2", "reason_3"]].notna().all(axis=None)
    assert scores["reason_1"].str.contains("benign lesions").any()
    assert scores["abcd__tds"].between(1, 8.9).all()


def test_scoring_asks_nobody_to_name_malignant_diagnoses(
    hybridlesion, model_file, lesions, tmp_path
):
    out, table = tmp_path / "s.csv", tmp_path / "clinic.csv"
    table.write_text("image_id,age,diagnosis\nSYN_0001,50,nevus\nSYN_0002,60,wart-like thing\n")
    sources = [lesions / "images" / f"SYN_000{number}.png" for number in (1, 2)]
    arguments = (model_file, *sources, "--metadata", table, "--out", out, "--jobs", 1)
    result = hybridlesion("score", *arguments)
    assert result.exit_code == 0, result.output
    assert "--malignant" not in result.stderr


def test_abstention_and_sets(hybridlesion, model_file, features_file, tmp_path):
    out = tmp_path / "s.csv"
    options = ("--out", out, "--abstain", 0.05, "--coverage", 0.8)
    result = hybridlesion("score", model_file, features_file, *options)
    assert result.exit_code == 0, result.output
    scores = pd.read_csv(out)
    left_out = scores["score"].isna()
    assert len(scores) == 39
    assert 0 < left_out.sum() < 39
    assert (left_out >= (scores["confidence"] < 0.95)).all()
    assert scores["applicability_reason"][left_out].notna().all()
    assert set(scores["set"][~left_out]) <= {"benign", "malignant", "both", "empty"}
    assert f"39 rows, {left_out.sum()} without a score, 0 failed" in result.stdout.splitlines()[-1]
    told = json.loads(hybridlesion("score", model_file, features_file, *options, "--json").stdout)
    assert told["n_unscored"] == left_out.sum()
    assert sum(told["reasons"].values()) >= left_out.sum()


def test_rows_without_a_score_are_left_out_of_an_evaluation(
    hybridlesion, model_file, features_file, lesions, tmp_path
):
    out = tmp_path / "s.csv"
    done = hybridlesion("score", model_file, features_file, "--out", out, "--abstain", 1e-4)
    assert "39 rows, 39 without a score" in done.stdout
    hybridlesion("score", model_file, features_file, "--out", out, "--coverage", 0.9)
    scores, n = pd.read_csv(out, dtype={"applicability_reason": object}).assign(abstain=0.1), 5
    scores.loc[1:n, ["score", "label"]] = None
    scores.loc[1:n, "applicability_reason"] = "no lesion found"
    scores.to_csv(out, index=False)
    truth = ("--truth", lesions / "metadata.csv", "--out", tmp_path / "out", "--bootstrap", 20)
    result = hybridlesion("evaluate", out, *truth)
    assert result.exit_code == 0, result.output
    assert f"{n} of 39 rows without a score, on which the model abstained" in result.stderr
    assert "wrong labels: in the tenth of lowest certainty" in result.stdout
    curve = pd.read_csv(tmp_path / "out" / "selective_risk.csv")
    assert set(curve["by"]) == {"applicability", "confidence"}
    assert curve["n"].max() == 39 - n
    assert (tmp_path / "out" / "selective_risk.png").stat().st_size > 0
    scores.assign(score=None, applicability_reason="no lesion found").to_csv(out, index=False)
    result = hybridlesion("evaluate", out, *truth)
    assert result.exit_code == 1
    assert "has no scores: the model abstained on every row" in result.stderr


def test_rows_of_other_settings_are_not_appended(hybridlesion, model_file, features_file, tmp_path):
    arguments = ("score", model_file, features_file, "--out", tmp_path / "s.csv", "--append")
    assert hybridlesion(*arguments, "--abstain", 0.1, "--coverage", 0.9).exit_code == 0
    assert hybridlesion(*arguments, "--abstain", 0.1, "--coverage", 0.9).exit_code == 0
    result = hybridlesion(*arguments, "--abstain", 0.1, "--coverage", 0.8)
    assert result.exit_code == 1
    assert "has scores of coverage 0.9, the new ones have 0.8" in result.stderr
    result = hybridlesion(*arguments, "--coverage", 0.9)
    assert "has scores of abstain 0.1, the new ones have none" in result.stderr


def test_one_image_without_an_output_file_is_scored_and_explained(
    hybridlesion, model_file, lesions
):
    image = lesions / "images" / "SYN_0004.png"
    facts = ("--age", 40, "--sex", "female", "--site", "torso")
    result = hybridlesion("score", model_file, image, *facts)
    assert result.exit_code == 0, result.output
    first, *lines = result.stdout.splitlines()
    assert first.startswith("SYN_0004: score ")
    assert sum(line.startswith("  ") for line in lines) == 3
    assert any("training lesions with the nearest scores" in line for line in lines)
    read = hybridlesion("score", model_file, image, *facts, "--json")
    answer = json.loads(read.stdout)
    assert set(answer) - set(answer["fields"]) == {"fields", "seconds", "notes"}
    assert (answer["score"] >= answer["threshold"]) == bool(answer["label"]) == ("above" in first)
    assert [f"  {reason}" for reason in answer["reasons"]] == [x for x in lines if x[0] == " "]


def test_diagnoses_of_one_image_need_a_model_that_learned_them(hybridlesion, model_file, lesions):
    image = lesions / "images" / "SYN_0004.png"
    result = hybridlesion("score", model_file, image, "--diagnoses")
    assert result.exit_code == 1
    assert "--diagnoses needs a model that learned diagnoses" in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("SYN_0001.png", "SYN_0002.png"), "several inputs needs a table of scores"),
        (("table.csv",), "a table needs a table of scores"),
        (("SYN_0001.png", "--metadata", "m.csv"), "--metadata needs --out"),
        (("SYN_0001.png", "--append"), "--append needs --out"),
        (("SYN_0001.png", "--cache-limit", "1"), "--cache-limit needs --out"),
        (("SYN_0001.png", "--dask-resource", "GPU=1"), "--dask-resource needs --out"),
        (("SYN_0001.png", "--age", 40, "--out", "s.csv"), "--age describes one image"),
    ],
)
def test_options_of_one_image_and_of_tables_do_not_mix(hybridlesion, model_file, arguments, words):
    result = hybridlesion("score", model_file, *arguments)
    assert result.exit_code == 2
    assert words in " ".join(result.stderr.split())
