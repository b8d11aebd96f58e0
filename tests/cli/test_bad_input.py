"""Every awkward table, through the command line and through the library: defined, and told."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from hybridlesion.exceptions import TableError
from hybridlesion.inference import score_table
from hybridlesion.model import HybridLesionClassifier
from hybridlesion.persistence import read_manifest
from hybridlesion.training import fit_tables

ODD = 'abcd__ü {"a": [1, 2]}: ×\n2'


def _table(n=90):
    rng = np.random.default_rng(0)
    target = (np.arange(n) % 3 == 0).astype(int)
    return pd.DataFrame(
        {
            "image_id": [f"I{k:03d}" for k in range(n)],
            "patient_id": [f"P{k // 2}" for k in range(n)],
            "sex": rng.choice(["male", "female"], n),
            "age": 50 + 10.0 * target + rng.integers(-12, 12, n),
            "target": target,
            "meta__clinic": rng.choice(["a", "b"], n),
            "abcd__area": rng.random(n) + 0.4 * target,
            ODD: rng.random(n),
        }
    )


@pytest.fixture
def fit(hybridlesion, tmp_path):
    """Write a table and fit it by the command."""

    def run(table, *arguments):
        table.to_csv(tmp_path / "t.csv", index=False)
        arguments = ("--out", tmp_path / "m.joblib", "--folds", 3, "--jobs", 1, *arguments)
        return hybridlesion("fit", tmp_path / "t.csv", *arguments)

    return run


@pytest.fixture(scope="module")
def fitted(hybridlesion, tmp_path_factory):
    """Folder with t.csv and the model of it, m.joblib."""
    folder = tmp_path_factory.mktemp("fitted")
    _table().to_csv(folder / "t.csv", index=False)
    out = ("--out", folder / "m.joblib", "--folds", 3, "--jobs", 1)
    result = hybridlesion("fit", folder / "t.csv", *out)
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture(scope="module")
def classifier():
    table = _table()
    return HybridLesionClassifier(n_splits=3, max_trees=20).fit(table, table["target"])


def test_one_class_only(fit, classifier):
    table = _table().assign(target=1)
    result = fit(table)
    assert result.exit_code == 1
    assert "all 90 rows have target 1; training needs benign and malignant" in result.stderr
    with pytest.raises(ValueError, match="two classes, got one class"):
        HybridLesionClassifier().fit(table, table["target"])


def test_fewer_positives_than_folds(fit):
    table = _table().assign(target=(np.arange(90) % 40 == 0).astype(int))
    result = fit(table, "--folds", 5)
    assert result.exit_code == 0, result.output
    assert "only 3 groups contain one of the classes: using 3 folds" in result.stderr
    one = table.assign(target=(np.arange(90) == 4).astype(int))
    refused = fit(one)
    assert refused.exit_code == 1
    assert "each class must occur in at least 2 groups (patients), got 1" in refused.stderr
    with pytest.raises(ValueError, match="got 1 "):
        HybridLesionClassifier().fit(one, one["target"])


def test_a_patient_with_both_classes_is_one_group(fitted, classifier):
    table = _table()
    assert (table.groupby("patient_id")["target"].nunique() == 2).any()
    assert read_manifest(fitted / "m.joblib")["training"]["n_groups"] == 45
    folds = pd.Series(classifier.folds_).groupby(table["patient_id"])
    assert (folds.nunique() == 1).all()


def test_constant_and_missing_columns(fit, tmp_path, hybridlesion):
    table = _table().assign(abcd__same=1.0, abcd__none=np.nan, meta__word="w")
    result = fit(table)
    assert result.exit_code == 0, result.output
    told = next(line for line in result.stderr.splitlines() if "constant column" in line)
    assert "abcd__same" in told
    assert "meta__word" in told
    names = read_manifest(tmp_path / "m.joblib")["features"]["names"]
    # A column without a single value is left out; one with a single value stays.
    assert "abcd__none" not in names
    assert {"abcd__same", "meta__word"} <= set(names)
    model = HybridLesionClassifier(n_splits=3, max_trees=20).fit(table, table["target"])
    weight = dict(zip(model.feature_names_, model.feature_importances_, strict=True))
    assert weight["abcd__same"] == weight["abcd__none"] == weight["meta__word"] == 0
    assert weight["abcd__area"] > 0


def test_images_listed_twice(fit, tmp_path):
    table = _table()
    agreeing = fit(pd.concat([table, table.head(2)]))
    assert agreeing.exit_code == 0, agreeing.output
    assert "images repeated from an earlier row; merged with it" in agreeing.stderr
    assert read_manifest(tmp_path / "m.joblib")["training"]["n_rows"] == 90
    contrary = table.head(1).assign(target=1 - table["target"].iloc[0])
    refused = fit(pd.concat([table, contrary]))
    assert refused.exit_code == 1
    assert "image I000 appears more than once with different target" in refused.stderr
    # An estimator takes rows as they come, but never parts an image.
    twice = pd.concat([table.drop(columns="patient_id")] * 2, ignore_index=True)
    model = HybridLesionClassifier(n_splits=3, max_trees=20).fit(twice, twice["target"])
    assert (model.folds_[:90] == model.folds_[90:]).all()
    assert model.groups_.max() == 89


def test_odd_column_names(fitted, classifier, hybridlesion):
    assert ODD in read_manifest(fitted / "m.joblib")["features"]["names"]
    assert ODD in classifier.feature_names_in_.tolist()
    out = fitted / "odd.csv"
    result = hybridlesion("score", fitted / "m.joblib", fitted / "t.csv", "--out", out)
    assert result.exit_code == 0, result.output
    assert len(pd.read_csv(out)) == 90
    numbered = _table().rename(columns={"age": 7})
    model = HybridLesionClassifier(n_splits=3, max_trees=20).fit(numbered, numbered["target"])
    assert 7 not in model.feature_names_in_


@pytest.fixture
def score(fitted, hybridlesion, tmp_path):
    """Score a changed table by the command."""

    def run(table):
        table.to_csv(tmp_path / "s.csv", index=False)
        out = tmp_path / "scores.csv"
        return hybridlesion("score", fitted / "m.joblib", tmp_path / "s.csv", "--out", out)

    return run


def test_a_score_table_without_a_measurement(score, classifier):
    table = _table().drop(columns="abcd__area")
    result = score(table)
    assert result.exit_code == 1
    assert "lacks 1 measurements that the model was fitted on: abcd__area" in result.stderr
    with pytest.raises(TableError, match=r"1 of the 3 columns.*missing: abcd__area"):
        classifier.predict_proba(table)


def test_a_score_table_without_metadata(score, classifier):
    result = score(_table().drop(columns=["sex", "meta__clinic"]))
    assert result.exit_code == 0, result.output
    assert "the table lacks clinic, sex, which the model was fitted on; they count" in result.stderr
    with pytest.raises(TableError, match=r"1 of the 3 columns.*missing: meta__clinic"):
        classifier.predict_proba(_table().drop(columns="meta__clinic"))


def test_a_score_table_with_a_new_category(score, classifier, tmp_path):
    table = _table()
    table.loc[:1, "meta__clinic"] = "elsewhere"
    result = score(table)
    assert result.exit_code == 0, result.output
    told = "'meta__clinic' has 2 values that were not in training: elsewhere. They count as none"
    assert told in result.stderr
    assert pd.read_csv(tmp_path / "scores.csv")["score"].between(0, 1).all()
    with pytest.warns(UserWarning, match="elsewhere"):
        assert np.isfinite(classifier.predict_proba(table)).all()


def test_a_score_table_with_words_for_numbers(score, classifier):
    table = _table().assign(abcd__area="large")
    result = score(table)
    assert result.exit_code == 1
    assert "'abcd__area' had numbers in training and has text now" in result.stderr
    with pytest.raises(TableError, match="had numbers in training"):
        score_table(classifier, table)


def test_a_target_leak_is_refused_unless_allowed(fit, tmp_path):
    table = _table().assign(meta__outcome=lambda t: 3 - 2 * t["target"])
    result = fit(table, "--audit", tmp_path / "a.json")
    assert result.exit_code == 1
    assert "target leak: 1 column separates malignant from benign lesions alone" in result.stderr
    assert "(meta__outcome)" in result.stderr
    assert not (tmp_path / "m.joblib").exists()
    told = json.loads((tmp_path / "a.json").read_text())["findings"]
    (finding,) = (one for one in told if one["columns"] == ["meta__outcome"])
    assert finding["severity"] == "refuse"
    allowed = fit(table, "--allow-leaks")
    assert allowed.exit_code == 0, allowed.output
    assert "refuse, target leak" in allowed.stderr
    assert "meta__outcome" in json.dumps(read_manifest(tmp_path / "m.joblib")["training"]["audit"])


def test_folds_are_saved_and_used_again(fit, tmp_path, hybridlesion):
    first = fit(
        _table(), "--seeds", 2, "--save-splits", tmp_path / "s.csv", "--oof", tmp_path / "1.csv"
    )
    assert first.exit_code == 0, first.output
    again = fit(_table(), "--splits", tmp_path / "s.csv", "--oof", tmp_path / "2.csv")
    assert again.exit_code == 0, again.output
    assert (tmp_path / "1.csv").read_text() == (tmp_path / "2.csv").read_text()
    torn = (tmp_path / "s.csv").read_text().split("\n", 1)[1].splitlines()
    name, group, *folds = torn[1].split(",")
    torn[1] = ",".join([name, group, *(str((int(fold) + 1) % 3) for fold in folds)])
    (tmp_path / "torn.csv").write_text("\n".join(torn))
    refused = fit(_table(), "--splits", tmp_path / "torn.csv")
    assert refused.exit_code == 1
    assert "patient: 1 patient is in several folds" in refused.stderr
    assert "(P0)" in refused.stderr
    allowed = fit(_table(), "--splits", tmp_path / "torn.csv", "--allow-leaks")
    assert allowed.exit_code == 0, allowed.output


def test_the_test_part_is_left_out(fit, tmp_path):
    table = _table()
    part = np.where(np.arange(90) < 60, "train", np.where(np.arange(90) < 70, "val", "test"))
    table[["image_id"]].assign(part=part).to_csv(tmp_path / "p.csv", index=False)
    result = fit(table, "--splits", tmp_path / "p.csv", "--oof", tmp_path / "o.csv")
    assert result.exit_code == 0, result.output
    assert "20 rows of the test part were left out" in result.stderr
    assert pd.read_csv(tmp_path / "o.csv")["image_id"].tolist() == table["image_id"].tolist()[:70]
    unlisted = pd.concat([table, table.head(1).assign(image_id="new", patient_id="new")])
    refused = fit(unlisted, "--splits", tmp_path / "p.csv")
    assert refused.exit_code == 1
    assert "1 of 91 images lack a part in the saved splits: new" in refused.stderr
    fewer = fit(table.iloc[1:], "--splits", tmp_path / "p.csv")
    assert fewer.exit_code == 0, fewer.output
    assert "1 of 90 images of the splits are not in the tables: I000" in fewer.stderr


def test_near_duplicates_of_other_patients_are_kept_in_one_fold(tmp_path):
    from hybridlesion.leakage import HASH_COLUMNS, encode_hash

    hashes = np.random.default_rng(1).integers(0, 256, (90, 32), dtype=np.uint8)
    hashes[50] = hashes[3]
    numbers = pd.DataFrame([encode_hash(one) for one in hashes], columns=HASH_COLUMNS)
    pd.concat([_table(), numbers], axis=1).to_csv(tmp_path / "t.csv", index=False)
    trained = fit_tables([tmp_path / "t.csv"], n_splits=3)
    assert trained.out_of_fold["fold"][3] == trained.out_of_fold["fold"][50]
    assert any("1 cluster of near-duplicate images" in text for text in trained.warnings)
    alone = fit_tables([tmp_path / "t.csv"], n_splits=3, n_seeds=3, groups="image_id")
    (finding,) = (one for one in alone.audit.findings if one.kind == "near-duplicate")
    assert finding.rows == ("I003 = I050",)


@pytest.mark.parametrize(
    ("option", "file"), [("--save-splits", "s.xlsx"), ("--audit", "a.txt"), ("--oof", "m.joblib")]
)
def test_outputs_are_checked_before_work(fit, tmp_path, option, file):
    result = fit(_table(), option, tmp_path / file)
    assert result.exit_code == 2
    assert option in result.stderr
