"""Tables of paths, and paths that must stay in their folder."""

from __future__ import annotations

import os

import pandas as pd
import pytest

from hybridlesion.exceptions import ImageError, SourceError, TableError
from hybridlesion.io import list_images, resolve_path


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
    with pytest.raises(TableError, match="row 3: '' is not a file name"):
        list_images(tmp_path / "t.csv")


def test_every_bad_row_is_named(tmp_path):
    (tmp_path / "t.csv").write_text("path,target\na.jpg,0\n../b.jpg,0\n,1\n/etc/passwd,0\n")
    with pytest.raises(TableError, match=r"3 of 4 paths in .*move the table there") as caught:
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
    with pytest.raises(TableError, match=r"It has image_name, target; the known names are path, "):
        list_images(tmp_path / "t.csv")
    with pytest.raises(TableError, match=r"has no column 'where'\. It has image_name, target"):
        list_images(tmp_path / "t.csv", path_column="where")
    with pytest.raises(TableError, match=r"no column 'targt'\. Did you mean 'target'\? It has"):
        list_images(tmp_path / "t.csv", path_column="targt")
    (tmp_path / "wide.csv").write_text(",".join(f"c{n}" for n in range(300)) + f"\n1{',' * 299}\n")
    with pytest.raises(TableError, match=r"It has c0, .*, c19 and 280 more; the known names"):
        list_images(tmp_path / "wide.csv")


def test_what_is_no_table(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"path\n\xff\0\n")
    with pytest.raises(TableError, match="is not a text table"):
        list_images(tmp_path / "t.csv")
    (tmp_path / "t.parquet").write_bytes(b"not parquet")
    with pytest.raises(TableError, match="is not a Parquet table"):
        list_images(tmp_path / "t.parquet")
    (tmp_path / "empty.csv").write_bytes(b"")
    with pytest.raises(TableError, match="is empty"):
        list_images(tmp_path / "empty.csv")


@pytest.fixture
def clinic(tmp_path):
    """Photographs in a folder that is not that of the table."""
    for patient in ("p0", "p1"):
        (tmp_path / "disk" / patient).mkdir(parents=True)
        (tmp_path / "disk" / patient / "1.jpg").touch()
    (tmp_path / "tables").mkdir()
    return tmp_path


def _table(folder, paths, **columns):
    file = folder / "tables" / "list.csv"
    pd.DataFrame({"path": paths, **columns}).to_csv(file, index=False)
    return file


def test_ids_of_the_table_win_over_file_names(clinic):
    table = _table(clinic, ["p0/1.jpg", "p1/1.jpg"], image_id=["B.jpg", 7])
    images = list_images(table, roots=[clinic / "disk"])
    assert images["image_id"].tolist() == ["7", "B"]
    assert images["path"].tolist() == [str(clinic / f"disk/{p}/1.jpg") for p in ("p1", "p0")]
    assert list_images(_table(clinic, ["p0/1.jpg", "p1/1.jpg"]))["image_id"].tolist() == [
        "p0-1",
        "p1-1",
    ]


@pytest.mark.parametrize(
    ("ids", "problem"),
    [
        (["a", "a", "b"], "rows 2, 3: id a has 2 files"),
        (["a", "b", "c"], "rows 3, 4: .*1.jpg has 2 ids, b, c"),
        (["a", None, None], "row 3 has no image id"),
    ],
)
def test_ids_and_paths_that_contradict_each_other(clinic, ids, problem):
    table = _table(clinic, ["p0/1.jpg", "p1/1.jpg", "p1/1.jpg"], image_id=ids)
    with pytest.raises(TableError, match=problem):
        list_images(table)
    same = _table(clinic, ["p0/1.jpg", "p1/1.jpg", "p1/1.jpg"], image_id=["a", "b", "b"])
    assert list_images(same)["image_id"].tolist() == ["a", "b"]


