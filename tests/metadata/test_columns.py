"""Columns of hospitals: read, proposed or named; none vanishes without a word."""

from __future__ import annotations

import dataclasses

import pandas as pd
import pytest

from hybridlesion.metadata import ColumnFate, read_records

N = 4
VALUES = {
    "patient_id": ["p1", "p2", "p3", "p4"],
    "age": [40, 50, 60, 70],
    "sex": ["male", "female", "male", "female"],
    "site": ["back", "scalp", "back", "scalp"],
    "diagnosis": ["melanoma", "nevus", "nevus", "melanoma"],
}
READ = {**VALUES, "site": ["torso", "head/neck", "torso", "head/neck"]}


def table(**columns):
    return pd.DataFrame({"image_id": [f"i{k}" for k in range(N)], **columns})


def uses(records):
    return {use.column: use for use in records.columns}


@pytest.mark.parametrize(
    ("role", "names"),
    [
        (
            "age",
            "Age (years)|Patient age|age_years|AgeYears|Age at diagnosis|Alter|Alter [Jahre]|Edad"
            "|Edad (años)|Âge|Età|Idade",
        ),
        ("sex", "Sex at birth|Patient Sex|Geschlecht|Sexo|Sexe|Sesso|Gender (M/F)|sex."),
        (
            "site",
            "Location|Body site|Anatomical site|Lesion-location|Lokalisation|Localización"
            "|Localisation|Localizzazione|Localização|Sede|Körperregion|Koerperregion",
        ),
        (
            "diagnosis",
            "Histology|Final diagnosis|Diagnosis (histopath.)|Diagnose|Befund|Histologie"
            "|Diagnóstico|Diagnostic|Diagnosi|diagnóstico histológico",
        ),
        ("patient_id", "Patienten-Nr|Patienten-Nr.|PatientID|Patient No|MRN|Nº paciente|Paziente"),
    ],
)
def test_names_of_hospitals_are_read_and_told(role, names):
    for name in names.split("|"):
        records = read_records(table(**{name: VALUES[role]}))
        assert records.frame[role].to_list() == READ[role], name
        use = uses(records)[name]
        assert (use.field, use.fate, use.guessed) == (role, ColumnFate.READ, True)
        assert name in records.warnings[-1]


@pytest.mark.parametrize(
    "name", ["Bild-ID", "ImageID", "Image Name", "image-id", "Foto", "Dateiname", "Imagen"]
)
def test_names_of_the_image(name):
    frame = table(**VALUES).rename(columns={"image_id": name})
    assert read_records(frame).frame["image_id"].to_list() == ["i0", "i1", "i2", "i3"]


@pytest.mark.parametrize(
    ("name", "cells", "role"),
    [
        ("Age at onset", VALUES["age"], "age"),
        ("Clinical diagnosis", VALUES["diagnosis"], "diagnosis"),
        ("Site of biopsy", VALUES["site"], "site"),
        ("Sexx", VALUES["sex"], None),
        ("Patient reference", VALUES["patient_id"], "patient_id"),
        ("Lesion no.", [1, 1, 2, 1], "lesion_id"),
        ("label", [1, 0, 1, 0], "target"),
    ],
)
def test_near_names_are_proposed_and_not_read(name, cells, role):
    records = read_records(
        table(age_approx=VALUES["age"], **{name: cells})
        .drop(columns="age_approx" if role == "age" else [])
        .assign(sex=VALUES["sex"])
    )
    if name == "label":
        assert uses(records)[name].fate is ColumnFate.SET_ASIDE
        return
    use = uses(records)[name]
    assert name in records.warnings[-1]
    assert name in records.frame
    if role is None:
        assert use.fate is ColumnFate.KEPT or use.fate is ColumnFate.UNKNOWN
        return
    assert (use.field, use.fate) == (role, ColumnFate.PROPOSED)
    assert f'`columns` "{role}={name}"' in records.warnings[-1]
    again = read_records(table(sex=VALUES["sex"], **{name: cells}), columns={role: name})
    assert again.frame[role].notna().all()


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("Age (months)", [400, 500, 600, 700]),
        ("Location", ["Graz", "Wien", "Linz", "Graz"]),
        ("Befund", ["H24/1", "H24/2", "H24/3", "H24/4"]),
        ("Alter", ["neu", "alt", "alt", "neu"]),
        ("Geburtsdatum", ["1950-01-02"] * 4),
        ("Ward", [1, 2, 3, 4]),
    ],
)
def test_columns_that_hold_something_else_are_named(name, cells):
    records = read_records(
        table(**VALUES).drop(columns=["age", "site", "diagnosis"]).assign(**{name: cells})
    )
    assert not {"age", "site", "diagnosis"} & set(records.frame)
    assert uses(records)[name].fate is ColumnFate.UNKNOWN
    assert records.frame[name].to_list() == cells
    assert f"not understood; kept, not used by models: {name}" in records.warnings[-1]


def test_a_known_name_wins_and_the_other_is_named():
    records = read_records(table(age=VALUES["age"], **{"Patient age": [1, 2, 3, 4]}))
    assert records.frame["age"].to_list() == VALUES["age"]
    assert "age is read from 'age'" in records.warnings[-1]


def test_a_diagnosis_under_any_name_is_no_feature():
    records = read_records(table(Histology=VALUES["diagnosis"]))
    assert "Histology" in records.set_aside
    assert "Histology" not in records.frame


def test_lesions_numbered_within_patients_are_no_lesion_ids():
    frame = table(patient_id=VALUES["patient_id"], **{"Läsion-ID": [1, 1, 2, 1]})
    records = read_records(frame)
    assert "lesion_id" not in records.frame
    assert "Läsion-ID" in records.warnings[-1]


def test_one_table_for_all_tables():
    one = table(**{"Age (years)": VALUES["age"], "Ward": [1, 2, 3, 4]})
    records = read_records([one, table(**{"Body site": VALUES["site"]})])
    told = [warning for warning in records.warnings if "columns of" in warning]
    assert told == [
        "columns of table 1:\n"
        "  your column  our field  result\n"
        "  Age (years)  age        read\n"
        "  not understood; kept, not used by models: Ward\n"
        "columns of table 2:\n"
        "  your column  our field  result\n"
        "  Body site    site       read"
    ]
    assert dataclasses.asdict(records.columns[1]) == {
        "table": "table 1",
        "column": "Age (years)",
        "field": "age",
        "fate": "read",
        "detail": "",
        "guessed": True,
    }


def test_feature_tables_stay_quiet_of_what_they_carry():
    frame = table(**VALUES, Ward=[1, 2, 3, 4], **{f"abcd__{k}": 0.0 for k in range(30)})
    records = read_records(frame)
    assert not [warning for warning in records.warnings if "columns of" in warning]
    assert not [use for use in records.columns if use.column.startswith("abcd__")]
    named = read_records(frame.rename(columns={"age": "Age (years)"}))
    assert named.frame["age"].to_list() == VALUES["age"]
    assert "Age (years)" in named.warnings[-1]
