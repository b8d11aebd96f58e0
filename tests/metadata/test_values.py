"""Ages, sexes, sites, diagnoses and targets in one vocabulary; faults told together."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hybridlesion.exceptions import TableError
from hybridlesion.metadata import SEXES, SITE_WORDS, SITES, normalise_image_id, read_records


def table(**columns):
    n = len(next(iter(columns.values())))
    return pd.DataFrame({"image_id": [f"ISIC_{i}" for i in range(n)], **columns})


def values(series):
    return series.astype(object).where(series.notna(), None).to_list()


def test_ages():
    written = ["45", "45.5", " 85+ ", "90", "0", "unknown", "", None, "12,5"]
    frame = read_records(table(age=written)).frame
    assert values(frame["age"]) == [45, 45.5, 85, 85, 0, None, None, None, 12.5]
    assert values(frame["age_raw"])[:6] == written[:6]
    assert frame["age"].dtype == float


@pytest.mark.parametrize(
    ("cell", "age"),
    [
        *(("45-50", 47.5), ("45\u201350", 47.5), ("45 to 50", 47.5), ("(45, 50]", 47.5)),
        *((">85", 85), ("<20", 20), ("\u2265 60", 60), ("85 and older", 85), ("30s", 35)),
        *(("ca. 50", 50), ("60+ years", 60), ("über 85", 85), ("45 bis 50 J.", 47.5)),
        *(("between 45 and 50", 47.5), ("entre 45 y 50 años", 47.5)),
    ],
)
def test_ranges_and_bounds_are_ages_with_a_note(cell, age):
    records = read_records(table(age=["30", cell, cell]))
    assert records.frame["age"].to_list() == [30, age, age]
    assert f"age: 2 cells without a single age, such as {cell.lower()!r}" in records.warnings[0]


def test_units_of_ages():
    cells = ["45 y", "45 years", "45 J.", "45 y.o.", "45-year-old", "6 months", "52.18 weeks"]
    records = read_records(table(age=cells))
    np.testing.assert_allclose(records.frame["age"], [45] * 5 + [0.5, 1], atol=1e-3)
    assert records.warnings == ()


@pytest.mark.parametrize(
    ("cell", "word"), [("75 M", "months"), ("60m", "months"), ("45 W", "weeks")]
)
def test_letters_of_sexes_are_no_units(cell, word):
    with pytest.raises(TableError, match=f"may mean {word}, or the sex"):
        read_records(table(age=["30", cell]))


@pytest.mark.parametrize("cell", ["900", "-3", "45-900", "50-45", "2001-05-03", "about right"])
def test_what_is_no_age_is_a_problem(cell):
    with pytest.raises(TableError, match="age "):
        read_records(table(age=["30", cell]))


@pytest.mark.parametrize(
    ("cells", "sexes"),
    [
        (["male", "F", "Unknown", None, "Woman"], ["male", "female", None, None, "female"]),
        (["M", "F"], ["male", "female"]),
        (["m", "w", "d"], ["male", "female", None]),
        (["H", "M"], ["male", "female"]),
        (["H", "F"], ["male", "female"]),
        (["V", "H"], ["male", "female"]),
        # Varón and mujer in Spanish, vrouw and man in Dutch.
        (["V", "M"], [None, None]),
        (["H", "M", "F"], ["male", None, "female"]),
        (["hombre", "M"], ["male", "female"]),
        (["Mujer", "M"], ["female", None]),
        (["M", "M"], ["male", "male"]),
        (["H", "H"], [None, None]),
        ([1, 0], [None, None]),
        ([1, 2], [None, None]),
        (["männlich", "Weiblich"], ["male", "female"]),
        (["Varón", "mujer"], ["male", "female"]),
        (["homme", "Femme"], ["male", "female"]),
        (["maschio", "femmina"], ["male", "female"]),
        (["masculino", "feminino"], ["male", "female"]),
        (["man", "vrouw"], ["male", "female"]),
    ],
)
def test_sexes(cells, sexes):
    records = read_records(table(sex=cells))
    assert values(records.frame["sex"]) == sexes
    assert set(records.frame["sex"].dropna()) <= set(SEXES)
    given = [str(cell) for cell, sex in zip(cells, sexes, strict=True) if sex is None and cell]
    told = " ".join(records.warnings)
    assert all(repr(cell) in told for cell in given if cell != "Unknown")


def test_a_lone_m_is_read_as_male_with_a_note():
    assert "the only letter is M" in read_records(table(sex=["M", "M"])).warnings[0]
    assert read_records(table(sex=["M", "F"])).warnings == ()


def test_sites_of_every_data_set_reach_the_six():
    words = [*SITES, "anterior torso", "posterior torso", "lateral torso", "abdomen", "back"]
    words += ["scalp", "face", "ear", "foot", "hand", "genital", "Head and neck", "head_neck_face"]
    sites = read_records(table(site=words)).frame["site"]
    assert sites.to_list() == [
        *SITES,
        *["torso"] * 5,
        *["head/neck"] * 3,
        *("lower extremity", "upper extremity", "oral/genital"),
        *["head/neck"] * 2,
    ]
    assert set(SITE_WORDS.values()) == set(SITES)


@pytest.mark.parametrize(
    ("site", "words"),
    [
        ("head/neck", "cheeks, ears, EAR, NOSE, LIP, head neck, left cheek, Kopfhaut, cara, joue"),
        ("head/neck", "re. Wange, back of the neck, viso, couro cabeludo, Gesicht, nape of neck"),
        (
            "torso",
            "axilla, groin, Abdomen, left flank, Rücken, espalda, poitrine, torace, mama",
        ),
        ("upper extremity", "upper limbs, hands, left forearm, FOREARM, re. Arm, back of hand"),
        ("upper extremity", "Unterarm, dorso de la mano, avant-bras, spalla, right upper arm"),
        ("lower extremity", "lower limbs, buttocks, feet, THIGH, Unterschenkel, pierna, jambe"),
        ("lower extremity", "lower leg left, dorsum of foot, Gesäß, ginocchio, heel"),
        (
            "palms/soles",
            "acral, palms, palmar hand, plantar foot, sole of the left foot, Fußsohle, "
            "planta del pie, Handfläche",
        ),
        ("oral/genital", "genital areas, genitals, perianal, oral_genital, Mundschleimhaut, vulva"),
    ],
)
def test_sites_in_other_words(site, words):
    cells = words.split(", ")
    records = read_records(table(site=cells))
    assert dict(zip(cells, records.frame["site"], strict=True)) == dict.fromkeys(cells, site)


def test_several_sites_are_no_site():
    records = read_records(table(site=["arm and leg", "torso"]))
    assert values(records.frame["site"]) == [None, "torso"]
    assert "names several sites: lower extremity, upper extremity" in records.warnings[0]


def test_unknown_words_become_missing_with_a_warning():
    records = read_records(table(sex=["male", "x1", "x1"], site=["torso", "moon", "torso"]))
    assert values(records.frame["sex"]) == ["male", None, None]
    assert values(records.frame["sex_raw"]) == ["male", "x1", "x1"]
    assert records.warnings == (
        "table 1, rows 1, 2: sex 'x1' is not among male, female; taken as missing",
        f"table 1, row 1: site 'moon' is not among {', '.join(SITES)}; taken as missing",
    )


def test_column_of_another_language_is_pointed_out():
    records = read_records(table(sex=["mies", "nainen"]))
    assert all("no value of this column was understood" in text for text in records.warnings)


def test_all_problems_are_told_together(tmp_path):
    (tmp_path / "train.csv").write_text(
        "image_name,patient_id,lesion_id,age_approx,target,benign_malignant\n"
        "ISIC_0,P1,L1,45,0,benign\n"
        "ISIC_1,P2,L1,-3,2,benign\n"
        "ISIC_2,P3,L2,ninety,1,benign\n"
        "ISIC_3,P3,L2,-3,0,benign\n"
        "ISIC_0,P1,L1,50,0,benign\n"
        ",P1,L3,50,0,benign\n"
    )
    with pytest.raises(TableError, match=r"7 problems in train\.csv") as caught:
        read_records(tmp_path / "train.csv")
    assert caught.value.problems == (
        "train.csv, row 7: image_name is blank. Every row needs an image id.",
        "train.csv, rows 3, 5: age_approx '-3' lies outside 0 to 120 years",
        "train.csv, row 4: age_approx 'ninety' is not a number of years",
        "train.csv, row 3: target '2' is neither 0 or benign nor 1 or malignant",
        "train.csv, row 4: target and benign_malignant contradict each other. Correct the table, "
        "or leave one column out.",
        "train.csv, rows 2, 3, 6: lesion L1 belongs to several patients (P1, P2). Correct the "
        "patient_id, or leave lesion_id out.",
        "train.csv, rows 2, 6: image ISIC_0 appears more than once with different age. Keep one "
        "row of it.",
    )


def test_many_faults_stay_readable():
    with pytest.raises(TableError) as caught:
        read_records(table(age=[f"a{i % 30}" for i in range(3000)]))
    assert len(caught.value.problems) == 21
    assert "and 90 more: age 'a0'" in caught.value.problems[0]
    assert "10 more such values" in caught.value.problems[-1]


def test_rows_of_one_image_that_agree_are_merged():
    frame = pd.DataFrame(
        {
            "image_id": ["b", "a.jpg", "b", "c"],
            "age": [50, 40, np.nan, 30],
            "sex": [None, "male", "female", None],
        }
    )
    records = read_records(frame)
    assert records.frame["image_id"].to_list() == ["b", "a", "c"]
    assert records.frame["age"].to_list() == [50, 40, 30]
    assert values(records.frame["sex"]) == ["female", "male", None]
    assert "row 2: images repeated from an earlier row" in records.warnings[0]


@pytest.mark.parametrize(
    ("written", "image_id"),
    [
        ("ISIC_0000001", "ISIC_0000001"),
        ("ISIC_0000001.JPG", "ISIC_0000001"),
        ("ISIC_0000001_downsampled", "ISIC_0000001"),
        ("train/ISIC_0000001_downsampled.jpeg", "ISIC_0000001"),
        ("C:\\photos\\IMD003.bmp", "IMD003"),
        ("zip://train/ISIC_1.jpg::/data/archive.zip", "ISIC_1"),
        ("scan.v2.png", "scan.v2"),
    ],
)
def test_image_ids(written, image_id):
    assert normalise_image_id(written) == image_id


def test_image_id_from_the_path():
    records = read_records(pd.DataFrame({"path": ["x/ISIC_7.jpg"], "sex": ["male"]}))
    assert records.frame.loc[0, ["image_id", "path"]].to_list() == ["ISIC_7", "x/ISIC_7.jpg"]


def test_numeric_ids_are_text():
    frame = pd.DataFrame({"id": [7, 8], "patient_id": [1.0, np.nan], "sex": ["male", "male"]})
    records = read_records(frame).frame
    assert records["image_id"].to_list() == ["7", "8"]
    assert values(records["patient_id"]) == ["1", None]


def test_categories_and_booleans():
    frame = table(sex=pd.Categorical(["male", None]), target=[True, False])
    records = read_records(frame).frame
    assert values(records["sex"]) == ["male", None]
    assert records["target"].to_list() == [1.0, 0.0]


def test_reading_records_again_changes_nothing():
    first = read_records(table(age=["90", ""], site=["scalp", "back"], dx=["mel", "nv"])).frame
    again = read_records(first).frame
    pd.testing.assert_frame_equal(first, again)


def test_the_given_table_is_left_alone():
    given = table(age=["90", ""], sex=["F", "m"])
    before = given.copy()
    read_records(given)
    pd.testing.assert_frame_equal(given, before)
