"""Overlap measures on masks whose answer is visible."""

from __future__ import annotations

import numpy as np
import pytest

from hybridlesion.exceptions import ImageError
from hybridlesion.metrics.masks import dice, jaccard, thresholded_jaccard

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
