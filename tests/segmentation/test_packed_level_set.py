"""Packed level sets and images against plain ones."""

from __future__ import annotations

import numpy as np
import pytest

from hybridlesion.segmentation._packed_level_set import BitPlanes, PackedLevelSet, count_bits

SHAPES = [(2, 2), (7, 5), (8, 8), (9, 3), (16, 10), (21, 64)]


def unpacked(canvas, packed):
    canvas = PackedLevelSet(np.zeros(canvas.shape, np.uint8))
    canvas.level[:] = packed.ravel()
    return canvas.unpack()


def random_level(shape):
    return np.random.default_rng(sum(shape)).integers(0, 2, shape).astype(np.uint8)


@pytest.mark.parametrize("shape", SHAPES)
def test_packing_and_back(shape):
    level = random_level(shape)
    canvas = PackedLevelSet(level)
    assert np.array_equal(canvas.unpack(), level)
    assert count_bits(canvas.level) == level.sum()
    assert count_bits(canvas.level, canvas.inside) == (level == 0).sum()


@pytest.mark.parametrize("shape", SHAPES)
def test_neighbours_are_0_beyond_the_image(shape):
    level = random_level(shape)
    canvas = PackedLevelSet(level)
    framed = np.pad(level, 1)
    steps = ((-1, 0), (0, -1), (-1, -1), (-1, 1))
    for (first, second), (down, along) in zip(canvas.opposite_pairs(), steps, strict=True):
        for packed, sign in ((first, 1), (second, -1)):
            rows = slice(1 + sign * down, 1 + sign * down + shape[0])
            columns = slice(1 + sign * along, 1 + sign * along + shape[1])
            assert np.array_equal(unpacked(canvas, packed), framed[rows, columns])


@pytest.mark.parametrize("shape", SHAPES)
def test_sides_repeat_the_border(shape):
    level = random_level(shape)
    canvas = PackedLevelSet(level)
    framed = np.pad(level, 1, mode="edge")
    expected = (framed[:-2, 1:-1], framed[2:, 1:-1], framed[1:-1, :-2], framed[1:-1, 2:])
    for packed, plane in zip(canvas.sides(), expected, strict=True):
        assert np.array_equal(unpacked(canvas, packed), plane)


@pytest.mark.parametrize("shape", SHAPES)
def test_all_bits_of_bytes_at_once(shape):
    plane = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    canvas = PackedLevelSet(np.zeros(shape, np.uint8))
    for bit, packed in enumerate(canvas.pack_bits(plane)):
        assert np.array_equal(packed, canvas.pack(plane >> bit & 1))


@pytest.mark.parametrize(
    ("image", "n_planes"),
    [
        (np.arange(256).reshape(16, 16) / 255.0, 8),
        (np.arange(256, dtype=np.uint8).reshape(16, 16), 8),
        (np.arange(0, 64, 16).reshape(2, 2) - 8, 2),
        (np.random.default_rng(1).normal(size=(20, 30)), 20),
    ],
)
def test_an_image_in_bit_planes(image, n_planes):
    level = random_level(image.shape)
    planes = BitPlanes(PackedLevelSet(level), image)
    assert len(planes.planes) == n_planes
    levels = np.rint((image - planes.low) / planes.step).astype(int)
    assert np.abs(planes.low + planes.step * levels - image).max() <= planes.error + 1e-12
    assert planes.error <= max(1e-12, 0.51 * planes.step * (n_planes == 20))
    assert planes.sum_inside() == (levels * level).sum()
    assert planes.total == levels.sum()
    for threshold in (-5, -1, 0, 1, 7, 100, planes.largest - 1, planes.largest, 2**40):
        above = unpacked(planes.level_set, planes.above(threshold))
        assert np.array_equal(above, levels > threshold)
