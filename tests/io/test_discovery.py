"""Images and metadata found together."""

from __future__ import annotations

import shutil
import zipfile

import numpy as np
import pandas as pd
import pytest

from hybridlesion.exceptions import OptionError, SourceError, TableError
from hybridlesion.io import write_image
from hybridlesion.io.discovery import find_images, find_records, scan_sources


@pytest.fixture
def folder(tmp_path):
    for name in ("a/ISIC_1", "a/ISIC_2", "b/ISIC_3"):
        path = tmp_path / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        write_image(path, np.zeros((8, 8, 3), dtype=np.uint8))
    table = {"image_name": ["ISIC_1", "ISIC_3", "ISIC_9"], "target": [0, 1, 0]}
    pd.DataFrame(table).to_csv(tmp_path / "m.csv", index=False)
    return tmp_path


def test_images_alone(folder):
    records = find_records([folder / "a", folder / "b" / "ISIC_3.png"])
    assert records.frame["image_id"].tolist() == ["ISIC_1", "ISIC_2", "ISIC_3"]
    assert records.layout == ("images",)


def test_images_with_metadata_say_what_was_left_out(folder):
    records = find_records(folder, metadata=[folder / "m.csv"])
    assert records.frame["image_id"].tolist() == ["ISIC_1", "ISIC_3"]
    assert records.frame["target"].tolist() == [0, 1]
    assert len(records.warnings) >= 2


def test_the_same_id_twice_is_refused(folder):
    with pytest.raises(SourceError, match="'ISIC_1'"):
        find_records([folder / "a", folder / "a" / "ISIC_1.png"])


def test_no_images(tmp_path):
    with pytest.raises(SourceError):
        find_records(tmp_path)


def _table_of_paths(folder, **columns):
    names = ["a/ISIC_1", "a/ISIC_2", "b/ISIC_3"]
    table = pd.DataFrame({"path": [f"{name}.png" for name in names], **columns})
    table.to_csv(folder / "t.csv", index=False)
    return folder / "t.csv"


def test_a_table_of_paths_brings_its_own_metadata(folder):
    records = find_records(_table_of_paths(folder, age=[40, 50, 60], target=[0, 1, 0]))
    assert records.frame["age"].tolist() == [40, 50, 60]
    assert records.frame["target"].tolist() == [0, 1, 0]
    assert records.frame["path"].tolist()[0] == str(folder / "a" / "ISIC_1.png")
    assert records.warnings == ()


def test_a_named_column_of_paths(folder):
    table = _table_of_paths(folder, age=[40, 50, 60])
    pd.read_csv(table).rename(columns={"path": "where"}).to_csv(table, index=False)
    records = find_records(table, path_column="where")
    assert records.frame["age"].tolist() == [40, 50, 60]
    assert len(find_images(table, path_column="where")) == 3


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"age": [40, 500, 60]}, "outside 0 to 120"),
    ],
)
def test_a_table_of_paths_that_is_no_metadata_still_lists_images(folder, columns, reason):
    table = _table_of_paths(folder, **columns)
    records = find_records(table)
    assert records.frame["image_id"].tolist() == ["ISIC_1", "ISIC_2", "ISIC_3"]
    assert "only the paths in" in records.warnings[0]
    assert reason in records.warnings[0]
    with pytest.raises(TableError, match="outside 0 to 120"):
        find_records(table, columns={"age": "age"})


def test_options_without_a_table_are_said_to_be_idle(folder):
    assert find_records(folder, id_column="x").warnings == (
        "`id_column` had no effect without a table. Name one with `metadata`.",
    )


@pytest.fixture
def classes(tmp_path):
    for name in ("train/benign/1", "train/malignant/1", "test/malignant/1", "test/benign/2"):
        path = tmp_path / "data" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_image(path, np.zeros((8, 8, 3), dtype=np.uint8))
    return tmp_path / "data"


def test_labels_from_folders(classes):
    records = find_records(classes, labels_from_folders=True)
    found = dict(zip(records.frame["image_id"], records.frame["target"], strict=True))
    assert found == {"2": 0, "test-malignant-1": 1, "train-benign-1": 0, "train-malignant-1": 1}
    apart = [classes / "train" / "benign", classes / "train" / "malignant"]
    records = find_records(apart, labels_from_folders=True)
    assert dict(zip(records.frame["image_id"], records.frame["target"], strict=True)) == {
        "train-benign-1": 0,
        "train-malignant-1": 1,
    }
    (classes / "train" / "benign").rename(classes / "train" / "images")
    with pytest.raises(OptionError, match="no image is in a folder named after its class"):
        find_records(classes / "train" / "images", labels_from_folders=True)


def test_labels_from_folders_of_a_zip_and_of_diagnoses(classes):
    (classes / "train" / "malignant").rename(classes / "train" / "Basal_cell carcinoma")
    (classes / "train" / "benign").rename(classes / "train" / "nevus")
    shutil.make_archive(str(classes.parent / "z"), "zip", classes, "train")
    options = {"labels_from_folders": True, "malignant": ["bcc"]}
    frame = find_records(classes.parent / "z.zip", **options).frame
    assert frame["diagnosis"].tolist() == ["basal cell carcinoma", "nevus"]
    assert frame["target"].tolist() == [1, 0]


