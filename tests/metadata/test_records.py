"""The published tables, counted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hybridlesion.exceptions import TableError
from hybridlesion.metadata import SITES, read_records


def counts(series):
    return series.value_counts().to_dict()


@pytest.mark.real
def test_isic_2020(real_data):
    folder = real_data / "isic2020"
    records = read_records(
        folder / "train.csv", duplicates=folder / "ISIC_2020_Training_Duplicates.csv"
    )
    frame = records.frame
    assert records.layout == ("isic2020",)
    assert len(frame) == 26_020
    assert frame["patient_id"].nunique() == 1_618
    assert counts(frame["target"]) == {0: 25_563, 1: 457}
    assert frame[["age", "sex", "site"]].isna().sum().to_list() == [68, 65, 436]
    assert frame["age"].max() == 85
    assert frame["duplicate_cluster"].value_counts().eq(2).sum() == 372
    assert set(records.set_aside) == {"diagnosis", "benign_malignant"}


@pytest.mark.real
def test_isic_2020_with_acquisition_facts(real_data):
    records = read_records(
        [real_data / "isic2020" / "train.csv", real_data / "tables" / "isic2020_folds_dims.csv"]
    )
    assert {"width", "height", "tfrecord"} <= set(records.set_aside)
    assert not {"width", "height", "tfrecord"} & set(records.frame)
    assert len(records.frame) == 26_020


@pytest.mark.real
def test_table_that_contradicts_itself(real_data):
    tables = [real_data / "isic2020" / "train.csv", real_data / "tables" / "isic2020_ita.csv"]
    with pytest.raises(TableError, match=r"rows 25647, 25648: image ISIC_7951995"):
        read_records(tables)


@pytest.mark.real
def test_isic_2017(real_data):
    folder = real_data / "isic2017"
    names = ("ISIC-2017_Training_Data_metadata.csv", "ISIC-2017_Training_Part3_GroundTruth.csv")
    records = read_records([folder / name for name in names])
    assert records.layout == ("isic2017-metadata", "isic2017-truth")
    assert counts(records.frame["diagnosis"]) == {
        "nevus": 1_372,
        "melanoma": 374,
        "seborrheic keratosis": 254,
    }
    assert records.frame["target"].sum() == 374
    assert records.frame[["age", "sex"]].isna().sum().to_list() == [256, 229]
    assert records.warnings == ()


@pytest.mark.real
def test_ham10000(real_data):
    file = real_data / "ham10000" / "HAM10000_metadata.csv"
    records = read_records(file)
    assert len(records.frame) == 10_015
    assert records.frame["lesion_id"].nunique() == 7_470
    assert records.frame["target"].sum() == 1_113
    assert counts(records.frame["site"]) == {
        "torso": 5_025,
        "lower extremity": 2_396,
        "upper extremity": 1_208,
        "head/neck": 1_097,
        "oral/genital": 48,
        "palms/soles": 7,
    }
    wide = read_records(file, malignant=["mel", "bcc", "akiec"])
    assert wide.frame["target"].sum() == 1_113 + 514 + 327


@pytest.mark.real
def test_isic_archive(real_data):
    records = read_records(real_data / "isic-archive" / "metadata.csv")
    frame = records.frame
    assert records.layout == ("isic-archive",)
    assert counts(frame["target"]) == {1: 8_871, 0: 7_831}
    assert counts(frame["diagnosis"])["melanoma"] == 4_003 + 633
    assert frame["site"].isna().sum() == 297
    assert set(frame["site"].dropna()) <= set(SITES)
    assert {"attribution", "melanocytic", "concomitant_biopsy"} <= set(records.set_aside)


@pytest.mark.real
def test_isic_2019_with_the_archive(real_data):
    names = ("ISIC_2019_Training_GroundTruth.csv", "ISIC_2019_Training_Metadata.csv")
    tables = [real_data / "isic2019" / name for name in names]
    alone = read_records(tables)
    assert len(alone.frame) == 24_586
    assert alone.frame["target"].sum() == 4_375
    assert not alone.frame["image_id"].str.contains("downsampled").any()
    assert alone.warnings == ()
    malignant = ["mel", "bcc", "scc"]
    both = read_records([*tables, real_data / "isic-archive" / "metadata.csv"], malignant=malignant)
    assert len(both.frame) == 31_119
    assert any("3,576 ids were translated" in warning for warning in both.warnings)


@pytest.mark.slow
@pytest.mark.real
def test_derm7pt(real_data):
    table = pd.read_csv(real_data / "derm7pt" / "index.csv")
    table = table[["image_id", "diagnosis", "sex", "site"]]
    records = read_records(table, malignant=["melanoma"])
    assert counts(records.frame["target"]) == {0: 315, 1: 87}
    assert records.diagnoses.iloc[-1].tolist() == [
        *("miscellaneous", "unknown", 3),
        ("miscellaneous",),
    ]
    assert records.frame[["sex", "site"]].notna().all(axis=None)


@pytest.mark.real
@pytest.mark.parametrize(
    "name",
    [
        *("ham10000/HAM10000_metadata.csv", "ham10000/index.csv", "bcn20000-84px/index.csv"),
        *("isic2020/train.csv", "isic-archive/metadata.csv", "isic2018-task1/index.csv"),
    ],
)
def test_no_diagnosis_or_site_of_the_published_tables_is_unknown(real_data, name):
    records = read_records(real_data / name, malignant=["melanoma"])
    assert "unknown" not in set(records.diagnoses["side"])
    assert not any("taken as missing" in warning for warning in records.warnings)


def test_table_of_the_size_of_isic_2024(tmp_path):
    rng = np.random.default_rng(0)
    n = 401_059
    measured = {f"tbp_lv_{i}": rng.random(n, dtype=np.float32) for i in range(30)}
    table = pd.DataFrame(
        {
            "isic_id": [f"ISIC_{i:07d}" for i in range(n)],
            "target": (rng.random(n) < 0.001).astype(int),
            "patient_id": rng.choice([f"IP_{i:07d}" for i in range(1042)], n),
            "age_approx": rng.choice([45.0, 60.0, np.nan], n),
            "sex": rng.choice(np.array(["male", "female", None], dtype=object), n),
            "anatom_site_general": rng.choice(["head/neck", "posterior torso"], n),
            **measured,
        }
    )
    table.to_parquet(tmp_path / "train-metadata.parquet")
    records = read_records(tmp_path / "train-metadata.parquet")
    assert len(records.frame) == n
    assert records.frame["target"].sum() == table["target"].sum()
    np.testing.assert_array_equal(records.frame["age"], table["age_approx"])
    assert (
        records.frame["site"]
        .value_counts()
        .equals(
            table["anatom_site_general"]
            .replace({"posterior torso": "torso"})
            .value_counts()
            .rename_axis("site")
        )
    )
