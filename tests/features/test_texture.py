"""Co-occurrence and binary patterns against brute force and scikit-image."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.feature import graycomatrix, graycoprops

from hybridlesion.features.texture import (
    DIRECTIONS,
    cooccurrence,
    haralick,
    local_binary_pattern,
    quantise,
)


@pytest.mark.parametrize("step", [*DIRECTIONS, (3, 0), (4, -4), (0, 30)])
def test_cooccurrence_equals_brute_force(step, rng):
    grey, mask = rng.integers(0, 5, (14, 11)), rng.random((14, 11)) < 0.7
    expected = np.zeros((5, 5), int)
    for y in range(14):
        for x in range(11):
            v, u = y + step[0], x + step[1]
            if 0 <= v < 14 and 0 <= u < 11 and mask[y, x] and mask[v, u]:
                expected[grey[y, x], grey[v, u]] += 1
                expected[grey[v, u], grey[y, x]] += 1
    np.testing.assert_array_equal(cooccurrence(grey, mask, step, 5), expected)


def test_haralick_equals_scikit_image_on_a_full_mask(rng):
    grey = rng.integers(0, 16, (30, 40)).astype(np.uint8)
    theirs = graycomatrix(grey, [1], [0], levels=16, symmetric=True, normed=True)
    ours = haralick(cooccurrence(grey, np.ones(grey.shape, bool), (0, 1)))
    for name in ("contrast", "homogeneity", "correlation", "energy"):
        assert ours[name] == pytest.approx(graycoprops(theirs, name)[0, 0]), name


def test_cooccurrence_does_not_see_outside(rng):
    grey, mask = rng.integers(0, 16, (20, 20)), np.zeros((20, 20), bool)
    mask[5:15, 5:15] = True
    changed = np.where(mask, grey, 15 - grey)
    same = cooccurrence(grey, mask, (1, 1)), cooccurrence(changed, mask, (1, 1))
    np.testing.assert_array_equal(*same)


def test_quantise_ignores_gain_and_offset(rng):
    values, mask = rng.random((20, 20)).astype(np.float32), np.ones((20, 20), bool)
    np.testing.assert_array_equal(quantise(values, mask), quantise(values * 4 + 2, mask))
    assert not quantise(values * 0, mask).any()


def test_local_binary_pattern_equals_brute_force(rng):
    grey = rng.integers(0, 6, (9, 8)).astype(np.uint8)
    ring = ((-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1))
    result = local_binary_pattern(grey)
    for y in range(1, 8):
        for x in range(1, 7):
            bits = [int(grey[y + v, x + u] >= grey[y, x]) for v, u in ring]
            changes = sum(bits[k] != bits[k - 1] for k in range(8))
            assert result[y, x] == (sum(bits) if changes <= 2 else 9)
