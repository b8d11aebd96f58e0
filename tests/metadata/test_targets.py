"""What counts as malignant: by layout, or as the user chooses."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hybridlesion.exceptions import TableError
from hybridlesion.metadata import read_records, refuse_unknown

HAM = pd.DataFrame({"image_id": list("abcd"), "dx": ["mel", "bcc", "akiec", "nv"]})


def test_melanoma_against_the_rest_by_default():
    assert read_records(HAM).frame["target"].to_list() == [1, 0, 0, 0]


@pytest.mark.parametrize(
    "malignant", [["mel", "bcc", "AKIEC"], ["melanoma", "Basal cell carcinoma", "ak"]]
)
def test_user_chooses_diagnoses_in_any_words(malignant):
    assert read_records(HAM, malignant=malignant).frame["target"].to_list() == [1, 1, 1, 0]


def test_targets_that_contradict_the_diagnoses_are_told():
    table = HAM.assign(dx=["mel", "bcc", "nv", "nv"], target=[0, 0, 1, 0])
    records = read_records(table)
    assert records.frame["target"].to_list() == [0, 0, 1, 0]
    (note,) = [note for note in records.warnings if "otherwise" in note]
    assert "target calls melanoma (1 row) benign, and nevus (1 row) malignant" in note
    # Of melanoma against the rest, a carcinoma is 0.
    plain = read_records(table.assign(target=[1, 0, 0, 0]))
    assert not any("otherwise" in note for note in plain.warnings)


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


def test_word_that_no_row_has_is_refused_with_the_diagnoses_found():
    with pytest.raises(TableError) as caught:
        read_records(HAM, malignant=["mel", "scc", "nevis"])
    assert caught.value.problems == (
        "no row has the diagnosis 'squamous cell carcinoma', named as malignant. The tables have "
        "melanoma (1 row, written mel), basal cell carcinoma (1 row, written bcc), actinic "
        "keratosis (1 row, written akiec), nevus (1 row, written nv). Did you mean 'basal cell "
        "carcinoma'?",
        "no row has the diagnosis 'nevis', named as malignant. The tables have melanoma (1 row, "
        "written mel), basal cell carcinoma (1 row, written bcc), actinic keratosis (1 row, "
        "written akiec), nevus (1 row, written nv). Did you mean 'nevus'?",
    )
    with pytest.raises(TableError, match="named as benign"):
        read_records(HAM, benign=["other"])
    with pytest.raises(TableError, match="needs a diagnosis, but no table has one"):
        read_records(pd.DataFrame({"image_id": ["a"], "age": [3]}), malignant=["mel"])
    with pytest.raises(ValueError, match="must list diagnoses"):
        read_records(HAM, malignant="mel")
    with pytest.raises(ValueError, match="both malignant and benign"):
        read_records(HAM, malignant=["mel"], benign=["melanoma"])
    with pytest.raises(ValueError, match="is not a diagnosis"):
        read_records(HAM, malignant=["unknown"])


def test_unknown_words_have_no_target_until_they_are_named():
    table = pd.DataFrame({"image_id": list("abcd"), "dx": ["Melanom", "nv", "wen", "melanoma?"]})
    records = read_records(table)
    np.testing.assert_array_equal(records.frame["target"], [1, 0, np.nan, np.nan])
    assert "unknown diagnoses, so without a target: wen (1 row)" in records.warnings[0]
    assert records.diagnoses.values.tolist() == [
        ["melanoma", "malignant", 1, ("Melanom",)],
        ["nevus", "benign", 1, ("nv",)],
        ["melanoma?", "undecided", 1, ("melanoma?",)],
        ["wen", "unknown", 1, ("wen",)],
    ]
    with pytest.raises(TableError, match=r"unknown diagnoses: wen \(1 row\)"):
        refuse_unknown(records.frame)
    # They are still there when the records are read again, as from a feature table.
    named = read_records(records.frame, benign=["wen"], malignant=["mel", "melanoma?"])
    np.testing.assert_array_equal(named.frame["target"], [1, 0, 0, 1])
    refuse_unknown(named.frame)


def test_words_for_malignant_and_benign_are_outcomes():
    table = pd.DataFrame({"image_id": list("abc"), "dx": ["malignant", "benign", "no melanoma"]})
    assert read_records(table).frame["target"].to_list() == [1, 0, 0]
    general = table.iloc[:2].rename(columns={"dx": "diagnosis"})
    assert read_records(general).frame["target"].to_list() == [1, 0]


def test_no_melanoma_may_be_another_malignancy():
    table = pd.DataFrame({"image_id": list("ab"), "dx": ["no melanoma", "bcc"]})
    target = read_records(table, malignant=["bcc"]).frame["target"]
    np.testing.assert_array_equal(target, [np.nan, 1])


def test_kind_of_nevus_does_not_make_all_nevi_malignant():
    words = ["Dysplastic nevus", "blue nevus", "dysplastic-nevus"]
    table = pd.DataFrame({"image_id": list("abc"), "dx": words})
    target = read_records(table, malignant=["dysplastic nevus"]).frame["target"]
    assert target.to_list() == [1, 0, 1]


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ("label", ["Yes", "no"]),
        ("Befund", ["Ja", "nein"]),
        ("Befund", ["Melanoma", "Naevus"]),
        ("class", ["MEL", "NV"]),
        ("biopsy", ["pos", "neg"]),
        ("biopsy", ["sí", "no"]),
        ("y", ["y", "n"]),
        ("y", ["wahr", "falsch"]),
        ("y", ["malin", "bénin"]),
        ("y", ["1,0", "0,0"]),
        ("ICD", ["C43.5", "D22.9"]),
        ("y", ["bösartig", "gutartig"]),
        ("y", ["cancer", "no cancer"]),
        ("y", ["Melanoma", "NotMelanoma"]),
    ],
)
def test_words_of_a_target_column(column, words):
    records = read_records(
        pd.DataFrame({"image_id": ["a", "b"], column: words}), target_column=column
    )
    assert records.frame["target"].to_list() == [1, 0]
    assert records.warnings == (
        f"table 1, {column}: {words[0]!r} (1 row) counts as malignant, {words[1]!r} (1 row) as "
        "benign.",
    )


def test_word_of_neither_class_names_a_way_that_works():
    table = pd.DataFrame({"image_id": list("abc"), "label": ["melanoma", "naevus", "wen"]})
    with pytest.raises(TableError, match="'wen' is neither 0 or benign nor 1 or malignant"):
        read_records(table, target_column="label")
    records = read_records(table, target_column="label", malignant=["melanoma"], benign=["wen"])
    assert records.frame["target"].to_list() == [1, 0, 0]


def test_table_of_ids_and_melanoma_holds_labels():
    table = pd.DataFrame({"image_id": list("ab"), "melanoma": [1, 0]})
    assert read_records(table).frame["target"].to_list() == [1, 0]


def test_diagnosis_without_a_rule_gives_no_target_and_says_so():
    table = pd.DataFrame({"image_id": ["a"], "diagnosis": ["9. melanoma"], "age": [50]})
    records = read_records(table)
    assert "target" not in records.frame
    assert records.frame["diagnosis"].to_list() == ["melanoma"]
    assert "`malignant`" in records.warnings[0]
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
    # What is not known gives way to the broader level.
    assert diagnosis.to_list()[:3] == ["nevus", "melanoma", "indeterminate"]
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


def test_classes_can_be_named_by_their_codes():
    codes = ["MEL", "NV", "BCC", "AKIEC", "BKL", "DF", "VASC", "BEN_OTH", "INF", "MAL_OTH", "SCCKA"]
    table = pd.DataFrame(np.eye(11), columns=codes).assign(isic_id=codes)
    target = read_records(table, malignant=["MEL", "mal_oth"]).frame["target"]
    assert [code for code, value in zip(codes, target, strict=True) if value] == ["MEL", "MAL_OTH"]
