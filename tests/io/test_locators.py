"""Images on remote storage, with fsspec's in-memory file system in its place."""

from __future__ import annotations

import io
import zipfile

import fsspec
import numpy as np
import pytest

from hybridlesion.exceptions import ImageError, MissingDependencyError, SourceError, TableError
from hybridlesion.io import image_size, list_images, read_image, scan_images


@pytest.fixture
def bucket(encode, photograph):
    storage = fsspec.filesystem("memory")
    files = {
        "/bucket/train/deep/ISIC_2.png": encode(photograph // 2),
        "/bucket/train/ISIC_1.png": encode(photograph),
        "/bucket/train/ISIC_1_segmentation.png": encode(photograph),
        "/bucket/train/paths.csv": b"path\ndeep/ISIC_2.png\n",
        "/bucket/train/bad.csv": b"path\n../../secret/ISIC_3.png\nmemory://secret/ISIC_4.png\n",
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("inner/ISIC_5.png", encode(photograph))
    files["/bucket/train.zip"] = packed.getvalue()
    for path, data in files.items():
        storage.pipe_file(path, data)
    yield "memory://bucket"
    storage.rm("/bucket", recursive=True)


def test_folders_are_listed_through(bucket, photograph):
    with pytest.warns(UserWarning, match=r"1 mask \(ISIC_1_segmentation.png\)"):
        images = list_images(f"{bucket}/train")
    assert images["image_id"].tolist() == ["ISIC_1", "ISIC_2"]
    np.testing.assert_array_equal(read_image(images["path"][1]), photograph // 2)
    assert image_size(images["path"][1]) == (64, 96)


def test_patterns_and_single_files(bucket):
    assert scan_images(f"{bucket}/train/*.png").images["image_id"].tolist() == ["ISIC_1"]
    assert list_images(f"{bucket}/train/ISIC_1.png")["image_id"].tolist() == ["ISIC_1"]


def test_a_remote_zip(bucket, photograph):
    images = list_images(f"{bucket}/train.zip")
    assert images["image_id"].tolist() == ["ISIC_5"]
    np.testing.assert_array_equal(read_image(images["path"][0]), photograph)


def test_a_remote_table(bucket, photograph):
    images = list_images(f"{bucket}/train/paths.csv")
    assert images["path"].tolist() == ["memory://bucket/train/deep/ISIC_2.png"]
    np.testing.assert_array_equal(read_image(images["path"][0]), photograph // 2)


def test_a_remote_table_cannot_lead_away(bucket):
    with pytest.raises(TableError, match="2 of 2 paths") as caught:
        list_images(f"{bucket}/train/bad.csv")
    assert [problem[:6] for problem in caught.value.problems] == ["row 2:", "row 3:"]


def test_file_addresses_are_local_paths(tmp_path, encode, photograph):
    (tmp_path / "a.png").write_bytes(encode(photograph))
    assert list_images(f"file://{tmp_path}")["path"].tolist() == [str(tmp_path / "a.png")]


def test_what_is_not_there(bucket):
    with pytest.raises(SourceError, match=r"nothing found at memory://bucket/gone"):
        list_images(f"{bucket}/gone")
    with pytest.raises(ImageError, match=r"gone\.png does not exist"):
        read_image(f"{bucket}/gone.png")
    with pytest.raises(SourceError, match="Copy the file first"):
        list_images(f"{bucket}/train.hdf5")


def test_unknown_protocols_and_missing_drivers(monkeypatch):
    with pytest.raises(SourceError, match="Protocol not known: nosuch"):
        list_images("nosuch://bucket/folder")

    def without_driver(address):
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr("fsspec.core.url_to_fs", without_driver)
    with pytest.raises(MissingDependencyError, match="Install s3fs"):
        list_images("s3://bucket/folder")
