"""Tables with a column of paths."""

from __future__ import annotations

import pandas as pd
import pytest

from hybridlesion.exceptions import TableError
from hybridlesion.images import list_images


@pytest.mark.parametrize("column", ["path", "Image_Path", " file_name ", "filename"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_csv_with_any_separator_and_usual_names(tmp_path, column, separator):
    (tmp_path / "t.csv").write_text(
        f"target{separator}{column}\n1{separator}b.jpg\n0{separator}in/a.jpg\n"
    )
    images = list_images(tmp_path / "t.csv")
    assert images["image_id"].tolist() == ["a", "b"]
    assert images["path"].tolist() == [str(tmp_path / "in" / "a.jpg"), str(tmp_path / "b.jpg")]


def test_a_column_named_by_the_caller(tmp_path):
    (tmp_path / "t.csv").write_bytes("\ufeffwhere,path\nb.jpg,a.jpg\n".encode())
    images = list_images(tmp_path / "t.csv", path_column="where")
    assert images["image_id"].tolist() == ["b"]


def test_parquet(tmp_path):
    pd.DataFrame({"target": [1], "path": ["a.jpg"]}).to_parquet(tmp_path / "t.parquet")
    assert list_images(tmp_path / "t.parquet")["path"].tolist() == [str(tmp_path / "a.jpg")]


def test_the_same_path_twice_is_one_image(tmp_path):
    (tmp_path / "t.csv").write_text("path\na.jpg\n./a.jpg\n")
    assert len(list_images(tmp_path / "t.csv")) == 1


def test_a_file_called_na(tmp_path):
    (tmp_path / "t.csv").write_text("path,age\nNA.jpg,3\nNA,4\n")
    with pytest.raises(TableError, match="row 3: '' is no file name"):
        list_images(tmp_path / "t.csv")


def test_every_bad_row_is_named(tmp_path):
    (tmp_path / "t.csv").write_text("path,target\na.jpg,0\n../b.jpg,0\n,1\n/etc/passwd,0\n")
    with pytest.raises(TableError, match=r"3 of 4 paths in .*put the table beside them") as caught:
        list_images(tmp_path / "t.csv")
    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        "row 3",
        "row 4",
        "row 5",
    ]


def test_many_bad_rows_are_counted(tmp_path):
    (tmp_path / "t.csv").write_text("path\n" + "../b.jpg\n" * 1000)
    with pytest.raises(TableError, match="1000 of 1000") as caught:
        list_images(tmp_path / "t.csv")
    assert len(caught.value.problems) == 21
    assert caught.value.problems[-1] == "and 980 more"


def test_no_column_of_paths(tmp_path):
    (tmp_path / "t.csv").write_text("image_name,target\nISIC_1,0\n")
    with pytest.raises(TableError, match=r"It has image_name, target; looked for are path, "):
        list_images(tmp_path / "t.csv")
    with pytest.raises(TableError, match=r"has no column 'where'\. It has image_name, target"):
        list_images(tmp_path / "t.csv", path_column="where")
    with pytest.raises(TableError, match=r"no column 'targt'\. Did you mean 'target'\? It has"):
        list_images(tmp_path / "t.csv", path_column="targt")
    (tmp_path / "wide.csv").write_text(",".join(f"c{n}" for n in range(300)) + f"\n1{',' * 299}\n")
    with pytest.raises(TableError, match=r"It has c0, .*, c19 and 280 more; looked for"):
        list_images(tmp_path / "wide.csv")


def test_what_is_no_table(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"path\n\xff\0\n")
    with pytest.raises(TableError, match="is no text table"):
        list_images(tmp_path / "t.csv")
    (tmp_path / "t.parquet").write_bytes(b"not parquet")
    with pytest.raises(TableError, match="is no Parquet table"):
        list_images(tmp_path / "t.parquet")
    (tmp_path / "empty.csv").write_bytes(b"")
    with pytest.raises(TableError, match="is empty"):
        list_images(tmp_path / "empty.csv")


def test_path_column_is_for_tables(tmp_path):
    with pytest.raises(ValueError, match=r"is no table: leave out path_column"):
        list_images(tmp_path, path_column="path")
