"""Folders and files to a list of images."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest

from hybridlesion.exceptions import SourceError
from hybridlesion.io import image_id_from_path, list_images, scan_images


@pytest.fixture
def touch(tmp_path):
    def touch(*names: str) -> None:
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()

    return touch


def test_folders_are_searched_through_and_sorted(tmp_path, touch):
    touch("b/ISIC_2.JPG", "ISIC_3.png", "a/deep/ISIC_1.jpeg")
    images = list_images(tmp_path)
    assert list(images.columns) == ["image_id", "path"]
    assert images["image_id"].tolist() == ["ISIC_1", "ISIC_2", "ISIC_3"]
    assert images["path"][0] == str(tmp_path / "a" / "deep" / "ISIC_1.jpeg")


def test_masks_hidden_and_other_files_are_passed_over(tmp_path, touch):
    touch("a.jpg", "a.txt", "metadata.csv", "._a.jpg", ".cache/b.jpg", "Thumbs.db", ".DS_Store")
    assert scan_images(tmp_path).notes == ()
    touch("a_segmentation.png", "a_Segmentation.png", "a_lesion.bmp", "a_superpixels.png")
    with pytest.warns(UserWarning, match=r"skipped in .*: 4 masks \(a_Segmentation\.png\)\."):
        images = list_images(tmp_path)
    assert images["image_id"].tolist() == ["a"]


def test_every_kind_that_is_passed_over_is_counted_with_an_example(tmp_path, touch):
    touch("a.jpg", "b.CR2", "c.cr2", "d.mov", "train.zip", "README.md", "1.2.840.1")
    (tmp_path / "1.2.840.1").write_bytes(b"\1\2\3")
    (tmp_path / "LICENCE").write_text("Free for all uses.")
    (note,) = scan_images(tmp_path).notes
    assert note == (
        f"skipped in {tmp_path}: 2 .cr2 raw photographs (b.CR2: convert to JPEG or TIFF), 1 "
        "without a suffix (1.2.840.1), 1 .mov (d.mov), 1 .zip (train.zip: pass it as a source)."
    )


def test_an_image_without_a_suffix_is_known_by_its_first_bytes(tmp_path, encode, photograph):
    (tmp_path / "scan").write_bytes(encode(photograph))
    (tmp_path / "1.2.840").write_bytes(bytes(128) + b"DICM")
    assert list_images(tmp_path)["image_id"].tolist() == ["1.2.840", "scan"]
    assert list_images(tmp_path / "scan")["image_id"].tolist() == ["scan"]


def test_a_copy_in_another_format_is_one_photograph(tmp_path, touch):
    touch("a.HEIC", "a.jpg", "b.heic")
    listing = scan_images(tmp_path)
    assert listing.images["image_id"].tolist() == ["a", "b"]
    assert listing.images["path"][0] == str(tmp_path / "a.jpg")
    assert ".heic copy of another file of the same name (a.HEIC)" in listing.notes[0]


def _write(folder, encode, **files):
    for name, (pixels, kind) in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(f".{kind}").write_bytes(
            encode(pixels, {"jpg": "JPEG", "png": "PNG", "bmp": "BMP"}[kind])
        )


@pytest.fixture
def mask(photograph):
    mask = np.zeros(photograph.shape, np.uint8)
    mask[10:50, 20:70] = 255
    return mask


@pytest.mark.parametrize(
    "name", ["a_lesion", "a_Segmentation", "a_mask", "mask_a", "a-gt", "masks__a"]
)
@pytest.mark.parametrize("packed", [False, True])
def test_masks_are_told_by_a_partner_or_by_their_content(
    tmp_path, encode, photograph, mask, name, packed
):
    def ids(**files):
        folder = tmp_path / "in"
        shutil.rmtree(folder, ignore_errors=True)
        _write(folder, encode, **files)
        if packed:
            shutil.make_archive(str(tmp_path / "in"), "zip", folder)
        listing = scan_images(tmp_path / "in.zip" if packed else folder)
        return listing.images["image_id"].tolist(), "mask" in " ".join(listing.notes)

    own = name.split("__")[-1]
    other = (photograph, "jpg")
    assert ids(a=other, **{name: (mask, "png")}) == (["a"], True)
    assert ids(a=other, **{name: (mask, "jpg")}) == (["a"], True)
    assert ids(b=other, **{name: (mask, "bmp")}) == (["b"], True)
    # Photographs, with and without one of the same stem.
    assert ids(b=other, **{name: (photograph, "png")}) == (sorted([own, "b"]), False)
    if "__" not in name:
        assert ids(a=other, **{name: (photograph, "jpg")}) == (sorted(["a", own]), False)
        assert ids(**{name: (photograph, "jpg")}) == ([own], False)


@pytest.mark.parametrize("name", ["seg__a", "a_contour", "a(1)", "a1mask", "labels__a_2"])
def test_lossless_namesakes_of_a_photograph_are_masks_by_their_content(
    tmp_path, encode, photograph, mask, name
):
    whose = "a1" if name.startswith("a1") else "a"
    _write(tmp_path, encode, **{whose: (photograph, "jpg"), name: (mask, "png")})
    assert scan_images(tmp_path).images["image_id"].tolist() == [whose]
    _write(tmp_path, encode, **{name: (photograph[::-1], "png")})
    assert len(scan_images(tmp_path).images) == 2


def test_a_source_of_masks_is_none_of_images(tmp_path, encode, mask):
    _write(tmp_path, encode, masks__a=(mask, "png"), masks__b=(mask, "png"))
    with pytest.raises(SourceError, match=r"found 2 masks \(a\.png\)"):
        list_images(tmp_path / "masks")


def test_links_are_followed_once(tmp_path, touch):
    touch("in/a.jpg", "disk/b.jpg", "disk/deep/c.jpg", "disk/d.jpg")
    links = {
        "in/part_2": "disk/deep",
        "in/again": "disk/deep",
        "in/own": "in",
        "in/up": "",
        "in/e.jpg": "in/a.jpg",
        "in/d.jpg": "disk/d.jpg",
        "in/gone.jpg": "nowhere.jpg",
    }
    for link, target in links.items():
        (tmp_path / link).symlink_to(tmp_path / target)
    listing = scan_images(tmp_path / "in")
    assert listing.images["image_id"].tolist() == ["a", "c", "d"]
    assert listing.images["path"][1] == str(tmp_path / "in" / "again" / "c.jpg")
    for part in (
        "3 links to a folder above",
        "1 link to a file already",
        "1 broken link (gone.jpg",
    ):
        assert part in listing.notes[0]


def test_relative_sources_give_absolute_paths(tmp_path, touch, monkeypatch):
    touch("in/a.jpg")
    monkeypatch.chdir(tmp_path)
    assert list_images("in")["path"].tolist() == [str(tmp_path / "in" / "a.jpg")]
    assert list_images("in/a.jpg")["path"].tolist() == [str(tmp_path / "in" / "a.jpg")]


def test_one_file_is_taken_as_it_is(tmp_path, touch):
    touch("a_lesion.png")
    assert list_images(tmp_path / "a_lesion.png")["image_id"].tolist() == ["a_lesion"]


def test_equal_names_in_several_folders_have_ids_with_their_folders(tmp_path, touch):
    touch("train/x/a.jpg", "train/y/a.png", "test/x/a.jpg", "b.jpg")
    listing = scan_images(tmp_path)
    assert listing.images["image_id"].tolist() == ["b", "test-x-a", "train-x-a", "train-y-a"]
    assert "3 images in" in listing.notes[0]


def test_equal_ids_in_one_folder_are_refused_by_name(tmp_path, touch):
    touch("x/a.jpg", "x/a.png", "b.jpg")
    with pytest.raises(SourceError, match=r"1 images in .* have the same id as another") as caught:
        list_images(tmp_path)
    for name in ("x/a.jpg", "x/a.png"):
        assert str(tmp_path / name) in str(caught.value)


def test_only_the_first_pairs_of_equal_ids_are_shown(tmp_path, touch):
    touch(*(f"{number}{suffix}" for suffix in (".jpg", ".png") for number in range(9)))
    with pytest.raises(SourceError, match=r"9 images in") as caught:
        list_images(tmp_path)
    assert str(caught.value).count(" and ") == 5
    assert "; ..." in str(caught.value)


def test_no_images_says_what_is_there(tmp_path, touch):
    with pytest.raises(SourceError, match="found nothing"):
        list_images(tmp_path)
    touch("a.txt", "b.txt", "c.mov", "d")
    with pytest.raises(SourceError, match=r"found 1 \.mov \(c\.mov\), 2 \.txt, 1 without a suffix"):
        list_images(tmp_path)


def test_what_is_no_source(tmp_path, touch):
    with pytest.raises(SourceError, match="gone does not exist"):
        list_images(tmp_path / "gone")
    touch("notes.txt")
    with pytest.raises(SourceError, match=r"notes\.txt is not a source of images"):
        list_images(tmp_path / "notes.txt")


def test_names_that_are_not_utf8(tmp_path):
    try:
        (tmp_path / os.fsdecode(b"a\xff.jpg")).touch()
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    with pytest.raises(SourceError, match="not valid UTF-8"):
        list_images(tmp_path)


def test_listing_opens_no_file(tmp_path, touch, monkeypatch):
    touch("a.jpg", "b/c.jpg")

    def refuse(*args, **kwargs):
        raise AssertionError("a file was opened or looked at")

    monkeypatch.setattr("builtins.open", refuse)
    monkeypatch.setattr(os.path, "getsize", refuse)
    assert len(list_images(tmp_path)) == 2


@pytest.mark.parametrize(
    ("path", "image_id"),
    [
        ("ISIC_1.jpg", "ISIC_1"),
        ("a/b/ISIC_1.v2.JPEG", "ISIC_1.v2"),
        ("s3://bucket/ISIC_1.png", "ISIC_1"),
        ("zip://a/ISIC_1.jpg::s3://bucket/a.zip", "ISIC_1"),
        ("hdf5://ISIC_1.0::/a.hdf5", "ISIC_1.0"),
        ("hdf5://group/ISIC_1::/a.hdf5", "ISIC_1"),
        ("C:\\data\\ISIC_1.jpg", "ISIC_1"),
    ],
)
def test_image_id_from_path(path, image_id):
    assert image_id_from_path(path) == image_id


@pytest.mark.real
def test_real_folders_hold_the_counted_images(real_data):
    assert len(scan_images(real_data / "ph2").images) == 100
    assert len(scan_images(real_data / "isic2017").images) == 1996