@pytest.mark.parametrize(
    "written", ["{disk}/p0/1.jpg", "p0/1.jpg", "../disk/p0/1.jpg", "p0\\1.jpg"]
)
def test_images_below_a_root(clinic, written):
    table = _table(clinic, [written.format(disk=clinic / "disk")])
    found = list_images(table, roots=[clinic / "tables", clinic / "disk"])
    assert found["path"].tolist() == [str(clinic / "disk" / "p0" / "1.jpg")]


def test_the_refusal_offers_the_root_that_is_missing(clinic):
    table = _table(clinic, [f"{clinic}/disk/p0/1.jpg", "../disk/p1/1.jpg"])
    with pytest.raises(TableError, match=rf"`roots`, for example {clinic}/disk\."):
        list_images(table)


@pytest.mark.parametrize("start", ["C:\\data\\img\\", "/mnt/gone/img/", "\\\\nas\\img\\"])
def test_paths_of_another_computer_are_found_by_their_ends(clinic, start):
    slash = "/" if start.startswith("/") else "\\"
    table = _table(clinic, [f"{start}{patient}{slash}1.jpg" for patient in ("p0", "p1")])
    with pytest.warns(UserWarning, match="2 of 2 paths are from another computer"):
        found = list_images(table, roots=[clinic / "disk"])
    assert found["path"].tolist() == [str(clinic / f"disk/{p}/1.jpg") for p in ("p0", "p1")]
    with pytest.raises(TableError, match="2 of 2 paths"):
        list_images(table)


def test_roots_open_no_other_folder(clinic):
    (clinic / "private.jpg").touch()
    (clinic / "disk" / "link.jpg").symlink_to(clinic / "private.jpg")
    table = _table(clinic, ["../private.jpg", f"{clinic}/private.jpg", "link.jpg", "p0/1.jpg"])
    with pytest.raises(TableError, match="2 of 4 paths") as caught:
        list_images(table, roots=[clinic / "disk"])
    assert all("private.jpg' leads out of" in problem for problem in caught.value.problems)


def test_path_column_is_for_tables(tmp_path):
    with pytest.raises(ValueError, match=r"is not a table. Leave out `path_column`"):
        list_images(tmp_path, path_column="path")


@pytest.mark.parametrize("columns", [("Bild-ID", "Pfad"), ("image_id", "image"), ("id", "x_path")])
def test_other_names_of_the_column(clinic, columns):
    table = _table(clinic, ["p0/1.jpg", "p1/1.jpg"], image_id=["a", "b"], mask=["m.png", "n.png"])
    names = dict(zip(("image_id", "path"), columns, strict=True))
    pd.read_csv(table).rename(columns=names).to_csv(table, index=False)
    images = list_images(table, roots=[clinic / "disk"])
    assert images["path"].tolist() == [str(clinic / f"disk/{p}/1.jpg") for p in ("p0", "p1")]


@pytest.mark.parametrize("written", ["P0/1.JPG", "p0/1", "p0/1_downsampled.jpg"])
def test_files_are_found_in_spite_of_case_and_suffix(clinic, written):
    table = _table(clinic, [written, "p1/1.jpg"])
    with pytest.warns(UserWarning, match=f"1 of 2 paths differ.*: {written} is taken as"):
        found = list_images(table, roots=[clinic / "disk"])
    assert str(clinic / "disk" / "p0" / "1.jpg") in found["path"].tolist()
    (clinic / "disk" / "p0" / "1.png").touch()
    (clinic / "disk" / "p0" / "1_Downsampled.jpg").touch()
    (clinic / "disk" / "P0").mkdir()
    assert len(list_images(_table(clinic, ["P0/x.jpg"]), roots=[clinic / "disk"])) == 1


def test_a_root_that_is_no_folder_is_refused(clinic):
    for root in ("gone", "disk/p0/1.jpg"):
        with pytest.raises(SourceError, match=f"{root} is not a folder; `roots`"):
            list_images(_table(clinic, ["p0/1.jpg"]), roots=[clinic / root])


def test_a_proposed_root_is_quoted(clinic):
    (clinic / "disk").rename(clinic / "my disk")
    with pytest.raises(TableError, match=rf"`roots`, for example '{clinic}/my disk/p0'"):
        list_images(_table(clinic, [f"{clinic}/my disk/p0/1.jpg"]))