def test_folders_of_classes_are_offered_and_no_others(classes):
    (note,) = (one for one in find_records(classes).warnings if "labels" in one)
    assert "folders named benign (2), malignant (2)" in note
    assert "`labels_from_folders`" in note
    (classes / "test").rename(classes / "p1")
    (classes / "train").rename(classes / "p2")
    for folder in ("p1/benign", "p1/malignant", "p2/benign", "p2/malignant"):
        (classes / folder).rename(classes / folder.replace("benign", "x").replace("mal", "y"))
    assert not any("labels" in one for one in find_records(classes).warnings)


def test_the_same_name_in_two_sources(classes):
    train = classes / "train"
    images = scan_sources([train / "benign", train / "malignant"])
    assert images.images["image_id"].tolist() == ["train-benign-1", "train-malignant-1"]
    assert images.images["source"].tolist() == [0, 1]
    assert "2 images share a name with one in another source" in images.notes[0]


@pytest.mark.parametrize("as_metadata", [False, True])
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_table_gives_ids_to_files_of_equal_names(classes, suffix, as_metadata):
    paths = ["train/benign/1.png", "train/malignant/1.png", "test/benign/2.png"]
    table = pd.DataFrame({"image_id": ["x", "y", "z"], "path": paths, "target": [0, 1, 0]})
    file = classes / f"t{suffix}"
    table.to_csv(file, index=False) if suffix == ".csv" else table.to_parquet(file)
    records = find_records(classes, metadata=[file]) if as_metadata else find_records(file)
    frame = records.frame.set_index("image_id")
    assert frame.loc[["x", "y", "z"], "path"].tolist() == [str(classes / path) for path in paths]
    assert frame.loc[["x", "y", "z"], "target"].tolist() == [0, 1, 0]
    assert len(frame) == 3


def test_a_record_that_two_files_are_called_like_is_refused(classes):
    pd.DataFrame({"image_id": ["1"], "age": [40]}).to_csv(classes / "t.csv", index=False)
    with pytest.raises(TableError, match="several image files match one record: 1"):
        find_records(classes, metadata=[classes / "t.csv"])


def test_ids_that_differ_in_spelling_are_matched_and_misses_have_examples(folder):
    ids = ["isic_1", "ISIC-2", "nobody"]
    pd.DataFrame({"image_id": ids, "age": [1, 2, 3]}).to_csv(folder / "m.csv", index=False)
    records = find_records(folder, metadata=[folder / "m.csv"])
    assert records.frame["image_id"].tolist() == ["isic_1"]
    said = " ".join(records.warnings)
    assert "ids of 1 records differ" in said
    assert "2 of 3 records have no image, e.g. ISIC-2, nobody" in said
    assert (
        "would match if blanks, hyphens, underscores and points were ignored, e.g. ISIC-2" in said
    )


def test_zips_are_the_folders_of_their_images(classes, tmp_path):
    for name in ("benign", "malignant"):
        with zipfile.ZipFile(tmp_path / f"{name}.zip", "w") as archive:
            archive.write(classes / "train" / name / "1.png", "1.png")
    zips = [tmp_path / "benign.zip", tmp_path / "malignant.zip"]
    records = find_records(zips, labels_from_folders=True)
    assert records.frame["target"].tolist() == [0, 1]
    assert records.frame["image_id"].str.endswith(("-benign-1", "-malignant-1")).all()


def test_a_table_of_which_no_file_is_found_is_refused(tmp_path):
    (tmp_path / "list.csv").write_text("path\na.jpg\n")
    with pytest.raises(SourceError, match=r"none of the 1 images .*`roots`"):
        find_records(tmp_path / "list.csv")


def test_two_records_of_one_file_are_refused(folder):
    table = _table_of_paths(folder, target=[0, 1, 0])
    rows = pd.read_csv(table).assign(image_id=["x", "y", "z"])
    pd.concat([rows, rows[:1].assign(image_id="w")]).to_csv(table, index=False)
    with pytest.raises(TableError, match=r"several image ids share a path: .*: x and w"):
        find_records(folder, metadata=[table])


@pytest.mark.parametrize("column", ["image", "image_id"])
def test_ids_that_are_paths_keep_their_folders_where_names_repeat(classes, column):
    cells = ["train/benign/1.png", "train/malignant/1.png", "test/benign/2.png"]
    table = classes / "list.csv"
    pd.DataFrame({column: cells, "target": [0, 1, 0]}).to_csv(table, index=False)
    expected = {"train-benign-1": 0, "train-malignant-1": 1, "2": 0}
    for source, tables in ((table, ()), (classes, (table,))):
        frame = find_records(source, metadata=tables).frame
        found = dict(zip(frame["image_id"], frame["target"], strict=True))
        assert found == expected
        assert all(path.endswith(tuple(cells)) for path in frame["path"])
