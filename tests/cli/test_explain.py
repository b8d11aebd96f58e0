"""One lesion to its ABCD sheet."""

from __future__ import annotations

from pathlib import Path

import pytest

from hybridlesion.io import image_size

SAMPLE = Path(__file__).parents[2] / "data" / "sample"
IMAGE, MASK = (
    SAMPLE / "images" / "SYN_0000001.jpg",
    SAMPLE / "masks" / "SYN_0000001_segmentation.png",
)


def test_the_sheet_lies_beside_and_is_named(hybridlesion, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = hybridlesion("explain", IMAGE)
    assert result.exit_code == 0, result.output
    assert [path.name for path in tmp_path.iterdir()] == ["SYN_0000001_abcd.png"]
    assert result.stdout.startswith("wrote SYN_0000001_abcd.png: 1 sheet, 0 failed, ")


def test_a_mask_and_a_name(hybridlesion, tmp_path):
    out = tmp_path / "deep" / "sheet.pdf"
    result = hybridlesion("explain", IMAGE, "--mask", MASK, "--out", out)
    assert result.exit_code == 0, result.output
    assert out.read_bytes().startswith(b"%PDF")


def test_a_folder_of_images_is_a_folder_of_sheets(hybridlesion, lesions, tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    for name in ("SYN_0001", "SYN_0002", "SYN_0007"):
        (images / f"{name}.png").hardlink_to(lesions / "images" / f"{name}.png")
    out = tmp_path / "sheets.v1"
    out.mkdir()
    result = hybridlesion("explain", images, "--out", out)
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in out.iterdir()) == [
        "SYN_0001_abcd.png",
        "SYN_0002_abcd.png",
    ]
    assert f"2 sheets, 1 failed (see {out}.errors.csv)" in result.stdout
    refused = hybridlesion("explain", images)
    assert refused.exit_code == 1
    assert "3 images need a folder" in refused.stderr


def test_a_network_draws_beside_the_sheet(hybridlesion, tmp_path):
    out = tmp_path / "sheet.png"
    result = hybridlesion("explain", IMAGE, "--network", "finetuned", "--out", out)
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sheet.png", "sheet_cnn.png"]
    assert result.stdout.startswith(f"wrote {out}: 1 sheet, 0 failed, ")


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        (IMAGE, "--out", "s.gif"),
        (IMAGE, "--segmenter", "x"),
        (IMAGE, "--network", "mobilenetv2_100"),
    ],
)
def test_wrong_usage_is_exit_code_2(hybridlesion, arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert hybridlesion("explain", *arguments).exit_code == 2
    assert not list(tmp_path.iterdir())


def test_a_broken_image_is_one_message(hybridlesion, lesions, tmp_path):
    result = hybridlesion(
        "explain", lesions / "images" / "SYN_0007.png", "--out", tmp_path / "s.png"
    )
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1].startswith("hybridlesion: ")
    assert "SYN_0007.png" in result.stderr
    assert not list(tmp_path.iterdir())


def test_the_output_is_checked_before_the_images(hybridlesion, tmp_path):
    (tmp_path / "file").write_text("in the way")
    result = hybridlesion("explain", "gone", "--out", tmp_path / "file" / "s.png")
    assert result.exit_code == 1
    assert "file is a file; name a folder." in result.stderr


def test_a_model_with_a_table_adds_the_score(hybridlesion, model_file, lesions, tmp_path):
    image, out = lesions / "images" / "SYN_0001.png", tmp_path / "sheet.png"
    arguments = ("explain", image, "--out", out, "--metadata", lesions / "metadata.csv")
    result = hybridlesion(*arguments, "--model", model_file)
    assert result.exit_code == 0, result.output
    assert image_size(out)[0] > 1000
    refused = hybridlesion(*arguments)
    assert refused.exit_code == 2
    assert "--metadata serves the score of a model" in refused.stderr


def test_a_key_needs_a_model(hybridlesion, tmp_path):
    (tmp_path / "key").write_text("a key of at least 16 bytes\n")
    refused = hybridlesion("explain", IMAGE, "--out", tmp_path / "s.png", "--key", tmp_path / "key")
    assert refused.exit_code == 2
    assert "--key checks the signature of a model" in refused.stderr
    assert not (tmp_path / "s.png").exists()
