"""Loaders on hand-made folders in the official layouts, and on real ones where they are."""

from __future__ import annotations

import numpy as np
import pytest

from hybridlesion._optional_imports import cv2
from hybridlesion.datasets import (
    load_derm7pt,
    load_folder,
    load_ham10000,
    load_isic2017,
    load_isic2018_task1,
    load_isic2018_task2,
    load_isic2020,
    load_ph2,
)
from hybridlesion.exceptions import SourceError

PH2_TEXT = """\
Legends:
\tHistological Diagnosis:
\t\tCommon Nevus
||   Name || Histological Diagnosis || Clinical Diagnosis || Asymmetry | Pigment Network | \
Dots/Globules | Streaks | Regression Areas | Blue-Whitish Veil ||           Colors ||
|| IMD003 ||                        ||                  0 ||         0 |               T |  \
           A |       A |                A |                 A ||                4 ||
|| IMD058 ||               Melanoma ||                  2 ||         2 |              AT |  \
          AT |       P |                A |                 P ||             3  4  5 ||
"""
PH2_CSV = """\
Image Name,Histological Diagnosis,Common Nevus,Atypical Nevus,Melanoma,Asymmetry (0/1/2),\
Pigment Network (AT/T),Dots/Globules (A/AT/T),Streaks (A/P),Regression Areas (A/P),\
Blue-Whitish Veil (A/P),White,Red,Light-Brown,Dark-Brown,Blue-Gray,Black
IMD003,,X,,,0,T,A,A,A,A,,,,X,,
IMD058,Melanoma,,,X,2,AT,AT,P,A,P,,,X,X,X,
"""


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((6, 8, 3), 99, np.uint8))


