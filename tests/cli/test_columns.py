"""Columns and ids of tables as hospitals write them, through the commands."""

from __future__ import annotations

import json

import pandas as pd


def test_columns_of_a_hospital_are_told_once_and_can_be_named(hybridlesion, lesions, tmp_path):
    names = {"age_approx": "Age at onset", "sex": "Geschlecht", "image_name": "Bild-ID"}
    names |= {"diagnosis": "Ward"}
    table = pd.read_csv(lesions / "metadata.csv").rename(columns=names)
    table["tbp_lv_A"] = [f"{number},5" for number in range(len(table))]
    table.to_excel(tmp_path / "clinic.xlsx", index=False, sheet_name="Lesions")
    options = ("--folds", "2", "--jobs", "1", "--out", tmp_path / "m.joblib")
    fitted = hybridlesion("fit", tmp_path / "clinic.xlsx", *options)
    assert fitted.exit_code == 0, fitted.output
    assert fitted.output.count("our field") == 1
    assert 'pass --column "age=Age at onset"' in fitted.output
    assert "not used by models: Ward" in fitted.output
    sheet = f"{tmp_path / 'clinic.xlsx'}#Lesions"
    named = hybridlesion("fit", sheet, "--column", "age=Age at onset", "--json", *options)
    uses = {use["column"]: use for use in json.loads(named.stdout)["columns"]}
    assert (uses["Age at onset"]["field"], uses["Age at onset"]["fate"]) == ("age", "read")
    assert uses["Ward"]["fate"] == "not understood"
    scored = hybridlesion(
        *("score", tmp_path / "m.joblib", sheet, "--column", "age=Age at onset"),
        *("--out", tmp_path / "s.csv"),
    )
    assert scored.exit_code == 0, scored.output
    assert len(pd.read_csv(tmp_path / "s.csv")) == len(table)
    report = hybridlesion(
        *("evaluate", tmp_path / "s.csv", "--truth", sheet, "--column", "age=Age at onset"),
        *("--out", tmp_path / "ev"),
    )
    assert report.exit_code == 0, report.output


def test_a_patient_is_in_one_fold_however_the_tables_write_it(hybridlesion, lesions, tmp_path):
    table = pd.read_csv(lesions / "metadata.csv")
    table["patient_id"] = table["patient_id"].str.strip("P").astype(int)
    half = len(table) // 2
    table[::2].to_csv(tmp_path / "one.csv", index=False)
    table[1::2].astype({"patient_id": float}).to_csv(tmp_path / "two.csv", index=False)
    fitted = hybridlesion(
        *("fit", tmp_path / "one.csv", tmp_path / "two.csv", "--folds", "2", "--jobs", "1"),
        *("--oof", tmp_path / "oof.csv", "--out", tmp_path / "m.joblib"),
    )
    assert fitted.exit_code == 0, fitted.output
    folds = pd.read_csv(tmp_path / "oof.csv", dtype=str)
    assert folds["patient_id"].nunique() == half
    assert folds.groupby("patient_id")["fold"].nunique().max() == 1
