"""Images and metadata found together."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hybridlesion.exceptions import SourceError, TableError
from hybridlesion.images import write_image
from hybridlesion.sources import find_images, find_records


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
        "--id-column (id_column) had no effect: no metadata table was given (--metadata).",
    )
