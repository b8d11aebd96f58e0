"""Contour bands of many masks at once against OpenCV's of one."""

from __future__ import annotations

import numpy as np
import pytest

from hybridlesion._optional_imports import cv2
from hybridlesion.segmentation._selection import ContourBands, disc

WHOLE = np.s_[:, :]


@pytest.mark.parametrize(
    ("n", "height", "width"), [(1, 3, 4), (8, 1, 9), (9, 20, 31), (17, 40, 12)]
)
def test_rings_are_differences_of_dilations_and_erosions(n, height, width):
    rng = np.random.default_rng(n)
    masks = list((rng.random((n, height, width)) < 0.7).astype(np.uint8))
    usable = rng.random((height, width)) < 0.8
    rings = ContourBands(masks, usable)
    for index, mask in enumerate(masks):
        outer, inner = rings.of(index, WHOLE)
        expected = cv2.subtract(cv2.dilate(mask, disc(5)), cv2.dilate(mask, disc(1)))
        assert np.array_equal(outer > 0, (expected > 0) & usable)
        expected = cv2.subtract(cv2.erode(mask, disc(1)), cv2.erode(mask, disc(4)))
        assert np.array_equal(inner > 0, (expected > 0) & usable)


def test_the_rings_of_a_square():
    mask = np.zeros((30, 30), np.uint8)
    mask[10:20, 10:20] = 1
    outer, inner = ContourBands([mask], np.ones((30, 30), bool)).of(0, np.s_[15:16, :])
    assert np.flatnonzero(outer).tolist() == [5, 6, 7, 8, 21, 22, 23, 24]
    assert np.flatnonzero(inner).tolist() == [11, 12, 13, 16, 17, 18]
