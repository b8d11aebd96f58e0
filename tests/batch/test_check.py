"""Check of photographs and tables: verdicts, matches, labels and damaged images."""

from __future__ import annotations

import os
import shutil
import signal

import numpy as np
import pandas as pd
import pytest

from hybridlesion import check_data
from hybridlesion.batch import _check
from hybridlesion.batch._check import _open_block
from hybridlesion.exceptions import OptionError, TableError
from hybridlesion.io import read_image, write_image


@pytest.fixture
def clinic(tmp_path, rng):
    """Eight photographs of four patients with a German table, as a folder and a table."""
    (tmp_path / "Fotos").mkdir()
    names = [f"Foto_{number:03d}" for number in range(8)]
    for name in names:
        # Smooth, so that the hashes are not those of noise.
        small = rng.integers(0, 256, (5, 6, 3), dtype=np.uint8)
        write_image(tmp_path / "Fotos" / f"{name}.png", np.kron(small, np.ones((8, 8, 1), "u1")))
    table = pd.DataFrame(
        {
            "Bild-Nr": names,
            "Patienten-Nr": [f"P{number // 2}" for number in range(8)],
            "Alter (Jahre)": range(40, 48),
            "Befund Histo": ["Melanom", "Nävus", "Basaliom", "Nävus"] * 2,
            "dx_type": "histo",
            "Breite": 48,
            "width": 48,
            "fitzpatrick_skin_type": "II",
            "Erstdiagnose Alter": 39,
            "Unnamed: 0": range(8),
        }
    )
    return tmp_path / "Fotos", table


def _verdicts(check):
    return dict(zip(check.columns["column"], check.columns["verdict"], strict=True))


def test_the_verdict_of_each_column(clinic):
    check = check_data(*clinic)
    assert _verdicts(check) == {
        "Bild-Nr": "used",
        "Patienten-Nr": "used",
        "Alter (Jahre)": "used",
        "Befund Histo": "not understood",
        "dx_type": "leaks the diagnosis",
        "Breite": "not understood",
        "width": "ignored",
        "fitzpatrick_skin_type": "ignored",
        "Erstdiagnose Alter": "not understood",
        "Unnamed: 0": "ignored",
    }
    by_column = check.columns.set_index("column")
    assert by_column.loc["Alter (Jahre)", "field"] == "age"
    assert by_column.loc["Alter (Jahre)", "examples"] == ("40", "41", "42")
    assert by_column.loc["dx_type", "examples"] == ("histo",)
    assert by_column.loc["Befund Histo", "field"] == ""
    assert "may be diagnosis; to read it, pass" in by_column.loc["Befund Histo", "reason"]
    assert "how the photograph was taken" in by_column.loc["width", "reason"]
    assert check.labels.empty


def test_a_column_in_the_place_of_another_is_ignored_rather_than_a_leak(clinic):
    photos, table = clinic
    check = check_data(photos, table.assign(age=50), columns={"age": "Alter (Jahre)"})
    assert _verdicts(check)["age"] == "ignored"
    assert check.records["age"].tolist() == list(range(40, 48))


def test_the_malignant_diagnoses_are_counted(clinic):
    photos, table = clinic
    options = {"columns": {"diagnosis": "Befund Histo"}}
    undecided = check_data(photos, table, **options)
    assert set(undecided.labels["side"]) == {""}
    assert any("does not say which are malignant" in note for note in undecided.notes)
    check = check_data(photos, table, malignant=["mel"], **options)
    sides = check.labels.set_index("diagnosis")[["side", "n_rows"]].T.to_dict("list")
    assert sides == {
        "melanoma": ["malignant", 2],
        "basal cell carcinoma": ["benign", 2],
        "nevus": ["benign", 4],
    }
    assert [note for note in check.notes if note.startswith("basal cell carcinoma counts as")]
    both = check_data(photos, table, malignant=["mel", "bcc"], **options)
    assert both.records["target"].sum() == 4
    assert both.notes == ()


