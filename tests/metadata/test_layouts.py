"""Every layout is recognised by its columns and means what its publisher meant."""

from __future__ import annotations

import io

import pandas as pd
import pytest

from hybridlesion.exceptions import OptionError, TableError
from hybridlesion.metadata import LAYOUTS, ColumnFate, identify_layout, leak_reason, read_records

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
    "ph2": (
        "Image Name,Histological Diagnosis,Common Nevus,Atypical Nevus,Melanoma,Asymmetry (0/1/2),"
        "Pigment Network (AT/T),White,Light-Brown\n"
        "ISIC_1,,X,,,0,T,,X\nISIC_2,Lentigo Maligna,,,X,2,AT,x,\n",
        {"diagnosis": ["nevus", "melanoma"], "target": [0, 1]},
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
    "milk10k-truth": (
        "isic_id,AKIEC,BCC,BEN_OTH,BKL,DF,INF,MAL_OTH,MEL,NV,SCCKA,VASC\n"
        "ISIC_1,0,0,0,0,0,0,0,0,0,1,0\nISIC_2,0,0,0,0,0,0,0,1,0,0,0\n",
        {"diagnosis": ["squamous cell carcinoma", "melanoma"], "target": [0, 1]},
    ),
    "milk10k": (
        "lesion_id,image_type,isic_id,age_approx,sex,skin_tone_class,site,MONET_hair\n"
        "IL_1,clinical: close-up,ISIC_1,50,male,3,trunk,0.1\n"
        "IL_1,dermoscopic,ISIC_2,50,male,3,trunk,0.2\n",
        {"lesion_id": ["IL_1", "IL_1"], "site": ["torso", "torso"], "MONET_hair": [0.1, 0.2]},
    ),
    "pad-ufes-20": (
        "patient_id,lesion_id,smoke,age,gender,region,diagnostic,itch,biopsed,img_id\n"
        "PAT_1,7,False,50,FEMALE,FACE,MEL,True,True,ISIC_1.png\n"
        "PAT_2,8,,60,,FOREARM,NEV,UNK,False,ISIC_2.png\n",
        {
            "age": [50, 60],
            "sex": ["female", None],
            "site": ["head/neck", "upper extremity"],
            "diagnosis": ["melanoma", "nevus"],
            "target": [1, 0],
        },
    ),
    "derm7pt": (
        "case_num,diagnosis,seven_point_score,streaks,location,sex,clinic,derm,management\n"
        "1,melanoma,4,irregular,back,male,NEL/NEL1.jpg,NEL/ISIC_1.jpg,excision\n"
        "2,nevus,0,absent,abdomen,female,NEL/NEL2.jpg,NEL/ISIC_2.jpg,no further examination\n",
        {
            "path": ["NEL/ISIC_1.jpg", "NEL/ISIC_2.jpg"],
            "site": ["torso", "torso"],
            "target": [1, 0],
        },
    ),
    "bcn20000": (
        "bcn_filename,age_approx,anatom_site_general,diagnosis,lesion_id,capture_date,sex,split\n"
        "ISIC_1.jpg,55,anterior torso,MEL,BCN_1,2010-01-01,male,train\n"
        "ISIC_2.jpg,,,NV,BCN_2,2011-01-01,female,train\n",
        {"diagnosis": ["melanoma", "nevus"], "target": [1, 0], "lesion_id": ["BCN_1", "BCN_2"]},
    ),
    "fitzpatrick17k": (
        "md5hash,fitzpatrick_scale,label,nine_partition_label,three_partition_label,qc,url\n"
        "ISIC_1,3,melanoma,malignant melanoma,malignant,,http://a\n"
        "ISIC_2,1,psoriasis,inflammatory,non-neoplastic,,http://b\n",
        {"diagnosis": ["melanoma", "psoriasis"], "target": [1, 0], "fitzpatrick_scale": [3, 1]},
    ),
    "ddi": (
        ",DDI_ID,DDI_file,skin_tone,malignant,disease\n"
        "0,1,ISIC_1.png,56,True,melanoma\n1,2,ISIC_2.png,12,False,nevus\n",
        {"target": [1, 0], "diagnosis": ["melanoma", "nevus"], "skin_tone": [56, 12]},
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


@pytest.mark.parametrize("layout", sorted(set(LAYOUT_TABLES) - {"records"}))
def test_published_tables_need_no_word_about_their_columns(tmp_path, layout):
    file = tmp_path / "table.csv"
    file.write_text(LAYOUT_TABLES[layout][0])
    records = read_records(file)
    assert not [warning for warning in records.warnings if "columns of" in warning]
    fates = {use.fate for use in records.columns}
    assert fates <= {ColumnFate.READ, ColumnFate.KEPT, ColumnFate.SET_ASIDE}


@pytest.mark.parametrize("layout", ["isic2017-truth", "isic2018-truth", "isic2019-truth"])
@pytest.mark.parametrize("name", ["image", "image_id", "isic_id", "image_name", "Image ID", "file"])
def test_truth_is_the_same_under_any_name_of_the_image(layout, name):
    text, expected = LAYOUT_TABLES[layout]
    table = pd.read_csv(io.StringIO(text))
    table = table.rename(columns={table.columns[0]: name}).rename(columns=str.lower)
    records = read_records(table.assign(patient_id=["p", "q"], comment="x"))
    assert records.layout == (layout,)
    assert records.frame["target"].to_list() == expected["target"]


def test_a_column_without_a_mark_counts_as_benign():
    table = pd.read_csv(io.StringIO(LAYOUT_TABLES["ph2"][0])).head(1)
    records = read_records(table).frame
    assert records[["diagnosis", "target"]].to_numpy().tolist() == [["nevus", 0]]


@pytest.mark.parametrize(
    ("layout", "word"),
    [
        ("pad-ufes-20", "smartphone photographs"),
        ("fitzpatrick17k", "non-neoplastic counts as benign"),
        ("ddi", "clinical photographs"),
        ("milk10k", "1 clinical: close-up, 1 dermoscopic"),
        ("derm7pt", "the clinical ones in clinic are left out"),
    ],
)
def test_photographs_that_are_not_dermoscopic_are_pointed_out_once(tmp_path, layout, word):
    file = tmp_path / "table.csv"
    file.write_text(LAYOUT_TABLES[layout][0])
    assert sum(word in warning for warning in read_records(file).warnings) == 1


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
    table = pd.DataFrame({"Vorgang": ["a"], "pacient_ref": ["p"], "years old": [3]})
    with pytest.raises(TableError) as caught:
        read_records(table.rename(columns={"pacient_ref": "Patient ref"}))
    message = str(caught.value)
    assert "Vorgang, Patient ref, years old" in message
    assert "ham10000: image_id, dx" in message
    assert "`id_column`, `target_column` and `columns`" in message
    assert ("'Patient ref' may be patient_id: `columns` patient_id=Patient ref.") in message


def test_table_of_facts_alone_is_refused():
    with pytest.raises(TableError, match=r"only the image id .* columns image, ruler"):
        read_records(pd.DataFrame({"image": ["a"], "ruler": [0]}))
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
    with pytest.raises(TableError, match=r"'Altar' given for age.*Did you mean 'Alter'"):
        read_records(table, columns={"age": "Altar"})
    named = pd.DataFrame({"image_id": ["a"], "target": [0], "age_approx": [30]})
    with pytest.raises(TableError, match=r"'AGE' given for age.*Did you mean 'age_approx'"):
        read_records(named, columns={"age": "AGE"})
    with pytest.raises(ValueError, match=r"`columns`.*got 'Age'\. Did you mean 'age'"):
        read_records(table, columns={"Age": "Alter"})
    with pytest.raises(OptionError, match="Pass one"):
        read_records(table, id_column="image_id", columns={"image_id": "Alter"})


def test_columns_of_one_name_are_refused():
    with pytest.raises(TableError, match="AGE and another column differ only in case"):
        read_records(pd.DataFrame({"image_id": ["a"], "age": [1], "AGE": [2]}))