def text(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


@pytest.mark.parametrize("table", [("PH2_dataset.txt", PH2_TEXT), ("ph2_criteria.csv", PH2_CSV)])
def test_ph2_official_folders(tmp_path, table):
    for name in ("IMD003", "IMD058"):
        home = tmp_path / "PH2 Dataset images" / name
        picture(home / f"{name}_Dermoscopic_Image" / f"{name}.bmp")
        picture(home / f"{name}_lesion" / f"{name}_lesion.bmp")
        picture(home / f"{name}_roi" / f"{name}_R1_Label4.bmp")
    text(tmp_path / table[0], table[1])
    records = load_ph2(tmp_path)
    assert records["image_id"].tolist() == ["IMD003", "IMD058"]
    assert records["diagnosis"].tolist() == ["common nevus", "melanoma"]
    assert records["target"].tolist() == [0, 1]
    assert records["ph2_asymmetry"].tolist() == [0, 2]
    assert records["ph2_network"].tolist() == ["T", "AT"]
    assert records["ph2_streaks"].tolist() == ["A", "P"]
    assert records["ph2_veil"].tolist() == ["A", "P"]
    assert records["ph2_blue_gray"].tolist() == [0, 1]
    assert records["ph2_dark_brown"].tolist() == [1, 1]
    assert records["mask_path"].str.endswith("_lesion.bmp").all()


def test_isic2017_official_folders(tmp_path):
    for name in ("ISIC_0000000", "ISIC_0000002"):
        picture(tmp_path / "ISIC-2017_Training_Data" / f"{name}.jpg")
        picture(tmp_path / "ISIC-2017_Training_Data" / f"{name}_superpixels.png")
        picture(tmp_path / "ISIC-2017_Training_Part1_GroundTruth" / f"{name}_segmentation.png")
    text(
        tmp_path / "ISIC-2017_Training_Part3_GroundTruth.csv",
        "image_id,melanoma,seborrheic_keratosis\n"
        "ISIC_0000000,0.0,1.0\nISIC_0000002,1.0,0.0\nISIC_0000004,1.0,0.0\n",
    )
    text(
        tmp_path / "ISIC-2017_Training_Data" / "ISIC-2017_Training_Data_metadata.csv",
        "image_id,age_approximate,sex\n"
        "ISIC_0000000,55,female\nISIC_0000002,unknown,male\nISIC_0000004,80,male\n",
    )
    records = load_isic2017(tmp_path)
    assert records["image_id"].tolist() == ["ISIC_0000000", "ISIC_0000002"]
    assert records["target"].tolist() == [0, 1]
    assert records["diagnosis"].tolist() == ["seborrheic keratosis", "melanoma"]
    assert records["age"].fillna(-1).tolist() == [55, -1]
    assert records["mask_path"].iloc[1].endswith("ISIC_0000002_segmentation.png")


def test_isic2018_task1_without_labels(tmp_path):
    picture(tmp_path / "ISIC2018_Task1-2_Training_Input" / "ISIC_0000058.jpg")
    picture(tmp_path / "ISIC2018_Task1_Training_GroundTruth" / "ISIC_0000058_segmentation.png")
    picture(tmp_path / "ISIC2018_Task2" / "ISIC_0000058_attribute_streaks.png")
    records = load_isic2018_task1(tmp_path)
    assert records["image_id"].tolist() == ["ISIC_0000058"]
    assert records["mask_path"].notna().all()
    assert records["target"].isna().all()


def test_isic2018_task2_official_folders(tmp_path):
    inputs, truth = tmp_path / "Task1-2_Training_Input", tmp_path / "Task2_GroundTruth_v3"
    for name in ("ISIC_0000000", "ISIC_0000001", "ISIC_0000002"):
        picture(inputs / f"{name}.jpg")
    picture(truth / "ISIC_0000000_attribute_globules.png")
    picture(truth / "ISIC_0000000_attribute_milia_like_cyst.png")
    picture(truth / "ISIC_0000002_attribute_negative_network.png")
    picture(truth / "ISIC_0000009_attribute_streaks.png")
    for records in (load_isic2018_task2(tmp_path), load_isic2018_task2(truth, images=inputs)):
        assert records["image_id"].tolist() == ["ISIC_0000000", "ISIC_0000002"]
        assert records["globules_path"].notna().tolist() == [True, False]
        assert records["milia_like_cyst_path"].notna().tolist() == [True, False]
        assert records["negative_network_path"].notna().tolist() == [False, True]
        assert records["streaks_path"].isna().all()
    with pytest.raises(SourceError, match="contains no mask named"):
        load_isic2018_task2(inputs)


DERM7PT = """\
case_num,diagnosis,seven_point_score,pigment_network,streaks,pigmentation,regression_structures,\
dots_and_globules,blue_whitish_veil,vascular_structures,level_of_diagnostic_difficulty,elevation,\
location,sex,management,clinic,derm,case_id,notes
1,basal cell carcinoma,0,absent,absent,absent,absent,irregular,absent,arborizing,medium,nodular,\
abdomen,female,excision,NEL/NEL025.JPG,NEL/Nel026.jpg,,
2,melanoma (in situ),4,atypical,irregular,absent,absent,regular,present,absent,high,flat,\
back,male,excision,FAL/FAL001.jpg,FAL/Nel026.jpg,,
3,clark nevus,1,typical,absent,absent,absent,absent,absent,absent,low,flat,\
back,male,no further examination,FAL/FAL002.jpg,FAL/none.jpg,,
"""


def test_derm7pt_official_folders(tmp_path):
    for name in ("NEL/Nel026", "FAL/Nel026", "FAL/FAL001"):
        picture(tmp_path / "release_v0" / "images" / f"{name}.jpg")
    meta = tmp_path / "release_v0" / "meta"
    text(meta / "meta.csv", DERM7PT)
    text(meta / "train_indexes.csv", "indexes\n1\n2\n")
    text(meta / "valid_indexes.csv", "indexes\n0\n")
    text(meta / "test_indexes.csv", "indexes\n")
    records = load_derm7pt(tmp_path).set_index("image_id")
    assert records.index.tolist() == ["FAL_Nel026", "NEL_Nel026"]
    assert records["target"].tolist() == [1, 0]
    assert records["diagnosis"].tolist() == ["melanoma (in situ)", "basal cell carcinoma"]
    assert records["split"].tolist() == ["train", "valid"]
    assert records["site"].tolist() == ["torso", "torso"]
    assert records["sex"].tolist() == ["male", "female"]
    assert records["lesion_id"].tolist() == ["case_2", "case_1"]
    assert records["dots_and_globules"].tolist() == ["regular", "irregular"]
    assert records["seven_point_score"].tolist() == [4, 0]
    assert records["clinical_path"].notna().tolist() == [True, False]
    both = load_derm7pt(tmp_path, malignant=("melanoma", "basal cell carcinoma"))
    assert both["target"].tolist() == [1, 1]
    picture(tmp_path / "release_v0" / "images" / "FAL" / "Fal2.jpg")
    meta.joinpath("meta.csv").write_text(DERM7PT.replace("FAL/Nel026", "FAL/Fal2"))
    assert load_derm7pt(tmp_path)["image_id"].tolist() == ["Fal2", "Nel026"]
    meta.joinpath("meta.csv").write_text(DERM7PT.replace("Nel026.jpg", "gone.jpg"))
    with pytest.raises(SourceError, match=r"none of the images .* is near it"):
        load_derm7pt(tmp_path)


def test_a_folder_with_one_table(tmp_path):
    for name in ("A1", "A2"):
        picture(tmp_path / "images" / f"{name}.jpg")
    picture(tmp_path / "masks" / "A2_segmentation.png")
    text(
        tmp_path / "index.csv",
        "image_id,label,malignant,patient_id,lesion_id,age,sex,site,orig_width,orig_height\n"
        "A1,nevus,0,P1,L1,50,female,torso,600,450\nA2,melanoma,1,P2,L2,60,male,torso,800,600\n",
    )
    records = load_folder(tmp_path, columns={"diagnosis": "label"})
    assert records["target"].tolist() == [0, 1]
    assert records["diagnosis"].tolist() == ["nevus", "melanoma"]
    assert records["patient_id"].tolist() == ["P1", "P2"]
    assert records["mask_path"].notna().tolist() == [False, True]
    assert records[["orig_width", "orig_height"]].to_numpy().tolist() == [[600, 450], [800, 600]]
    (tmp_path / "index.csv").rename(tmp_path / "Table1.csv")
    assert load_folder(tmp_path, table="table?.csv")["age"].tolist() == [50, 60]
    with pytest.raises(SourceError, match=r"no table named like index\.csv"):
        load_folder(tmp_path)


def test_a_mask_has_a_photograph(tmp_path):
    photographs = ("P1", "P2_lesion", "P3_R1", "P4_label", "P5_roi", "P6_segmentation", "P7_mask")
    for name in photographs:
        picture(tmp_path / f"{name}.jpg")
    # Of these each has a photograph; case does not matter.
    picture(tmp_path / "masks" / "p1_Segmentation.png")
    picture(tmp_path / "masks" / "P2_lesion_lesion.png")
    picture(tmp_path / "masks" / "P7_mask_mask.png")
    for name in ("P1_superpixels", "P1_R1_Label4", "P1_attribute_streaks"):
        picture(tmp_path / "other" / f"{name}.png")
    text(tmp_path / "index.csv", "image_id,target\n" + "".join(f"{p},0\n" for p in photographs))
    records = load_folder(tmp_path).set_index("image_id")
    assert tuple(records.index) == photographs
    assert records.index[records["mask_path"].notna()].tolist() == ["P1", "P2_lesion", "P7_mask"]


def test_isic2020_official_names_and_duplicates(tmp_path):
    for name in ("ISIC_1", "ISIC_2"):
        picture(tmp_path / "jpeg" / "train" / f"{name}.jpg")
    text(
        tmp_path / "ISIC_2020_Training_GroundTruth_v2.csv",
        "image_name,patient_id,lesion_id,sex,age_approx,anatom_site_general_challenge,diagnosis,"
        "benign_malignant,target\n"
        "ISIC_1,IP_1,IL_1,male,45.0,torso,nevus,benign,0\n"
        "ISIC_2,IP_1,IL_2,male,45.0,head/neck,melanoma,malignant,1\n",
    )
    text(
        tmp_path / "ISIC_2020_Training_Duplicates.csv",
        "image_name_1,image_name_2\nISIC_1,ISIC_2\n",
    )
    records = load_isic2020(tmp_path)
    assert records["target"].tolist() == [0, 1]
    assert records["patient_id"].tolist() == ["IP_1", "IP_1"]
    assert records["site"].tolist() == ["torso", "head/neck"]
    assert records["duplicate_cluster"].nunique() == 1
    assert "mask_path" not in records


@pytest.mark.parametrize("name", ["HAM10000_metadata.csv", "HAM10000_metadata"])
def test_ham10000_official_names(tmp_path, name):
    picture(tmp_path / "HAM10000_images_part_1" / "ISIC_0024308.jpg")
    picture(tmp_path / "HAM10000_images_part_2" / "ISIC_0031023.jpg")
    text(
        tmp_path / name,
        "lesion_id,image_id,dx,dx_type,age,sex,localization\n"
        "HAM_1,ISIC_0024308,bcc,histo,80.0,male,scalp\n"
        "HAM_2,ISIC_0031023,mel,histo,55.0,female,back\n",
    )
    assert load_ham10000(tmp_path)["target"].tolist() == [0, 1]
    both = load_ham10000(tmp_path, malignant=("melanoma", "basal cell carcinoma"))
    assert both["target"].tolist() == [1, 1]
    assert both["lesion_id"].tolist() == ["HAM_1", "HAM_2"]
    assert both["site"].tolist() == ["head/neck", "torso"]


def test_missing_folder_images_and_tables(tmp_path):
    with pytest.raises(SourceError, match="is not a folder"):
        load_ph2(tmp_path / "absent")
    with pytest.raises(SourceError, match="contains no image"):
        load_ph2(tmp_path)
    picture(tmp_path / "a" / "ISIC_1.jpg")
    with pytest.raises(SourceError, match=r"no table named like train\.csv"):
        load_isic2020(tmp_path)
    picture(tmp_path / "b" / "ISIC_1.jpg")
    with pytest.raises(SourceError, match="two images named ISIC_1"):
        load_isic2020(tmp_path)


@pytest.mark.real
@pytest.mark.parametrize(
    ("load", "name", "images", "malignant", "masks"),
    [
        (load_ph2, "ph2", 100, 20, 100),
        (load_isic2017, "isic2017", 1996, 373, 1996),
        (load_isic2017, "isic2017-hires", 200, 100, 200),
        (load_isic2018_task1, "isic2018-task1", 144, 29, 144),
        (load_isic2020, "isic2020", 1833, 24, 0),
        (load_ham10000, "ham10000", 8711, 1111, 3960),
        (load_folder, "isic2020-more", 506, 254, 0),
        (load_folder, "isic-archive-9class", 288, 246, 0),
        (load_folder, "bcn20000-84px", 11741, 5817, 0),
        (load_derm7pt, "derm7pt", 405, 87, 0),
    ],
)
def test_real_copies(real_data, load, name, images, malignant, masks):
    records = load(real_data / name)
    assert len(records) == images
    assert records["target"].sum() == malignant
    assert (records["mask_path"].notna().sum() if "mask_path" in records else 0) == masks
    assert records["image_id"].is_monotonic_increasing


@pytest.mark.real
def test_real_original_sizes_and_colors(real_data):
    records = load_isic2017(real_data / "isic2017").set_index("image_id")
    assert records.loc["ISIC_0000000", ["orig_width", "orig_height"]].tolist() == [1022, 767]
    ph2 = load_ph2(real_data / "ph2").set_index("image_id")
    assert ph2.loc["IMD009", "ph2_red"] + ph2.loc["IMD009", "ph2_light_brown"] == 1


@pytest.mark.real
def test_real_groups_criteria_and_attributes(real_data):
    assert load_folder(real_data / "isic2020-more")["patient_id"].nunique() == 342
    assert load_folder(real_data / "bcn20000-84px")["lesion_id"].nunique() == 3529
    by_melanoma = load_folder(real_data / "bcn20000-84px", target_column="melanoma")
    assert by_melanoma["target"].sum() == 2771
    derm7pt = load_derm7pt(real_data / "derm7pt").set_index("image_id")
    assert derm7pt.loc["derm7pt_A1l_Aal002bis", "seven_point_score"] == 9
    assert derm7pt["blue_whitish_veil"].isin(["absent", "present"]).all()
    outlined = load_isic2018_task2(real_data / "isic2018-task2", images=real_data / "isic2017")
    assert len(outlined) == 991
    assert outlined["pigment_network_path"].notna().sum() == 733
    assert outlined["streaks_path"].notna().sum() == 59
