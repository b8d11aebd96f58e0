"""Which diagnoses count as malignant: printed by every command, and refused where not known."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from hybridlesion.cli._output import print_diagnoses

WORDS = {True: ("melanoma (in situ)", "SSM"), False: ("clark nevus", "Lentigo simplex")}


@pytest.fixture
def table(tmp_path):
    """48 lesions of 24 patients with diagnoses in several words; three are no known diagnosis."""
    malignant = np.arange(48) % 3 == 0
    frame = pd.DataFrame(
        {
            "image_id": [f"L{i:02d}" for i in range(48)],
            "patient_id": [f"P{i // 2:02d}" for i in range(48)],
            "age": 50 + 8.0 * malignant + np.random.default_rng(0).normal(0, 6, 48).round(),
            "diagnosis": [WORDS[bad][k // 3 % 2] for k, bad in enumerate(malignant.tolist())],
        }
    )
    frame.loc[frame.index[-3:], "diagnosis"] = "wen"
    path = tmp_path / "table.csv"
    frame.to_csv(path, index=False)
    return path


def fit(hybridlesion, table, *options):
    out = table.with_name("m.joblib")
    return hybridlesion("fit", table, "--folds", 2, "--jobs", 1, "--out", out, *options)


def test_fit_refuses_a_diagnosis_that_is_not_known(hybridlesion, table):
    refused = fit(hybridlesion, table, "--malignant", "mel")
    assert refused.exit_code == 1
    assert "unknown diagnoses: wen (3 rows)" in refused.stderr
    without = fit(hybridlesion, table)
    assert without.exit_code == 1
    assert "--malignant; found were" in without.stderr
    assert "melanoma (15 rows)" in without.stderr


def test_fit_says_which_words_count_as_what(hybridlesion, table):
    done = fit(hybridlesion, table, "--malignant", "mel", "--benign", "wen", "--json")
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["n_positive"] == 15
    assert [(one["diagnosis"], one["side"], one["n_rows"]) for one in found["diagnoses"]] == [
        ("melanoma", "malignant", 15),
        *(("nevus", "benign", 16), ("lentigo", "benign", 14), ("wen", "benign", 3)),
    ]
    assert "melanoma   malignant  15    melanoma (in situ), SSM\n" in done.stderr


def test_rows_without_a_diagnosis_are_counted(capsys):
    rows = [("melanoma", "malignant", 2, ("MEL", "MM")), ("", "benign", 9, ())]
    print_diagnoses(pd.DataFrame(rows, columns=["diagnosis", "side", "n_rows", "words"]))
    assert capsys.readouterr().err == (
        "diagnosis  counts as  rows  written\n"
        "melanoma   malignant  2     MEL, MM\n"
        "(none)     benign     9\n"
    )


@pytest.mark.parametrize("words", ["mel,scc", "mel,wart"])
def test_word_that_no_row_has_is_refused(hybridlesion, table, words):
    refused = fit(hybridlesion, table, "--malignant", words)
    assert refused.exit_code == 1
    assert "lentigo (14 rows, written Lentigo simplex)" in refused.stderr


def test_evaluate(hybridlesion, table):
    scores = pd.read_csv(table)[["image_id"]].assign(score=np.linspace(0.1, 0.9, 48))
    scores.to_csv(table.with_name("s.csv"), index=False)
    arguments = ("evaluate", table.with_name("s.csv"), "--truth", table)
    arguments += ("--out", table.with_name("e"), "--bootstrap", 0, "--malignant", "mel")
    refused = hybridlesion(*arguments)
    assert refused.exit_code == 1
    assert "unknown diagnoses: wen (3 rows)" in refused.stderr
    done = hybridlesion(*arguments, "--benign", "wen", "--json")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["diagnoses"][0]["diagnosis"] == "melanoma"
    assert "melanoma   malignant  15" in done.stderr


def test_feature_tables_leave_the_choice_to_fit(hybridlesion, lesions, tmp_path):
    names = pd.read_csv(lesions / "metadata.csv")["image_name"][:6]
    (tmp_path / "images").mkdir()
    for name in names:
        picture = lesions / "images" / f"{name}.png"
        (tmp_path / "images" / picture.name).write_bytes(picture.read_bytes())
    words = ["mel", "nv", "wen", "nv", "mel", "nv"]
    pd.DataFrame({"image_id": names, "dx": words}).to_csv(tmp_path / "t.csv", index=False)
    out = tmp_path / "f.parquet"
    done = hybridlesion(
        *("features", tmp_path / "images", "--metadata", tmp_path / "t.csv", "--out", out),
        *("--embedder", "none", "--jobs", 1),
    )
    assert done.exit_code == 0, done.stderr
    assert "wen        unknown    1     wen" in done.stderr
    refused = hybridlesion("fit", out, "--out", tmp_path / "m.joblib")
    assert "unknown diagnoses: wen (1 row)" in refused.stderr
