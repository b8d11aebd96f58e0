"""A DataFrame of one's own is read as a table of its words would be, or refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest

from hybridlesion import LesionFeaturizer, make_hybrid_pipeline, read_records
from hybridlesion.exceptions import TableError
from hybridlesion.metadata import normalise_records

NAN = np.nan
WORDS = [
    ("sex", ["M", "Male", "f", "unknown", "", None], ["male", "male", "female", NAN, NAN, NAN]),
    ("gender", ["Female", "m"], ["female", "male"]),
    ("Sex", ["F", "M"], ["female", "male"]),
    ("age", ["85+", "50", "90", "45,5", "unknown", None], [85, 50, 85, 45.5, NAN, NAN]),
    ("age", [35, 90], [35, 85]),
    ("age_approx", [35.0, NAN], [35, NAN]),
    ("Age Approximate", ["35", ""], [35, NAN]),
    ("site", ["anterior torso", "Torso", "scalp"], ["torso", "torso", "head/neck"]),
    ("anatom_site_general_challenge", ["palms/soles", "torso"], ["palms/soles", "torso"]),
    ("localization", ["back", "foot"], ["torso", "lower extremity"]),
    ("Image_Name", ["a.b", "c"], ["a.b", "c"]),
    ("patient", ["p", "q"], ["p", "q"]),
    ("image_path", ["x.jpg", "y.jpg"], ["x.jpg", "y.jpg"]),
]
ROLES = {
    "gender": "sex",
    "Sex": "sex",
    "age_approx": "age",
    "Age Approximate": "age",
    "anatom_site_general_challenge": "site",
    "localization": "site",
    "Image_Name": "image_id",
    "patient": "patient_id",
    "image_path": "path",
}


def _same(values, right):
    pd.testing.assert_series_equal(
        pd.Series(list(values), dtype=object).fillna("missing"),
        pd.Series(right, dtype=object).fillna("missing"),
    )


@pytest.mark.parametrize(("column", "cells", "right"), WORDS)
@pytest.mark.parametrize("kind", ["object", "category", "string", "polars"])
def test_words_and_names_are_understood(column, cells, right, kind):
    frame = pd.DataFrame({column: pd.Series(cells, dtype=object)})
    if kind == "polars":
        frame = pl.DataFrame({column: cells})
    elif kind != "object":
        cells = [None if pd.isna(cell) else str(cell) for cell in cells]
        frame = pd.DataFrame({column: pd.Series(cells, dtype=kind)})
    records, notes = normalise_records(frame)
    _same(records[ROLES.get(column, column)], right)
    assert notes == ()
    again, notes = normalise_records(records)
    assert again is records
    assert notes == ()


def test_a_frame_is_read_as_a_table_is():
    frame = pd.DataFrame(
        {
            "isic_id": ["a", "b", "c"],
            "age_approx": ["85+", "", "40"],
            "sex": ["male", "Female", "x"],
            "anatom_site_general": ["anterior torso", "upper extremity", "unknown"],
            "anatom_site_special": [None, "acral palms or soles", None],
            "diagnosis_1": ["Benign", "Malignant", "Benign"],
        }
    )
    table = read_records(frame).frame
    records, notes = normalise_records(frame)
    facts = ["image_id", "age", "sex", "site"]
    pd.testing.assert_frame_equal(records[facts], table[facts])
    assert notes == ("row 2: sex 'x' is not among male, female; taken as missing",)


def test_records_of_tables_come_back_as_they_are(lesions):
    assert normalise_records(lesions)[0] is lesions


@pytest.mark.parametrize(
    "cells", [[1, 0, 1], [1.0, 0.0, NAN], ["1", "0", "1"], [True, False, True]]
)
def test_numbers_for_a_sex_are_not_guessed(cells):
    records, notes = normalise_records(pd.DataFrame({"sex": cells}))
    assert records["sex"].isna().all()
    assert len(notes) == 2
    assert all("sex" in note and "taken as missing" in note for note in notes)


@pytest.mark.parametrize(
    ("column", "cells", "named"),
    [
        ("age", [50, 900], "row 8: age '900'"),
        ("age", [50, -1], "row 8: age '-1'"),
        ("age_approx", ["50", "old"], "row 8: age_approx 'old'"),
        ("tbp_lv_A", ["1,5", "1.2.3"], "row 8: tbp_lv_A '1.2.3' is not a number"),
        ("clin_size_long_diam_mm", ["4", "wide"], "row 8: clin_size_long_diam_mm 'wide'"),
        ("tbp_lv_A", [1.5, "inf"], "row 8: tbp_lv_A 'inf' is not a number"),
    ],
)
def test_impossible_cells_are_refused_by_name(column, cells, named):
    frame = pd.DataFrame({"image_id": ["a", "b"], column: pd.Series(cells, dtype=object)})
    with pytest.raises(TableError) as caught:
        LesionFeaturizer().fit(frame.set_axis([7, 8]))
    assert named in str(caught.value)


def test_two_columns_of_one_name_are_refused():
    with pytest.raises(TableError, match="'Sex', 'sex' differ only in case"):
        normalise_records(pd.DataFrame([["F", "M"]], columns=["Sex", "sex"]))


def test_measurements_as_text_are_numbers():
    frame = pd.DataFrame({"image_id": ["a", "b", "c"], "tbp_lv_A": ["1,5", "4,98E-05", ""]})
    frame = frame.assign(tbp_lv_location="Back", tbp_lv_B=["x", "y", None])
    with pytest.warns(
        UserWarning, match=r"tbp_lv_B contains words, not numbers, such as 'x'"
    ) as said:
        table = LesionFeaturizer().fit_transform(frame)
    assert len(said) == 1
    np.testing.assert_allclose(table["meta__tbp_lv_A"], [1.5, 4.98e-05, NAN], rtol=1e-6)
    assert not [name for name in table if name.endswith(("location", "_B"))]


def test_a_measurement_known_only_after_the_diagnosis_is_no_feature():
    frame = pd.DataFrame({"image_id": ["a"], "tbp_lv_dnn_lesion_confidence": [99.0]})
    assert not [name for name in LesionFeaturizer().fit_transform(frame) if "confidence" in name]


def test_what_is_not_understood_is_said_once_in_a_pipeline():
    n = 24
    frame = pd.DataFrame({"isic_id": [f"I{i}" for i in range(n)], "gender": ["M", "F", "x"] * 8})
    frame["patient"] = np.arange(n) // 2
    y = np.arange(n) % 3 == 0
    with pytest.warns(UserWarning, match="gender 'x'") as said:
        pipe = make_hybrid_pipeline(n_splits=3).fit(frame, y)
    assert len(said) == 1
    assert len(np.unique(pipe[-1].groups_)) == n // 2
    with pytest.warns(UserWarning, match="gender 'x'") as said:
        pipe.predict_proba(frame)
    assert len(said) == 1


def test_columns_under_hospital_names_are_read_and_named():
    frame = pd.DataFrame(
        {
            "image_id": ["a", "b"],
            "Alter": [50, "85+"],
            "Geschlecht": ["m", "w"],
            "Ort": ["Ulm", "Bonn"],
        }
    )
    records, notes = normalise_records(frame)
    assert records["age"].to_list() == [50.0, 85.0]
    assert records["sex"].to_list() == ["male", "female"]
    assert "site" not in records  # towns are no body sites
    assert notes[:2] == ("column 'Alter' is read as age", "column 'Geschlecht' is read as sex")
    assert not normalise_records(records)[1]


def test_patients_are_the_same_in_any_writing_and_unknown_ones_are_missing():
    ids = [12, "12.0", "unknown", "k.A.", "013", "13"]
    frame = pd.DataFrame({"image_id": list("abcdef"), "patient_id": ids})
    patients = normalise_records(frame)[0]["patient_id"]
    assert patients.fillna("").to_list() == ["12", "12", "", "", "013", "13"]
    numbers = frame.assign(patient_id=range(6))
    assert normalise_records(numbers)[0]["patient_id"].to_list() == [*range(6)]
