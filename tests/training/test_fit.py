"""Fits on tables: groups, targets, notes, and the facts of the training rows."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from hybridlesion.exceptions import TableError
from hybridlesion.leakage import membership_warning
from hybridlesion.training import describe_training, fit_tables


@pytest.fixture
def table(tmp_path, rng) -> pd.DataFrame:
    n = 150
    target = (np.arange(n) % 5 == 0).astype(int)
    return pd.DataFrame(
        {
            "image_name": [f"ISIC_{row:07d}" for row in range(n)],
            "patient_id": [f"IP_{row // 3}" for row in range(n)],
            "clinic": [f"C{row // 15}" for row in range(n)],
            "sex": "female",
            "age_approx": 5.0 * rng.integers(4, 10, n) + 20.0 * target,
            "anatom_site_general_challenge": "torso",
            "target": target,
        }
    )


def _fit(table, folder, **options):
    table.to_csv(folder / "train.csv", index=False)
    return fit_tables([folder / "train.csv"], n_splits=3, **options)


def test_out_of_fold_scores_and_facts(table, tmp_path):
    trained = _fit(table, tmp_path)
    assert trained.out_of_fold["image_id"].tolist() == table["image_name"].tolist()
    assert trained.out_of_fold["score"].between(0, 1).all()
    values = trained.metrics.set_index("metric")["value"]
    assert values["auc"] > 0.8
    assert values["n"] == 150
    assert trained.facts["n_groups"] == trained.facts["n_patients"] == 50
    assert trained.facts["tables"] == ["train.csv"]


def test_tables_without_images_are_noted(table, tmp_path):
    said = "neither image features nor a network score"
    assert any(said in text for text in _fit(table, tmp_path).warnings)
    measured = table.assign(abcd__border=table["age_approx"])
    assert not any(said in text for text in _fit(measured, tmp_path).warnings)


def test_other_groups_by_name(table, tmp_path):
    table.loc[0, "clinic"] = None
    trained = _fit(table, tmp_path, groups="clinic")
    # Ten clinics, and the image whose clinic is unknown by itself.
    assert trained.facts["n_groups"] == 11


def test_patients_are_found_without_being_named(table, tmp_path):
    trained = _fit(table, tmp_path)
    assert trained.facts["n_groups"] == 50
    alone = _fit(table.drop(columns="patient_id"), tmp_path, groups="patient_id")
    assert alone.facts["n_groups"] == 150
    assert any("every image is its own group" in text for text in alone.warnings)


def test_rows_without_target_are_left_out_and_counted(table, tmp_path):
    table["target"] = table["target"].astype(float)
    table.loc[:9, "target"] = np.nan
    trained = _fit(table, tmp_path)
    assert trained.facts["n_rows"] == 140
    flow = trained.facts["flow"]
    assert list(flow.values()) == [150, 150, 140, 140]
    assert list(flow)[-1] == "used for the model"
    assert any("10 rows without a target" in text for text in trained.warnings)


def test_photographs_that_failed_are_counted(table, tmp_path):
    assert _fit(table, tmp_path).facts["n_failed"] == 0
    failures = ["image_id,path,stage,reason", 'A,a.png,read,"broken\nheader"', "B,b.png,read,no"]
    (tmp_path / "train.csv.errors.csv").write_text("\n".join(failures) + "\n")
    assert _fit(table, tmp_path).facts["n_failed"] == 2
    # Some other table of that name is none of ours.
    (tmp_path / "train.csv.errors.csv").write_text("error\n1\n2\n3\n")
    assert _fit(table, tmp_path).facts["n_failed"] == 0


def test_leaks_never_reach_the_model(table, tmp_path):
    table["benign_malignant"] = np.where(table["target"] == 1, "malignant", "benign")
    table["mel_thick_mm"] = np.where(table["target"] == 1, 1.5, np.nan)
    trained = _fit(table, tmp_path)
    assert {"benign_malignant", "mel_thick_mm"} <= set(trained.set_aside)
    assert not any("thick" in name for name in trained.model.feature_names_in_)


@pytest.mark.parametrize(
    ("change", "options", "reason"),
    [
        (lambda t: t.assign(target=1), {}, "benign and malignant"),
        (lambda t: t.drop(columns="target"), {}, "no targets for the lesions"),
        (lambda t: t, {"groups": "doctor"}, "the tables lack"),
        (lambda t: t.assign(patient_id="P"), {}, "Add more patients"),
    ],
)
def test_refusals(table, tmp_path, change, options, reason):
    with pytest.raises(TableError, match=reason):
        _fit(change(table), tmp_path, **options)


def test_out_of_fold_scores_can_be_evaluated(table, tmp_path):
    from hybridlesion.reporting import report_scores

    trained = _fit(table, tmp_path)
    scores = trained.out_of_fold
    assert scores.columns.tolist() == [
        *("image_id", "patient_id", "target", "score", "fold", "threshold", "threshold_rule")
    ]
    assert (scores.groupby("patient_id")["fold"].nunique() == 1).all()
    scores.to_csv(tmp_path / "oof.csv", index=False)
    truth = table[["image_name", "target"]]
    truth.to_csv(tmp_path / "truth.csv", index=False)
    report = report_scores(
        tmp_path / "oof.csv", [tmp_path / "truth.csv"], tmp_path / "e", n_bootstrap=20
    )
    measured, told = (m.set_index("metric")["value"] for m in (report.metrics, trained.metrics))
    assert measured[["auc", "n_groups"]].tolist() == pytest.approx(told[["auc", "n_groups"]])


def test_few_patients_are_told(table, tmp_path):
    trained = _fit(table.head(45), tmp_path)
    assert any("9 positives in 15 groups" in text for text in trained.warnings)
    assert not any("too few" in text for text in _fit(table, tmp_path).warnings)


@pytest.fixture
def rows() -> pd.DataFrame:
    numbers = range(80)
    return pd.DataFrame(
        {
            "image_id": [f"ISIC_{row:07d}" for row in numbers],
            "patient_id": [f"IP_{row // 2}" for row in numbers],
            "meta__age": np.linspace(20, 80, 80),
        }
    )


def _facts(rows):
    # As they come out of a manifest.
    return json.loads(json.dumps(describe_training(rows, np.arange(len(rows)) % 2)))


def test_training_rows_are_counted(rows):
    (note,) = membership_warning(_facts(rows), rows)
    assert note == (
        "80 of 80 images, 40 of 40 patients were in the training data; their scores are optimistic."
    )


def test_new_images_of_known_patients_are_told(rows):
    new = rows.assign(image_id="NEW_" + rows["image_id"]).tail(10)
    (note,) = membership_warning(_facts(rows), new)
    assert note.startswith("0 of 10 images, 5 of 5 patients were")


def test_names_of_files_and_unknown_patients(rows):
    scored = pd.DataFrame({"image_id": ["ISIC_0000003_downsampled", "NEW"]})
    (note,) = membership_warning(_facts(rows), scored)
    assert note.startswith("1 of 2 images were")
    assert membership_warning(_facts(rows.assign(patient_id=None)), scored) == (note,)


def test_nothing_to_say(rows):
    new = rows.assign(image_id="NEW_" + rows["image_id"], patient_id="NEW")
    assert membership_warning(_facts(rows), new) == ()
    assert membership_warning({}, rows) == ()
    assert membership_warning({"seen": {"salt": "s", "images": "no base64!"}}, rows) == ()


def test_ids_are_hashed_small_and_without_order(rows):
    facts = _facts(rows)
    assert "ISIC_" not in json.dumps(facts["seen"])
    assert len(facts["seen"]["images"]) <= 11 * 80
    other = describe_training(rows.assign(meta__age=1.0), np.arange(80) % 2)
    assert other["seen"]["images"] != facts["seen"]["images"]


@pytest.mark.parametrize(
    ("diagnoses", "leading"),
    [
        (["melanoma"], "cnn__melanoma"),
        (["melanoma", "basal cell carcinoma"], "cnn__score"),
        ([None], "cnn__melanoma"),
    ],
)
def test_malignant_diagnoses_choose_the_leading_score(table, tmp_path, rng, diagnoses, leading):
    malignant = table["target"] == 1
    table["diagnosis"] = np.where(malignant, None, "nevus")
    table.loc[malignant, "diagnosis"] = [diagnoses[k % len(diagnoses)] for k in range(30)]
    table["cnn__score"] = rng.random(150)
    table["cnn__melanoma"] = table["cnn__score"] * rng.random(150)
    trained = _fit(table, tmp_path)
    assert trained.facts["leading_score"] == trained.model.leading_ == leading


def test_tables_without_a_network_have_no_leading_score(table, tmp_path):
    assert _fit(table, tmp_path).facts["leading_score"] is None
