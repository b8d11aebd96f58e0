"""Both snakes against scikit-image, bit for bit."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from skimage.segmentation import inverse_gaussian_gradient, morphsnakes

from hybridlesion._opencv import cv2
from hybridlesion.images import read_image
from hybridlesion.segmentation import (
    _evolution,
    morphological_chan_vese,
    morphological_geodesic_active_contour,
)

SHAPES = array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=24)
INITS = st.one_of(
    st.sampled_from(["checkerboard", "disk"]), st.integers(0, 2**32 - 1), st.just("full")
)
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def reference(function, *arguments):
    """scikit-image's answer on an even count of curvature steps; its count is global."""
    operators = (
        lambda u: morphsnakes.sup_inf(morphsnakes.inf_sup(u)),
        lambda u: morphsnakes.inf_sup(morphsnakes.sup_inf(u)),
    )
    morphsnakes._curvop.funcs = itertools.cycle(operators)
    return function(*arguments)


def level_set(init, shape):
    if init == "full":
        return np.ones(shape, np.int8)
    if isinstance(init, int):
        return np.random.default_rng(init).integers(0, 2, shape)
    return init


def smooth(image, sigma):
    return cv2.GaussianBlur(image, (0, 0), sigma) if sigma else image


@QUICK
@given(
    image=arrays(np.uint8, SHAPES),
    sigma=st.sampled_from([0, 1, 3]),
    kind=st.sampled_from(["uint8", "float64", "float32", "int16", "quantised"]),
    init=INITS,
    num_iter=st.integers(0, 30),
    smoothing=st.integers(0, 3),
    lambdas=st.sampled_from([(1, 1), (1, 2), (3, 0.5)]),
)
def test_chan_vese_is_identical(image, sigma, kind, init, num_iter, smoothing, lambdas):
    image = smooth(image, sigma)
    image = image // 64 / 3.0 if kind == "quantised" else image.astype(kind)
    if kind.startswith("float"):
        image = image / np.dtype(kind).type(255)
    arguments = (image, num_iter, level_set(init, image.shape), smoothing, *lambdas)
    expected = reference(morphsnakes.morphological_chan_vese, *arguments)
    found = morphological_chan_vese(*arguments)
    assert found.dtype == expected.dtype
    assert np.array_equal(found, expected)


@QUICK
@given(
    image=arrays(np.uint8, SHAPES),
    sigma=st.sampled_from([0, 1, 3]),
    kind=st.sampled_from(["float64", "float32"]),
    init=INITS,
    num_iter=st.integers(0, 30),
    smoothing=st.integers(0, 3),
    threshold=st.sampled_from(["auto", 0.2, 0.6]),
    balloon=st.sampled_from([0, 1, -1, 0.5, -2]),
)
def test_geodesic_is_identical(image, sigma, kind, init, num_iter, smoothing, threshold, balloon):
    gimage = (smooth(image, sigma) / 255.0).astype(kind)
    arguments = (gimage, num_iter, level_set(init, image.shape), smoothing, threshold, balloon)
    expected = reference(morphsnakes.morphological_geodesic_active_contour, *arguments)
    assert np.array_equal(morphological_geodesic_active_contour(*arguments), expected)


@pytest.mark.parametrize("num_iter", range(40, 48))
def test_a_cycle_ends_where_the_full_run_ends(num_iter):
    # The smoothing operator alternates, so that a snake at rest can flip between contours.
    rng = np.random.default_rng(3)
    image = rng.integers(0, 2, (16, 16)) / 1.0
    expected = reference(morphsnakes.morphological_chan_vese, image, num_iter, "checkerboard", 1)
    assert np.array_equal(morphological_chan_vese(image, num_iter, "checkerboard", 1), expected)


@pytest.mark.parametrize("margin", [0, 2, 3, 7, 18])
@pytest.mark.parametrize("centre", [(30, 50), (4, 96), (59, 3)])
@pytest.mark.parametrize("balloon", [-1, 0, 1])
def test_a_window_changes_nothing_however_narrow(monkeypatch, margin, centre, balloon):
    monkeypatch.setattr(_evolution, "FIRST_MARGIN", margin)
    rng = np.random.default_rng(7)
    image = cv2.GaussianBlur(rng.random((60, 100)), (0, 0), 3)
    image = (image - image.min()) / np.ptp(image)
    start = cv2.circle(np.zeros(image.shape, np.uint8), centre[::-1], 6, 1, -1)
    arguments = (image, 40, start, 1, "auto", balloon)
    expected = reference(morphsnakes.morphological_geodesic_active_contour, *arguments)
    assert np.array_equal(morphological_geodesic_active_contour(*arguments), expected)
    for smoothing in (0, 1, 2):
        arguments = (image, 40, start, smoothing)
        expected = reference(morphsnakes.morphological_chan_vese, *arguments)
        assert np.array_equal(morphological_chan_vese(*arguments), expected)


@pytest.mark.real
@pytest.mark.parametrize("name", ["IMD002", "IMD003"])
@pytest.mark.parametrize("smoothing", [1, 2, 4])
def test_both_are_identical_on_photographs(real_data, name, smoothing):
    photograph = read_image(str(real_data / "ph2" / "images" / f"{name}.jpg"))
    small = cv2.resize(photograph, (192, 144), interpolation=cv2.INTER_AREA)
    gray = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY) / 255.0
    for init in ("disk", "checkerboard"):
        expected = reference(morphsnakes.morphological_chan_vese, gray, 25, init, smoothing)
        assert np.array_equal(morphological_chan_vese(gray, 25, init, smoothing), expected)
    edges = inverse_gaussian_gradient(gray, 100, 2)
    for balloon in (-1, 0, 1):
        arguments = (edges, 25, "disk", smoothing, "auto", balloon)
        expected = reference(morphsnakes.morphological_geodesic_active_contour, *arguments)
        assert np.array_equal(morphological_geodesic_active_contour(*arguments), expected)


@pytest.mark.parametrize("snake", [morphological_chan_vese, morphological_geodesic_active_contour])
def test_parameters_are_checked(snake):
    image = np.zeros((8, 9))
    with pytest.raises(ValueError, match="num_iter must be a whole number at least 0"):
        snake(image, -1)
    with pytest.raises(ValueError, match="smoothing must be"):
        snake(image, 1, smoothing=1.5)
    with pytest.raises(ValueError, match="'checkerboard', 'disk' or an array, got 'square'"):
        snake(image, 1, "square")
    with pytest.raises(ValueError, match=r"shape \(8, 9\), got \(9, 8\)"):
        snake(image, 1, np.zeros((9, 8)))
    with pytest.raises(ValueError, match="at least 2x2"):
        snake(np.zeros((1, 9)), 1)
    with pytest.raises(ValueError, match="shape"):
        snake(np.zeros((4, 4, 4)), 1)


def test_an_integer_edge_map_is_refused():
    with pytest.raises(ValueError, match="float array"):
        morphological_geodesic_active_contour(np.zeros((4, 4), np.uint8), 1)