def test_an_unknown_diagnosis_has_no_label(clinic):
    photos, table = clinic
    table["diagnosis"] = ["melanoma", "nevus", "wxyz", *["nevus"] * 5]
    check = check_data(photos, table, malignant=["mel"])
    assert check.labels.set_index("diagnosis").loc["wxyz", "side"] == "unknown"
    assert any("unknown, so without a label: wxyz" in note for note in check.notes)


def test_targets_without_diagnoses_are_labels(clinic):
    photos, table = clinic
    check = check_data(photos, table.assign(target=[1, 0, 0, 0, 0, 0, 0, np.nan]))
    assert sorted(check.labels[["side", "n_rows"]].to_numpy().tolist()) == [
        ["benign", 6],
        ["malignant", 1],
        ["undecided", 1],
    ]


def test_a_missing_and_a_renamed_photograph_are_found_with_the_near_miss(clinic):
    photos, table = clinic
    (photos / "Foto_003.png").rename(photos / "foto 3.png")
    (photos / "Foto_005.png").unlink()
    write_image(photos / "anderes.png", np.zeros((8, 8, 3), np.uint8))
    check = check_data(photos, table)
    found = {(one.image_id, one.missing): one.near for one in check.unmatched.itertuples()}
    assert found == {
        ("anderes", "row"): "",
        ("foto 3", "row"): "Foto_003",
        ("Foto_003", "photograph"): "foto 3",
        ("Foto_005", "photograph"): "",
    }
    assert (check.n_images, check.n_rows, check.n_usable) == (8, 8, 6)


def test_a_spelling_that_is_certain_is_matched_and_noted(clinic):
    photos, table = clinic
    (photos / "Foto_003.png").rename(photos / "FOTO_003.png")
    check = check_data(photos, table)
    assert check.unmatched.empty
    assert any("differ from their image names only in case" in note for note in check.notes)


def test_no_match_is_reported_rather_than_raised(clinic):
    photos, table = clinic
    check = check_data(photos, table.assign(**{"Bild-Nr": [f"x{n}y" for n in "abcdefgh"]}))
    assert (check.n_usable, len(check.images), len(check.unmatched)) == (0, 0, 16)


