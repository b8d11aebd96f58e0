"""Asymmetry, border and dimension on shapes whose answer is visible."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.measure import perimeter_crofton, regionprops

from hybridlesion.features import abcd
from hybridlesion.features._context import cut_out, trace_outline
from hybridlesion.features.asymmetry import reflect
from hybridlesion.features.border import border, box_counting_dimension, crofton_perimeter, cutoff
from hybridlesion.features.dimension import dimension


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


def test_star_has_bays():
    y, x = np.mgrid[-100:101, -100:101]
    star = np.hypot(x, y) < 60 + 20 * np.cos(5 * np.arctan2(y, x))
    image = np.full((201, 201, 3), 128, np.uint8)
    values = border(cut_out(image, star))
    assert values["bays"] == 5.0
    assert values["radius_lobes"] == pytest.approx(1 / 3, abs=0.05)  # points crowd on the flanks
    assert values["solidity"] < 0.9


def test_outline_agrees_with_regionprops(draw_lesion):
    _, mask = draw_lesion(400)
    outline, props = trace_outline(mask, smooth=2.5), regionprops(mask.astype(np.uint8))[0]
    assert outline.area == pytest.approx(props.area, rel=0.01)
    assert outline.area / outline.hull_area == pytest.approx(props.solidity, abs=0.01)
    assert outline.perimeter == pytest.approx(perimeter_crofton(mask, 4), rel=0.03)


def test_axes_agree_with_regionprops(draw_lesion):
    image, mask = draw_lesion(400)
    lesion = cut_out(image, mask)
    props = regionprops(lesion.mask.astype(np.uint8))[0]
    _, major, minor = lesion.axes
    assert (major, minor) == pytest.approx(
        (props.axis_major_length, props.axis_minor_length), rel=1e-3
    )


@pytest.mark.parametrize("shape", [(17, 23), (1, 1), (3, 40)])
def test_crofton_perimeter_equals_scikit_image(shape, rng):
    mask = rng.random(shape) < 0.6
    padded = np.pad(mask, 2)
    assert crofton_perimeter(mask) == pytest.approx(perimeter_crofton(padded, 4))


def test_box_dimension_of_line_and_dust(rng):
    line = np.zeros((128, 128), bool)
    line[64] = True
    dust = rng.random((128, 128)) < 0.3
    assert box_counting_dimension(line) == pytest.approx(1.0, abs=0.02)
    assert box_counting_dimension(dust) > 1.6


def test_abrupt_cutoff_counts_the_sharp_octants():
    y, x = np.mgrid[-100:101, -100:101]
    radius = np.hypot(x, y)
    mask = radius <= 60
    soft = np.clip((radius - 36) / 48, 0, 1)
    sharp = (radius > 60).astype(float)
    # the right half ends abruptly, the left half fades
    share = np.where(x > 0, sharp, soft)[..., None]
    image = (np.array([90, 60, 45]) * (1 - share) + np.array([230, 200, 180]) * share).astype(
        np.uint8
    )
    full = np.where(sharp[..., None] > 0, [230, 200, 180], [90, 60, 45]).astype(np.uint8)
    half_values, full_values = cutoff(cut_out(image, mask)), cutoff(cut_out(full, mask))
    assert full_values["abrupt"] == pytest.approx(8.0, abs=0.2)
    assert 3.0 < half_values["abrupt"] < 6.0
    assert full_values["width"] < half_values["width"]


def test_dimension_of_a_rectangle():
    mask = np.zeros((60, 80), bool)
    mask[10:40, 20:60] = True  # 30 x 40, diagonal 50; frame diagonal 100
    values = dimension(mask)
    assert values["feret_max"] == pytest.approx(0.5)
    assert values["feret_min"] == pytest.approx(0.3)
    assert values["area"] == pytest.approx(1200 / 4800)
    assert values["equivalent_diameter"] == pytest.approx(2 * np.sqrt(1200 / np.pi) / 100)
    assert values["frame_contact"] == 0.0


def test_feret_agrees_with_regionprops(draw_lesion):
    _, mask = draw_lesion(300)
    longest = dimension(mask)["feret_max"] * np.hypot(300, 300)
    props = regionprops(mask.astype(np.uint8))[0]
    assert longest == pytest.approx(props.feret_diameter_max, rel=0.01)
