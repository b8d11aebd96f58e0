"""No name in a table leads out of the table's folder."""

from __future__ import annotations

import os

import pytest

from hybridlesion.exceptions import ImageError
from hybridlesion.io import resolve_path


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