def test_one_file_is_not_taken_for_two_paths(clinic):
    table = _table(clinic, ["D:\\x\\1.jpg", "D:\\y\\1.jpg"])
    with pytest.raises(TableError, match="1 of 2 paths") as caught:
        list_images(table, roots=[clinic / "disk" / "p0"])
    assert caught.value.problems[0].startswith("row 3")


@pytest.fixture
def folder(tmp_path):
    inside = tmp_path / "images"
    (inside / "train").mkdir(parents=True)
    (inside / "train" / "a.jpg").touch()
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "b.jpg").touch()
    (inside / "link.jpg").symlink_to(tmp_path / "private" / "b.jpg")
    (inside / "linked").symlink_to(tmp_path / "private", target_is_directory=True)
    (inside / "good.jpg").symlink_to(inside / "train" / "a.jpg")
    return inside


@pytest.mark.parametrize("name", ["train/a.jpg", "./train/a.jpg", "train\\a.jpg", "train//a.jpg"])
def test_names_inside(folder, name):
    assert resolve_path(folder, name) == str(folder / "train" / "a.jpg")


def test_absolute_names_inside(folder):
    path = str(folder / "train" / "a.jpg")
    assert resolve_path(folder, path) == path
    assert resolve_path(folder, f"zip://m.jpg::{folder}/a.zip") == f"zip://m.jpg::{folder}/a.zip"
    assert resolve_path(folder, "hdf5://k::a.hdf5") == f"hdf5://k::{folder}/a.hdf5"


def test_a_link_that_stays_inside(folder):
    assert resolve_path(folder, "good.jpg") == str(folder / "good.jpg")


@pytest.mark.parametrize(
    "name",
    [
        "../private/b.jpg",
        "train/../../private/b.jpg",
        "..\\private\\b.jpg",
        "train/..",
        "/etc/passwd",
        "{parent}/private/b.jpg",
        "{parent}/images-other/b.jpg",
        "link.jpg",
        "linked/b.jpg",
        "file:///etc/passwd",
        "zip://a.jpg::/elsewhere/a.zip",
        "zip://a.jpg::../a.zip",
        "hdf5://k::linked/a.hdf5",
        "s3://bucket/a.jpg",
        "http://127.0.0.1/a.jpg",
        "simplecache::http://127.0.0.1/a.jpg",
        ".",
    ],
)
def test_names_outside(folder, name):
    name = name.format(parent=folder.parent)
    with pytest.raises(ImageError, match="leads out of the folder"):
        resolve_path(folder, name)


@pytest.mark.parametrize("name", ["", "  ", "a\0.jpg", None, 3.0])
def test_what_is_no_name(folder, name):
    with pytest.raises(ImageError, match="is not a file name"):
        resolve_path(folder, name)


def test_a_folder_that_is_itself_a_link(folder):
    link = folder.parent / "link"
    link.symlink_to(folder, target_is_directory=True)
    assert resolve_path(link, "train/a.jpg") == str(link / "train" / "a.jpg")


def test_a_relative_folder(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    assert resolve_path("images", "train/a.jpg") == str(folder / "train" / "a.jpg")
    assert os.path.isabs(resolve_path(".", "a.jpg"))


def test_addresses():
    assert resolve_path("s3://bucket/a/", "b/c.jpg") == "s3://bucket/a/b/c.jpg"
    assert resolve_path("s3://bucket/a", "s3://bucket/a/c.jpg") == "s3://bucket/a/c.jpg"


@pytest.mark.parametrize(
    "name",
    [
        "../c.jpg",
        "%2e%2e/c.jpg",
        "/c.jpg",
        "s3://bucket/ab/c.jpg",
        "s3://other/a/c.jpg",
        "file:///etc/passwd",
        "zip://a.jpg::/a.zip",
    ],
)
def test_addresses_outside(name):
    with pytest.raises(ImageError, match="leads out of the folder s3://bucket/a"):
        resolve_path("s3://bucket/a", name)
