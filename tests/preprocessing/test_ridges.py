"""Straight lines against a brute-force search, and lines drawn in known directions."""

from __future__ import annotations

import numpy as np
import pytest

from hybridlesion._opencv import cv2
from hybridlesion.preprocessing._hair_lines import MEASURES, Scene, trace_lines
from hybridlesion.preprocessing._ridges import N_ANGLES, find_ridges, perpendicular


@pytest.mark.parametrize("angle", range(N_ANGLES))
def test_a_line_is_found_in_its_direction(angle):
    gray = np.full((120, 120), 180, np.uint8)
    turn = np.pi * angle / N_ANGLES
    step = np.array([np.cos(turn), np.sin(turn)]) * 50
    ends = [tuple(int(v) for v in np.rint(60 + sign * step)) for sign in (-1, 1)]
    cv2.line(gray, *ends, 60, 1)
    dark, light = find_ridges(gray)
    assert dark.contrast[60, 60] > 60
    assert light.contrast[60, 60] < dark.contrast[60, 60] / 3
    off = abs(int(dark.angle[60, 60]) - angle)
    assert min(off, N_ANGLES - off) <= 1
    # Away from the line there is nothing.
    assert dark.contrast[5, 5] == light.contrast[5, 5] == 0


def test_light_is_the_negative_of_dark(rng):
    gray = rng.integers(0, 256, (40, 50), dtype=np.uint8)
    dark, light = find_ridges(gray)
    other_dark, other_light = find_ridges(255 - gray)
    np.testing.assert_array_equal(dark.contrast, other_light.contrast)
    np.testing.assert_array_equal(light.angle, other_dark.angle)


def test_an_edge_is_no_ridge():
    gray = np.full((60, 60), 200, np.uint8)
    gray[:, 30:] = 50
    for ridges in find_ridges(gray):
        assert ridges.contrast[10:-10, 10:-10].max() <= 0


def test_the_flank_of_a_row_lies_above_or_below():
    rows, columns = perpendicular(np.array([0, N_ANGLES // 2]), 3)
    assert rows.tolist() == [3, 0]
    assert columns.tolist() == [0, -3]


def test_a_drawn_hair_has_the_measures_that_can_be_seen():
    image = np.full((150, 200, 3), 180, np.uint8)
    image[75, 40:160] = (60, 80, 100)
    scene = Scene(image, np.ones((150, 200), bool))
    dark, _ = find_ridges(np.ascontiguousarray(image[..., 0]))
    lines = trace_lines(scene, dark, light=False)
    (values,) = lines.measures
    found = dict(zip(MEASURES, values, strict=True))
    # Both ends reach up to a piece farther than the hair, whose 120 pixels are a row.
    assert 120 < np.exp(found["log_length"]) * 200 < 160
    assert 120 < np.exp(found["log_extent"]) * 200 < 160
    assert found["straightness"] == pytest.approx(1, abs=0.2)
    assert found["one_direction"] > 0.9
    assert found["red_contrast"] > found["green_contrast"] > found["blue_contrast"] > 0
    assert found["light"] == 0
    assert abs(lines.rows - 75).max() <= 3
