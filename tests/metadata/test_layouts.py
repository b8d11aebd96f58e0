"""Every layout is recognised by its columns and means what its publisher meant."""

from __future__ import annotations

import io

import pandas as pd
import pytest

from hybridlesion.exceptions import OptionError, TableError
from hybridlesion.metadata import LAYOUTS, identify_layout, leak_reason, read_records

# Header and two rows of each published layout, with the records they must become.
LAYOUT_TABLES = {
    "isic2020": (
        "image_name,patient_id,lesion_id,sex,age_approx,anatom_site_general_challenge,diagnosis,"
        "benign_malignant,target\n"
        "ISIC_1,IP_1,IL_1,male,45.0,head/neck,unknown,benign,0\n"
        "ISIC_2,IP_1,IL_2,,,torso,melanoma,malignant,1\n",
        {"site": ["head/neck", "torso"], "diagnosis": [None, "melanoma"], "target": [0, 1]},
    ),
    "isic2020-test": (
        "image,patient,age_approx,anatom_site_general_challenge,sex\n"
        "ISIC_1,IP_1,45,palms/soles,male\nISIC_2,IP_2,50,,female\n",
        {"patient_id": ["IP_1", "IP_2"], "site": ["palms/soles", None]},
    ),
    "isic2019-truth": (
        "image,MEL,NV,BCC,AK,BKL,DF,VASC,SCC,UNK\n"
        "ISIC_1_downsampled,1.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0\nISIC_2,0,0,1,0,0,0,0,0,0\n",
        {"diagnosis": ["melanoma", "basal cell carcinoma"], "target": [1, 0]},
    ),
    "isic2019-metadata": (
        "image,age_approx,anatom_site_general,lesion_id,sex\n"
        "ISIC_1,85,lateral torso,BCN_1,female\nISIC_2,0,,,\n",
        {"age": [85, 0], "site": ["torso", None], "lesion_id": ["BCN_1", None]},
    ),
    "isic2018-truth": (
        "image,MEL,NV,BCC,AKIEC,BKL,DF,VASC\nISIC_1,0,0,0,1,0,0,0\nISIC_2,1,0,0,0,0,0,0\n",
        {"diagnosis": ["actinic keratosis", "melanoma"], "target": [0, 1]},
    ),
    "isic2018-groupings": (
        "image,lesion_id,diagnosis_confirm_type\nISIC_1,HAM_1,histopathology\nISIC_2,HAM_1,\n",
        {"lesion_id": ["HAM_1", "HAM_1"]},
    ),
    "isic2017-metadata": (
        "image_id,age_approximate,sex\nISIC_1,unknown,female\nISIC_2,30,unknown\n",
        {"age": [None, 30], "sex": ["female", None], "age_raw": ["unknown", "30"]},
    ),
    "isic2017-truth": (
        "image_id,melanoma,seborrheic_keratosis\nISIC_1,0.0,1.0\nISIC_2,0.0,0.0\n",
        {"diagnosis": ["seborrheic keratosis", "nevus"], "target": [0, 0]},
    ),
    "ham10000": (
        "lesion_id,image_id,dx,dx_type,age,sex,localization,dataset\n"
        "HAM_1,ISIC_1,bkl,histo,80.0,male,scalp,vidir_modern\n"
        "HAM_2,ISIC_2,mel,histo,90.0,unknown,acral,rosendahl\n",
        {
            "age": [80, 85],
            "site": ["head/neck", "palms/soles"],
            "site_raw": ["scalp", "acral"],
            "diagnosis": ["benign keratosis", "melanoma"],
            "target": [0, 1],
        },
    ),
    "isic2024": (
        "isic_id,target,patient_id,age_approx,sex,anatom_site_general,clin_size_long_diam_mm,"
        "image_type,tbp_tile_type,tbp_lv_A,tbp_lv_location,lesion_id,iddx_full,iddx_1,"
        "mel_thick_mm,tbp_lv_dnn_lesion_confidence\n"
        "ISIC_1,0,IP_1,60,male,posterior torso,3.04,TBP tile: close-up,3D: white,20.2,"
        "Torso Back,,Benign,Benign,,97.5\n"
        "ISIC_2,1,IP_2,70,female,head/neck,4.1,TBP tile: close-up,3D: XP,21.5,"
        "Head & Neck,IL_1,Malignant::Melanoma,Malignant,0.4,80.0\n",
        {"target": [0, 1], "tbp_lv_A": [20.2, 21.5], "clin_size_long_diam_mm": [3.04, 4.1]},
    ),
    "isic2024-truth": ("isic_id,malignant\nISIC_1,0.0\nISIC_2,1.0\n", {"target": [0, 1]}),
    "isic-archive": (
        "isic_id,attribution,copyright_license,age_approx,anatom_site_1,anatom_site_special,"
        "diagnosis_1,diagnosis_2,diagnosis_3,melanocytic,sex\n"
        'ISIC_1,MSK,CC-0,85,Trunk,,Malignant,x,"Melanoma Invasive, Superficial spreading",True,f\n'
        "ISIC_2,MSK,CC-0,,Upper extremity,acral palms or soles,Indeterminate,y,,,male\n",
        {
            "site": ["torso", "palms/soles"],
            "sex": ["female", "male"],
            "diagnosis": ["melanoma", "indeterminate"],
            "target": [1, None],
        },
    ),
    "isic-archive-old": (
        "isic_id,attribution,copyright_license,age_approx,anatom_site_general,benign_malignant,"
        "diagnosis,sex\n"
        "ISIC_1,MSK,CC-0,50,anterior torso,indeterminate/malignant,AIMP,male\n"
        "ISIC_2,MSK,CC-0,50,oral/genital,benign,nevus,male\n",
        {"site": ["torso", "oral/genital"], "diagnosis": ["aimp", "nevus"], "target": [None, 0]},
    ),
    "features": (
        "image_id,patient_id,age,target,abcd__asymmetry,emb__0000,qa__hair\n"
        "ISIC_1,P1,40,0,0.1,1.5,0.0\nISIC_2,P2,50,1,0.3,2.5,0.1\n",
        {"abcd__asymmetry": [0.1, 0.3], "emb__0000": [1.5, 2.5], "target": [0, 1]},
    ),
    "records": (
        "image_id,path,sex\nISIC_1,a/ISIC_1.jpg,male\nISIC_2,a/ISIC_2.jpg,female\n",
        {"path": ["a/ISIC_1.jpg", "a/ISIC_2.jpg"], "sex": ["male", "female"]},
    ),
}


