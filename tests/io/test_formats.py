"""What is no image is refused by what it is."""

from __future__ import annotations

import pytest

from hybridlesion.exceptions import ImageError
from hybridlesion.io import read_image
from hybridlesion.io._formats import FORMATS, identify_format


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is empty"),
        (b"\0" * 200, "begins with zeros only"),
        (b"<!DOCTYPE html>\n<html><body>404</body></html>", "an HTML page"),
        (b"\n  <html lang='en'>", "an HTML page"),
        (b"<?xml version='1.0'?><Error/>", "XML"),
        (b"image_id,target\nISIC_1,0\n", "plain text"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
        (b"PK\x03\x04" + bytes(9), "a zip archive"),
        (b"%PDF-1.7", "a PDF"),
        (b"\0\0\0\x18ftypcrx ", "a film or a raw photograph"),
        (b"\x01\x02\x03\x04", "begins with the bytes 01 02 03 04"),
    ],
)
def test_strangers_are_named(tmp_path, data, reason):
    path = tmp_path / "ISIC_1.jpg"
    path.write_bytes(data)
    with pytest.raises(ImageError, match=rf"ISIC_1\.jpg: not an image: the file (is )?{reason}"):
        read_image(path)


def test_the_name_does_not_matter(tmp_path, encode, photograph):
    path = tmp_path / "image.jpg"
    path.write_bytes(encode(photograph, "PNG"))
    assert read_image(path).tolist() == photograph.tolist()


@pytest.mark.parametrize("image_format", FORMATS, ids=lambda image_format: image_format.name)
def test_formats_are_known_by_their_first_bytes(encode, photograph, image_format):
    assert identify_format(encode(photograph, image_format.name)[:132]) is image_format


@pytest.mark.parametrize("image_format", FORMATS, ids=lambda image_format: image_format.name)
def test_a_signature_alone_is_refused(tmp_path, encode, photograph, image_format):
    path = tmp_path / "image"
    length = 132 if image_format.name == "DICOM" else 12
    path.write_bytes(encode(photograph, image_format.name)[:length])
    with pytest.raises(ImageError, match=f"(damaged|truncated) {image_format.name}|DICOM object"):
        read_image(path)
