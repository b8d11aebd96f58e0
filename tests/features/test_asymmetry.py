"""Asymmetry of shapes whose answer is visible."""

from __future__ import annotations

import numpy as np
import pytest

from hybridlesion.features import abcd
from hybridlesion.features.asymmetry import reflect


def _reflect(mask: np.ndarray, angle: float = 0.0):
    flat = np.zeros((*mask.shape, 3), np.float32)
    return reflect(mask, flat, mask.astype(np.float32), angle)


def test_rectangle_mirrors_about_both_axes():
    mask = np.zeros((40, 60), bool)
    mask[10:30, 15:45] = True
    curves = _reflect(mask)
    assert curves["shape"][0] == pytest.approx(0.0, abs=1e-6)
    assert curves["shape"][6] == pytest.approx(0.0, abs=1e-6)
    # about the diagonal, 30 x 20 and 20 x 30 share 20 x 20 of 600
    assert curves["shape"][3] == pytest.approx(1 - 400 / 600, abs=0.02)


def test_t_shape_mirrors_about_one_axis_only():
    mask = np.zeros((60, 60), bool)
    mask[10:20, 10:50] = True
    mask[20:50, 25:35] = True
    curves = _reflect(mask)
    assert curves["shape"][6] == pytest.approx(0.0, abs=1e-6)
    assert curves["shape"][0] > 0.3


def test_pigment_asymmetry_sees_the_dark_half():
    mask = np.zeros((40, 40), bool)
    mask[10:30, 10:30] = True
    pigment = np.zeros((40, 40), np.float32)
    pigment[10:30, 20:30] = 5.0
    curves = reflect(mask, np.zeros((40, 40, 3), np.float32), pigment, 0.0)
    assert curves["pigment"][0] == pytest.approx(0.0, abs=1e-6)
    assert curves["pigment"][6] == pytest.approx(1.0, abs=1e-6)


def test_disc_is_symmetric_and_round(disc, plain):
    values = abcd(plain(disc), disc)
    assert values["abcd__asymmetry_shape_max"] < 0.02
    assert values["abcd__asymmetry_color_max"] < 0.5
    assert values["abcd__border_compactness"] == pytest.approx(1.0, abs=0.02)
    assert values["abcd__border_hull_ratio"] == pytest.approx(1.0, abs=0.01)
    assert values["abcd__border_radius_cv"] < 0.01
    assert values["abcd__border_turning"] == pytest.approx(1.0, abs=0.05)
    assert values["abcd__border_bays"] == 0.0