@pytest.mark.parametrize("layout", LAYOUT_TABLES)
def test_layout_becomes_records(tmp_path, layout):
    text, expected = LAYOUT_TABLES[layout]
    file = tmp_path / "table.csv"
    file.write_text(text)
    records = read_records(file)
    assert records.layout == (layout,)
    assert records.frame["image_id"].to_list() == ["ISIC_1", "ISIC_2"]
    for column, values in expected.items():
        got = records.frame[column].astype(object)
        assert got.where(got.notna(), None).to_list() == values, column


def test_every_layout_has_a_table_here():
    elsewhere = {"duplicates", "isic2016-truth"}
    assert {layout.name for layout in LAYOUTS} == set(LAYOUT_TABLES) - {"records"} | elsewhere


@pytest.mark.parametrize("layout", LAYOUT_TABLES)
def test_case_and_blanks_of_names_do_not_matter(layout):
    columns = pd.read_csv(io.StringIO(LAYOUT_TABLES[layout][0])).columns
    assert identify_layout([f" {column.upper()} " for column in columns]) == layout


def test_nothing_that_leaks_stays(tmp_path):
    for layout, (text, _) in LAYOUT_TABLES.items():
        file = tmp_path / f"{layout}.csv"
        file.write_text(text)
        records = read_records(file)
        leaking = [name for name in records.frame if leak_reason(name)]
        assert set(leaking) <= {"diagnosis"}, layout
        assert all(records.set_aside.values())


def test_isic_2024_sets_its_train_only_columns_aside(tmp_path):
    file = tmp_path / "train-metadata.csv"
    file.write_text(LAYOUT_TABLES["isic2024"][0])
    records = read_records(file)
    assert set(records.set_aside) == {
        *("image_type", "lesion_id", "iddx_full", "iddx_1", "mel_thick_mm"),
        "tbp_lv_dnn_lesion_confidence",
    }
    assert "biopsied" in records.set_aside["lesion_id"]
    assert "lesion_id" not in records.frame
    assert pd.api.types.is_numeric_dtype(records.frame["tbp_lv_A"])


def test_acquisition_facts_are_set_aside():
    table = pd.DataFrame(
        {"image_name": ["a"], "patient_id": ["p"], "width": [6000], "tfrecord": [3], "note": ["x"]}
    )
    records = read_records(table)
    assert set(records.set_aside) == {"width", "tfrecord"}
    assert records.frame["note"].to_list() == ["x"]


def test_unknown_table_says_what_was_found_and_how_to_go_on():
    table = pd.DataFrame({"Bild": ["a"], "patientid": ["p"], "Alter": [3]})
    with pytest.raises(TableError) as caught:
        read_records(table)
    message = str(caught.value)
    assert "Bild, patientid, Alter" in message
    assert "ham10000: image_id, dx" in message
    assert "id_column, target_column and columns (on the command line --id-column" in message
    assert (
        "'patientid' looks like patient_id: columns={'patient_id': 'patientid'} "
        "(--column patient_id=patientid)."
    ) in message


def test_table_of_facts_alone_is_refused():
    with pytest.raises(TableError, match="only the image id was recognised"):
        read_records(pd.DataFrame({"image": ["a"], "Alter": [30]}))
    assert identify_layout(["image", "hair", "ruler"]) == "image-facts"


def test_columns_can_be_named():
    table = pd.DataFrame({"Bild": ["a.jpg"], "Alter": [30], "Befund": ["malignant"], "age": [1]})
    records = read_records(
        table, id_column="Bild", target_column="Befund", columns={"age": "Alter"}
    )
    assert records.frame.loc[0, ["image_id", "age", "target"]].to_list() == ["a", 30.0, 1.0]
    assert "age" in records.set_aside


def test_wrongly_named_columns():
    table = pd.DataFrame({"image_id": ["a"], "Alter": [30]})
    with pytest.raises(TableError, match=r"'Altar' named for age.*Did you mean 'Alter'"):
        read_records(table, columns={"age": "Altar"})
    named = pd.DataFrame({"image_id": ["a"], "target": [0], "age_approx": [30]})
    with pytest.raises(TableError, match=r"'AGE' named for age.*Did you mean 'age_approx'"):
        read_records(named, columns={"age": "AGE"})
    with pytest.raises(ValueError, match=r"--column.*got 'Age'\. Did you mean 'age'"):
        read_records(table, columns={"Age": "Alter"})
    with pytest.raises(OptionError, match="Give one of them"):
        read_records(table, id_column="image_id", columns={"image_id": "Alter"})


def test_columns_of_one_name_are_refused():
    with pytest.raises(TableError, match="AGE and another column have the same name but for case"):
        read_records(pd.DataFrame({"image_id": ["a"], "age": [1], "AGE": [2]}))
