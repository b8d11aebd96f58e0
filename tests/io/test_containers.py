"""Zip and HDF5 archives, in this process and in its children."""

from __future__ import annotations

import multiprocessing
import os
import zipfile

import numpy as np
import pytest

from hybridlesion.exceptions import ImageError, MissingDependencyError, SourceError
from hybridlesion.io import _containers, list_images, read_image, scan_images


@pytest.fixture
def zip_file(tmp_path, encode, photograph):
    path = tmp_path / "train.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("train/ISIC_2.png", encode(photograph // 2))
        archive.writestr("train/ISIC_1.png", encode(photograph))
        archive.writestr("train/ISIC_1_segmentation.png", encode(photograph))
        archive.writestr("__MACOSX/train/._ISIC_1.png", b"resource fork")
        archive.writestr("train/readme.txt", b"text")
    return path


@pytest.fixture
def hdf5_file(tmp_path, encode, photograph):
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "train-image.hdf5"
    with h5py.File(path, "w") as archive:
        archive["ISIC_0000002"] = np.void(encode(photograph // 2))
        archive["ISIC_0000001"] = np.void(encode(photograph))
    return path


def test_zip_members_become_locators(zip_file, photograph):
    with pytest.warns(UserWarning, match=r"1 mask \(ISIC_1_segmentation.png\)"):
        images = list_images(zip_file)
    assert images["image_id"].tolist() == ["ISIC_1", "ISIC_2"]
    assert images["path"][0] == f"zip://train/ISIC_1.png::{zip_file}"
    np.testing.assert_array_equal(read_image(images["path"][0]), photograph)
    np.testing.assert_array_equal(read_image(images["path"][1]), photograph // 2)


def test_hdf5_keys_become_locators(hdf5_file, photograph):
    images = list_images(hdf5_file)
    assert images["image_id"].tolist() == ["ISIC_0000001", "ISIC_0000002"]
    assert images["path"][0] == f"hdf5://ISIC_0000001::{hdf5_file}"
    np.testing.assert_array_equal(read_image(images["path"][0]), photograph)
    np.testing.assert_array_equal(read_image(images["path"][1]), photograph // 2)


def test_hdf5_values_of_every_kind(tmp_path, encode, photograph):
    h5py = pytest.importorskip("h5py")
    data = encode(photograph)
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as archive:
        archive["group/void"] = np.void(data)
        archive["group/text"] = np.bytes_(data)
        archive["group/bytes"] = np.frombuffer(data, np.uint8)
    images = list_images(path)
    assert images["image_id"].tolist() == ["bytes", "text", "void"]
    for locator in images["path"]:
        np.testing.assert_array_equal(read_image(locator), photograph)


def test_zeros_at_the_end_of_a_text_value_are_kept(tmp_path, encode):
    h5py = pytest.importorskip("h5py")
    black = np.zeros((4, 4, 3), np.uint8)
    data = encode(black, "BMP")
    assert data.endswith(b"\0")
    with h5py.File(tmp_path / "a.h5", "w") as archive:
        archive["a"] = np.array(data, dtype=f"S{len(data)}")
    np.testing.assert_array_equal(read_image(f"hdf5://a::{tmp_path}/a.h5"), black)


def test_what_is_no_image_file_in_hdf5(tmp_path):
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "a.hdf5"
    with h5py.File(path, "w") as archive:
        archive["pixels"] = np.zeros((4, 4, 3), np.uint8)
        archive["group/nested"] = 1
        archive["text"] = np.void(b"<html>not found</html>")
    with pytest.raises(ImageError, match=r"an array of shape \(4, 4, 3\) and uint8, not the bytes"):
        read_image(f"hdf5://pixels::{path}")
    with pytest.raises(ImageError, match="the key contains a group"):
        read_image(f"hdf5://group::{path}")
    with pytest.raises(ImageError, match="has no key 'gone'"):
        read_image(f"hdf5://gone::{path}")
    with pytest.raises(ImageError, match="an HTML page"):
        read_image(f"hdf5://text::{path}")


def test_hdf5_without_h5py_names_the_extra(hdf5_file, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    _containers._handles.cache_clear()
    with pytest.raises(MissingDependencyError, match=r"hybridlesion\[hdf5\]"):
        list_images(hdf5_file)


def test_damaged_members_of_a_zip(tmp_path, encode, photograph):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.png", encode(photograph))
    data = bytearray(path.read_bytes())
    data[200] ^= 255
    path.write_bytes(data)
    with pytest.raises(ImageError, match="cannot be unpacked: Bad CRC-32"):
        read_image(f"zip://a.png::{path}")
    with pytest.raises(ImageError, match=r"no member 'gone\.png'"):
        read_image(f"zip://gone.png::{path}")


def test_an_encrypted_member_is_an_image_error(tmp_path, encode, photograph):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.png", encode(photograph))
    data = bytearray(path.read_bytes())
    # Bit 0 of the flags, in the member's own header and in the directory.
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(ImageError, match=r"cannot be unpacked: .* encrypted"):
        read_image(f"zip://a.png::{path}")


@pytest.mark.parametrize("suffix", ["zip", "hdf5"])
def test_a_file_that_is_no_archive(tmp_path, suffix):
    if suffix == "hdf5":
        pytest.importorskip("h5py")
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(b"something else entirely")
    with pytest.raises(SourceError, match="is not a readable"):
        list_images(path)


def test_archives_stay_open_but_not_too_many(tmp_path, encode, photograph):
    for number in range(7):
        path = tmp_path / f"{number}.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.png", encode(photograph))
        read_image(f"zip://a.png::{path}")
    mine = _containers._handles(os.getpid())
    assert mine.cache_info().currsize == 4
    for number, opened in ((6, 0), (3, 0), (2, 1)):
        before = mine.cache_info().misses
        read_image(f"zip://a.png::{tmp_path}/{number}.zip")
        assert mine.cache_info().misses == before + opened


def test_a_rewritten_archive_is_read_anew(tmp_path, encode, photograph):
    path = tmp_path / "a.zip"
    for name in ("first.png", "a_longer_name.png"):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(name, encode(photograph))
        assert list_images(path)["path"].tolist() == [f"zip://{name}::{path}"]


def _sum_many(locators, results):
    results.put([int(read_image(locator).sum()) for locator in locators * 20])


# Newer Pythons warn of forking beside the threads that numerical libraries keep.
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.parametrize("kind", ["zip", "hdf5"])
def test_children_read_what_their_parent_has_open(request, method, kind):
    locators = scan_images(request.getfixturevalue(f"{kind}_file")).images["path"].tolist()
    expected = [int(read_image(locator).sum()) for locator in locators * 20]
    context = multiprocessing.get_context(method)
    results = context.Queue()
    children = [context.Process(target=_sum_many, args=(locators, results)) for _ in range(2)]
    for child in children:
        child.start()
    assert [results.get(timeout=60) for _ in children] == [expected, expected]
    for child in children:
        child.join()
