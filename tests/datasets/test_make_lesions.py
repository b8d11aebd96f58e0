"""Whole synthetic sets: layout, determinism, groups, prevalence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hybridlesion._optional_imports import cv2
from hybridlesion.datasets import make_lesions

SMALL = {"n_patients": 4, "lesions_per_patient": (2, 3), "size": (96, 72), "malignant_share": 0.3}
COLUMNS = (
    "image_name,patient_id,sex,age_approx,anatom_site_general_challenge,diagnosis,"
    "benign_malignant,target"
)
SAMPLE = Path(__file__).resolve().parents[2] / "data" / "sample"
# The call that made data/sample, as data/README.md states it.
SAMPLE_CALL = {
    "n_patients": 8,
    "lesions_per_patient": (3, 3),
    "size": (320, 240),
    "malignant_share": 0.2,
    "hair": 0.35,
    "artifacts": 0.4,
    "random_state": 2,
}


def contents(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lesions")
    return folder, make_lesions(folder, **SMALL)


def test_files_are_those_of_the_table(made):
    folder, records = made
    assert sorted(contents(folder)) == sorted(
        [f"images/{i}.jpg" for i in records["image_id"]]
        + [f"masks/{i}_segmentation.png" for i in records["image_id"]]
        + ["metadata.csv"]
    )
    assert (folder / "metadata.csv").read_text().splitlines()[0] == COLUMNS


def test_images_and_masks_can_be_read(made):
    for row in made[1].itertuples():
        assert cv2.imread(row.path).shape == (72, 96, 3)
        mask = cv2.imread(row.mask_path, cv2.IMREAD_UNCHANGED)
        assert mask.shape == (72, 96)
        assert set(np.unique(mask)) == {0, 255}


def test_table_and_records_agree(made):
    folder, records = made
    table = pd.read_csv(folder / "metadata.csv")
    assert table["image_name"].tolist() == records["image_id"].tolist()
    assert table["target"].tolist() == records["target"].tolist()
    assert (table["benign_malignant"] == "malignant").tolist() == (table["target"] == 1).tolist()
    assert (table["diagnosis"] == "melanoma").tolist() == (table["target"] == 1).tolist()
    assert records["image_id"].iloc[0] == "SYN_0000001"
    assert records["patient_id"].iloc[0] == "SP_0000001"


def test_same_call_same_bytes_with_any_number_of_jobs(made, tmp_path):
    make_lesions(tmp_path, n_jobs=2, **SMALL)
    assert contents(tmp_path) == contents(made[0])


def test_another_seed_another_set(made, tmp_path):
    records = make_lesions(tmp_path, random_state=1, **SMALL)
    first, other = made[1]["image_id"].iloc[0], records["image_id"].iloc[0]
    assert first == other
    name = f"images/{first}.jpg"
    assert contents(tmp_path)[name] != contents(made[0])[name]


def test_lesions_of_a_patient_share_their_skin(tmp_path):
    records = make_lesions(
        tmp_path,
        n_patients=8,
        lesions_per_patient=(3, 3),
        size=(96, 72),
        hair=0.0,
        artifacts=0.0,
    )
    # The upper left corner is skin in nearly all pictures.
    corner = np.array([np.median(cv2.imread(p)[:12, :12], axis=(0, 1)) for p in records["path"]])
    frame = pd.DataFrame(corner)
    within = frame.groupby(records["patient_id"]).std().to_numpy().mean()
    assert frame.std().to_numpy().mean() > 1.5 * within


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("n_patients", 0, "n_patients"),
        ("lesions_per_patient", (3, 2), "most lesions_per_patient"),
        ("lesions_per_patient", 3, "lesions_per_patient must be"),
        ("malignant_share", 0.9, "malignant_share"),
        ("hair", 1.5, "hair"),
        ("artifacts", -0.1, "artifacts"),
        ("random_state", -1, "random_state"),
        ("size", (10, 10), "size"),
    ],
)
def test_bad_parameters_are_refused_before_anything_is_written(tmp_path, name, value, message):
    with pytest.raises(ValueError, match=message):
        make_lesions(tmp_path / "new", **{name: value})
    assert not (tmp_path / "new").exists()


def test_sample_is_what_its_seed_gives(tmp_path):
    records = make_lesions(tmp_path, **SAMPLE_CALL)
    assert (tmp_path / "metadata.csv").read_bytes() == (SAMPLE / "metadata.csv").read_bytes()
    for row in records.itertuples():
        mask = cv2.imread(str(SAMPLE / "masks" / Path(row.mask_path).name), cv2.IMREAD_UNCHANGED)
        image = cv2.imread(str(SAMPLE / "images" / Path(row.path).name))
        # Other processors round a little differently.
        assert (mask != cv2.imread(row.mask_path, cv2.IMREAD_UNCHANGED)).mean() < 0.002
        assert np.abs(image.astype(int) - cv2.imread(row.path)).mean() < 1.0


def test_sample_is_small_and_useful():
    table = pd.read_csv(SAMPLE / "metadata.csv")
    assert len(table) == 24
    assert table["patient_id"].nunique() == 8
    assert table["target"].sum() >= 4
    assert sum(len(data) for data in contents(SAMPLE).values()) < 1_000_000