def test_images_that_fail_are_found_by_header_or_by_decoding(clinic):
    photos, table = clinic
    image = read_image(photos / "Foto_000.png")
    (photos / "Foto_002.png").write_bytes(b"no image")
    noisy = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    write_image(photos / "Foto_004.png", noisy)
    whole = (photos / "Foto_004.png").read_bytes()
    (photos / "Foto_004.png").write_bytes(whole[: len(whole) // 2])
    headers = check_data(photos, table, n_decoded=0)
    assert headers.images.set_index("image_id").query("problem != ''").index.tolist() == [
        "Foto_002"
    ]
    assert not headers.images["decoded"].any()
    full = check_data(photos, table, n_decoded=-1)
    failed = full.images.query("problem != ''").set_index("image_id")["problem"]
    assert failed.index.tolist() == ["Foto_002", "Foto_004"]
    assert str(photos) not in failed.str.cat()
    assert full.images["decoded"].all()
    sizes = full.images.set_index("image_id")[["height", "width"]]
    assert sizes.loc["Foto_000"].tolist() == list(image.shape[:2])
    assert sizes.loc["Foto_002"].isna().all()


def test_every_image_may_fail(clinic):
    photos, table = clinic
    for path in photos.iterdir():
        path.write_bytes(b"no image")
    check = check_data(photos, table)
    assert (check.n_usable, len(check.images)) == (0, 8)


def test_the_sample_is_the_same_each_time(clinic):
    one, other = (check_data(*clinic, n_decoded=3).images["decoded"] for _ in range(2))
    assert one.sum() == 3
    assert one.tolist() == other.tolist()


def test_near_duplicates_are_grouped(clinic):
    photos, table = clinic
    image = read_image(photos / "Foto_001.png")
    write_image(photos / "Foto_006.png", (image * 0.9).astype(np.uint8))
    images = check_data(photos, table).images
    (group,) = (list(ids) for _, ids in images.groupby("near_duplicate")["image_id"])
    assert group == ["Foto_001", "Foto_006"]


def test_processes_give_the_same_and_progress_ends(clinic, monkeypatch):
    alone = check_data(*clinic)
    monkeypatch.setattr(_check, "_LEAST_PER_JOB", 1)
    monkeypatch.setattr(_check, "_BLOCK", 2)
    seen = []
    both = check_data(*clinic, n_jobs=2, progress=lambda *counts: seen.append(counts))
    pd.testing.assert_frame_equal(both.images, alone.images)
    assert seen[-1] == (8, 0, 8)


def _die_on_three(block, limit):
    if any(image_id == "Foto_003" for _, image_id, _, _ in block):
        os.kill(os.getpid(), signal.SIGKILL)
    return _open_block(block, limit)


def test_an_image_that_kills_its_process_is_a_failure(clinic, monkeypatch):
    monkeypatch.setattr(_check, "_LEAST_PER_JOB", 1)
    monkeypatch.setattr(_check, "_open_block", _die_on_three)
    images = check_data(*clinic, n_jobs=2).images
    failed = images.query("problem != ''").set_index("image_id")["problem"]
    assert failed.index.tolist() == ["Foto_003"]
    assert "SIGKILL" in failed["Foto_003"]


def test_a_suspicious_column_is_noted(clinic, rng):
    photos, table = clinic
    wide = pd.concat([table] * 10, ignore_index=True)
    wide["Bild-Nr"] = [f"X{number}" for number in range(80)]
    for name in wide["Bild-Nr"]:
        shutil.copy(photos / "Foto_000.png", photos / f"{name}.png")
    wide["target"] = [1, 0, 0, 0] * 20
    wide["Alter (Jahre)"] = np.where(wide["target"], 70, 30) + rng.integers(0, 9, 80)
    wide["Patienten-Nr"] = range(80)
    check = check_data(photos, wide, n_decoded=0)
    assert any("separates malignant from benign" in note for note in check.notes)


def test_labels_from_folders(clinic):
    photos, table = clinic
    for name, folder in zip(table["Bild-Nr"], ["benign", "malignant"] * 4, strict=True):
        (photos / folder).mkdir(exist_ok=True)
        (photos / f"{name}.png").rename(photos / folder / f"{name}.png")
    without = check_data(photos)
    assert without.labels.empty
    assert any("`labels_from_folders` takes these as labels" in note for note in without.notes)
    check = check_data(photos, labels_from_folders=True)
    assert check.records["target"].sum() == 4
    assert check.mapping.labels_from_folders
    # The folders are no table of the user.
    assert check.columns.empty
    assert check.mapping.columns == {}
    joined = check_data(photos, table, labels_from_folders=True)
    assert joined.records["age"].notna().all()
    assert "Bild-Nr" in joined.mapping.columns.values()


def test_a_table_of_paths_is_its_own_table(clinic):
    photos, table = clinic
    table["Datei"] = "Fotos/" + table["Bild-Nr"] + ".png"
    table.to_csv(photos.parent / "liste.csv", index=False)
    (photos / "Foto_002.png").unlink()
    check = check_data(photos.parent / "liste.csv")
    assert check.images.query("problem != ''")["image_id"].tolist() == ["Foto_002"]
    assert _verdicts(check)["Alter (Jahre)"] == "used"


def test_the_mapping_gives_the_same_records(clinic):
    photos, table = clinic
    options = {"columns": {"diagnosis": "Befund Histo"}, "malignant": ["mel", "bcc"]}
    one = check_data(photos, table, **options)
    other = check_data(photos, table, **one.mapping.record_options)
    pd.testing.assert_frame_equal(one.records, other.records)
    assert one.mapping == other.mapping


def test_what_cannot_be_read_is_raised(clinic):
    photos, table = clinic
    with pytest.raises(TableError, match="no table has the column 'Alterr'"):
        check_data(photos, table, columns={"age": "Alterr"})
    with pytest.raises(OptionError, match="n_decoded"):
        check_data(photos, table, n_decoded=-2)
