"""A refiner from images and masks, and masks from that refiner."""

from __future__ import annotations

import numpy as np
import pytest

from hybridlesion.io import image_size, write_mask


@pytest.fixture(scope="module")
def masks(lesions, tmp_path_factory):
    """Masks of 17 of the images: just enough for one batch."""
    folder = tmp_path_factory.mktemp("masks")
    for path in sorted((lesions / "images").iterdir())[10:27]:
        rows, columns = np.mgrid[:90, :120]
        assert image_size(path) == (90, 120)
        inside = ((rows - 45) / 18) ** 2 + ((columns - 60) / 23) ** 2 < 1
        write_mask(folder / f"{path.stem}_segmentation.png", inside)
    return folder


def test_train_then_segment_with_scores(hybridlesion, lesions, masks, tmp_path):
    out = tmp_path / "refiner.safetensors"
    result = hybridlesion(
        "train-refiner", lesions / "images", "--masks", masks, "--out", out, "--epochs", 1,
        "--jobs", 1, "--device", "cpu",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "trained on 17 images, 0 failed" in result.stdout.splitlines()[-1]
    assert out.stat().st_size < 2_000_000
    result = hybridlesion(
        "segment", lesions / "images", "--out", tmp_path / "found", "--segmenter", out,
        "--truth", masks, "--jobs", 1,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    measures = [line.split()[0] for line in lines[1:-1]]
    assert measures == ["metric", "jaccard", "thresholded_jaccard", "dice", "n"]
    assert lines[-2].split() == ["n", "17"]
    assert (tmp_path / "found.worst.png").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("a", "b", "--masks", "m"), "Got 2 and 1."),
        (("a", "--masks", "m", "--folds", 1), "at least 2"),
    ],
)
def test_wrong_options_are_refused_before_work(hybridlesion, tmp_path, arguments, message):
    result = hybridlesion("train-refiner", *arguments, "--out", tmp_path / "r.safetensors")
    assert result.exit_code == 2
    assert message in " ".join(result.output.replace("│", " ").split())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["magic", "absent.safetensors"])
def test_an_unknown_segmenter_is_refused(hybridlesion, lesions, tmp_path, name):
    arguments = ("--out", tmp_path / "masks", "--segmenter", name)
    result = hybridlesion("segment", lesions / "images", *arguments)
    assert result.exit_code == 2
    assert "--segmenter" in result.output


def test_a_missing_folder_of_true_masks_is_told_before_work(hybridlesion, lesions, tmp_path):
    arguments = ("--out", tmp_path / "masks", "--truth", tmp_path / "absent")
    result = hybridlesion("segment", lesions / "images", *arguments)
    assert result.exit_code == 1
    assert "is not a folder" in result.output
    assert not (tmp_path / "masks").exists()
