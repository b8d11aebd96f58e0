"""From probabilities to a region and how far it can be trusted."""

from __future__ import annotations

import numpy as np

from hybridlesion.segmentation.refiner.refine import (
    expected_overlap,
    keep_lesion,
    refined_confidence,
)


def block(value=0.9, side=64, rows=slice(20, 40)):
    probability = np.zeros((side, side), np.float32)
    probability[rows, rows] = value
    return probability


def test_the_region_with_most_probability_stays_and_the_other_is_flagged():
    probability = block()
    probability[50:60, 50:60] = 0.8
    region = keep_lesion(probability)
    np.testing.assert_array_equal(region.probability > 0.5, block() > 0.5)
    assert region.several


def test_a_speck_is_neither_a_rival_nor_a_lesion():
    probability = block()
    probability[0:3, 0:3] = 1
    assert not keep_lesion(probability).several
    assert keep_lesion(block(rows=slice(20, 22))) is None
    assert keep_lesion(block(value=0.5)) is None


def test_a_hole_is_filled_with_what_lies_in_it():
    probability = block()
    probability[24:36, 24:36] = 0.1
    probability[27:33, 27:33] = 0.9
    region = keep_lesion(probability)
    np.testing.assert_array_equal(region.probability > 0.5, block() > 0.5)
    assert not region.several


def test_what_is_below_one_half_stays_as_it_was():
    probability = block() + np.float32(0.05)
    np.testing.assert_array_equal(keep_lesion(probability).probability, probability)


def test_overlap_falls_with_doubt_on_either_side():
    assert expected_overlap(block(1.0)) == 1
    assert np.isclose(expected_overlap(block(0.7)), 0.7)
    assert np.isclose(expected_overlap(block(1.0) + np.float32(0.1) * (block() == 0)), 400 / 769.6)


def test_confidence_rises_with_either_and_stays_in_range():
    low, high = (refined_confidence(block(value), 0.5) for value in (0.6, 0.95))
    assert 0 <= low < high <= 1
    assert refined_confidence(block(0.6), 0.1) < low
    assert refined_confidence(block(1.0), 1.0) <= 1
    assert refined_confidence(block(0.51) + np.float32(0.4) * (block() == 0), 0.0) == 0
