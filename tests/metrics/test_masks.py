"""Overlap of single masks, of many, and of folders of masks."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hybridlesion.exceptions import ImageError, TableError
from hybridlesion.io import write_mask
from hybridlesion.metrics import compare_masks, summarize_overlaps
from hybridlesion.metrics.masks import dice, jaccard, thresholded_jaccard


def mask(stop):
    inside = np.zeros((4, 10), bool)
    inside[:, :stop] = True
    return inside


def test_shared_masks_are_compared_by_name(tmp_path):
    for name, ours, true in (("a", 10, 10), ("b", 5, 10), ("c", 7, 10)):
        write_mask(tmp_path / f"ours/{name}_segmentation.png", mask(ours))
        write_mask(tmp_path / f"true/{name}_lesion.png", mask(true))
    write_mask(tmp_path / "ours/d_segmentation.png", mask(3))
    table = compare_masks(tmp_path / "ours", tmp_path / "true")
    assert table["image_id"].tolist() == ["a", "b", "c"]
    np.testing.assert_allclose(table["jaccard"], [1, 0.5, 0.7])
    np.testing.assert_allclose(table["thresholded_jaccard"], [1, 0, 0.7])
    np.testing.assert_allclose(table["dice"], [1, 2 / 3, 14 / 17])


def test_another_size_or_no_common_name_is_refused(tmp_path):
    write_mask(tmp_path / "ours/a_segmentation.png", mask(3))
    write_mask(tmp_path / "true/a_segmentation.png", mask(3)[:2])
    with pytest.raises(ImageError, match=r"^a: .*same size"):
        compare_masks(tmp_path / "ours", tmp_path / "true")
    write_mask(tmp_path / "else/b_segmentation.png", mask(3))
    with pytest.raises(TableError, match="no mask in"):
        compare_masks(tmp_path / "ours", tmp_path / "else")


def test_intervals_hold_the_mean_and_narrow_with_the_number(rng):
    values = rng.uniform(0.6, 1, 400)
    columns = ["jaccard", "thresholded_jaccard", "dice"]

    def summary(n):
        return summarize_overlaps(pd.DataFrame(dict.fromkeys(columns, values[:n]))).iloc[0]

    few, many = summary(20), summary(400)
    assert few["low"] < few["value"] < few["high"]
    # The interval of a mean is four standard errors wide.
    assert many["high"] - many["low"] == pytest.approx(3.92 * values.std() / 20, rel=0.15)
    assert few["high"] - few["low"] > 3 * (many["high"] - many["low"])
    assert (
        summarize_overlaps(pd.DataFrame(dict.fromkeys(columns, values)), n_bootstrap=0)["low"]
        .isna()
        .all()
    )


LEFT = np.array([[1, 1, 0, 0]], bool)
MIDDLE = np.array([[0, 1, 1, 0]], bool)
EMPTY = np.zeros((1, 4), bool)


def test_one_of_three_pixels_is_shared():
    assert jaccard(LEFT, MIDDLE) == pytest.approx(1 / 3)
    assert dice(LEFT, MIDDLE) == pytest.approx(1 / 2)


@pytest.mark.parametrize("measure", [jaccard, dice, thresholded_jaccard])
def test_two_empty_masks_agree(measure):
    assert measure(EMPTY, EMPTY) == 1.0


@pytest.mark.parametrize("measure", [jaccard, dice, thresholded_jaccard])
def test_an_empty_mask_misses_a_lesion(measure):
    assert measure(EMPTY, LEFT) == 0.0


def test_grey_counts_as_inside_above_128():
    truth = np.array([[255, 129, 128, 0]], np.uint8)
    assert jaccard(LEFT, truth) == 1.0


@pytest.mark.parametrize(("shared", "expected"), [(65, 0.65), (64, 0.0)])
def test_the_threshold_itself_still_counts(shared, expected):
    truth = np.ones((10, 10), bool)
    prediction = (np.arange(100) < shared).reshape(10, 10)
    assert thresholded_jaccard(prediction, truth) == expected


def test_dice_and_jaccard_are_one_scale(rng):
    first, second = rng.random((2, 30, 30)) > 0.5
    overlap = jaccard(first, second)
    assert dice(first, second) == pytest.approx(2 * overlap / (1 + overlap))


def test_sizes_must_match():
    with pytest.raises(ImageError, match=r"\(1, 4\) and \(1, 3\)"):
        jaccard(LEFT, LEFT[:, :3])


def test_a_mask_of_zeros_and_ones_is_refused_rather_than_empty():
    with pytest.raises(ImageError, match="0 and 1"):
        jaccard(LEFT, LEFT.astype(np.uint8))


@pytest.mark.parametrize("bad", [LEFT[0], LEFT.astype(float), [[True]]])
def test_other_things_are_refused(bad):
    with pytest.raises(ImageError, match="prediction must be"):
        jaccard(bad, LEFT)
