"""What counts as malignant: by layout, or as the user chooses."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hybridlesion.exceptions import TableError
from hybridlesion.metadata import read_records

HAM = pd.DataFrame({"image_id": list("abcd"), "dx": ["mel", "bcc", "akiec", "nv"]})


def test_melanoma_against_the_rest_by_default():
    assert read_records(HAM).frame["target"].to_list() == [1, 0, 0, 0]


@pytest.mark.parametrize(
    "malignant", [["mel", "bcc", "AKIEC"], ["melanoma", "Basal cell carcinoma", "ak"]]
)
def test_user_chooses_diagnoses_in_any_words(malignant):
    assert read_records(HAM, malignant=malignant).frame["target"].to_list() == [1, 1, 1, 0]


def test_choice_overrules_the_target_column_but_keeps_known_benign():
    table = pd.DataFrame(
        {
            "image_name": list("abcd"),
            "patient_id": list("pqrs"),
            "diagnosis": ["unknown", "melanoma", "nevus", "unknown"],
            "target": [0, 1, 0, 1],
        }
    )
    target = read_records(table, malignant=["nevus"]).frame["target"]
    np.testing.assert_array_equal(target, [0, 0, 1, np.nan])


def test_unknown_diagnosis_gets_a_hint():
    with pytest.raises(
        TableError, match=r"'melanom', named as malignant, is no diagnosis.*Did you mean 'melanoma'"
    ):
        read_records(HAM, malignant=["melanom"])
    with pytest.raises(TableError, match="needs a diagnosis, and no table has one"):
        read_records(pd.DataFrame({"image_id": ["a"], "age": [3]}), malignant=["mel"])
    with pytest.raises(ValueError, match="must list diagnoses"):
        read_records(HAM, malignant="mel")
    with pytest.raises(ValueError, match="both say what is malignant"):
        read_records(HAM, malignant=["mel"], target_column="dx")


def test_diagnosis_without_a_rule_gives_no_target_and_says_so():
    table = pd.DataFrame({"image_id": ["a"], "diagnosis": ["9. melanoma"], "age": [50]})
    records = read_records(table)
    assert "target" not in records.frame
    assert records.frame["diagnosis"].to_list() == ["melanoma"]
    assert "malignant (--malignant)" in records.warnings[0]
    assert read_records(table, malignant=["mel"]).frame["target"].to_list() == [1]


def test_indeterminate_is_missing():
    table = pd.DataFrame(
        {
            "isic_id": list("abcd"),
            "diagnosis_1": ["Benign", "Malignant", "Indeterminate", None],
            "diagnosis_2": ["x", "y", "z", None],
            "diagnosis_3": ["Nevus", "Melanoma, NOS", None, None],
        }
    )
    records = read_records(table)
    np.testing.assert_array_equal(records.frame["target"], [0, 1, np.nan, np.nan])
    diagnosis = records.frame["diagnosis"]
    assert diagnosis.to_list()[:3] == ["nevus", "melanoma", "z"]
    assert diagnosis.isna().to_list() == [False, False, False, True]
    # Who needs targets counts those that lack one; a table to score needs none.
    assert records.warnings == ()


def test_one_hot_rows_must_name_one_diagnosis():
    classes = ["MEL", "NV", "BCC", "AKIEC", "BKL", "DF", "VASC"]
    rows = [[1, 1, 0, 0, 0, 0, 0], [0.4, 0, 0, 0, 0, 0, 0], [0] * 7]
    table = pd.DataFrame(rows, columns=classes).assign(image=list("abc"))
    with pytest.raises(TableError) as caught:
        read_records(table)
    assert "row 0: more than one of" in caught.value.problems[1]
    assert "row 1: MEL '0.4' is neither 0" in caught.value.problems[0]
    lone = read_records(table.iloc[[2]])
    assert lone.frame[["diagnosis", "target"]].isna().all(axis=None)
