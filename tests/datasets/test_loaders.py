"""Loaders on hand-made folders in the official layouts, and on real ones where they are."""

from __future__ import annotations

import numpy as np
import pytest

from hybridlesion._opencv import cv2
from hybridlesion.datasets import (
    load_ham10000,
    load_isic2017,
    load_isic2018_task1,
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
    with pytest.raises(SourceError, match="is no folder"):
        load_ph2(tmp_path / "absent")
    with pytest.raises(SourceError, match="holds no image"):
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
        (load_ham10000, "ham10000", 2661, 491, 0),
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
