"""The Chan-Vese snake against scikit-image, bit for bit."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from skimage.segmentation import morphsnakes

from hybridlesion._optional_imports import cv2
from hybridlesion.io import read_image
from hybridlesion.segmentation import _morphological_snakes, morphological_chan_vese

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


@pytest.mark.parametrize("num_iter", range(40, 48))
def test_a_cycle_ends_where_the_full_run_ends(num_iter):
    # The smoothing operator alternates, so that a snake at rest can flip between contours.
    rng = np.random.default_rng(3)
    image = rng.integers(0, 2, (16, 16)) / 1.0
    expected = reference(morphsnakes.morphological_chan_vese, image, num_iter, "checkerboard", 1)
    assert np.array_equal(morphological_chan_vese(image, num_iter, "checkerboard", 1), expected)


@pytest.mark.parametrize("height", [2, 7, 8, 9, 16, 17, 63, 64, 65])
@pytest.mark.parametrize("width", [2, 9, 63, 64, 65])
def test_sides_that_packing_divides_or_not(height, width):
    # Eight rows share a byte: heights round multiples of eight have none, one or seven rows spare.
    rng = np.random.default_rng(height * 100 + width)
    image = cv2.GaussianBlur(rng.random((height, width)), (0, 0), 2)
    image = (image - image.min()) / np.ptp(image)
    full = np.ones(image.shape, np.int8)
    for init, smoothing, weight in itertools.product(("disk", full), (0, 1, 2), (1, 2)):
        arguments = (image, 12, init, smoothing, 1, weight)
        expected = reference(morphsnakes.morphological_chan_vese, *arguments)
        assert np.array_equal(morphological_chan_vese(*arguments), expected)


@pytest.mark.parametrize("kind", ["bool", "uint8", "int16", "int64", "float16", "float32", ">f8"])
@pytest.mark.parametrize("scale", [1, 1e-3, 37])
@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning", "ignore:invalid:RuntimeWarning")
def test_chan_vese_takes_any_type_and_range(kind, scale):
    rng = np.random.default_rng(5)
    image = cv2.GaussianBlur(rng.random((33, 47)), (0, 0), 1.5)
    image = ((image - image.min()) / np.ptp(image) * 200 * scale).astype(kind)
    for init, weight in itertools.product(("disk", "checkerboard"), (0, 0.999999, 1, 4)):
        arguments = (image, 15, init, 1, 1, weight)
        expected = reference(morphsnakes.morphological_chan_vese, *arguments)
        assert np.array_equal(morphological_chan_vese(*arguments), expected)


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_what_is_not_finite_acts_as_in_the_reference(odd):
    rng = np.random.default_rng(6)
    image = rng.random((30, 20))
    image[rng.random(image.shape) < 0.02] = odd
    expected = reference(morphsnakes.morphological_chan_vese, image, 5)
    assert np.array_equal(morphological_chan_vese(image, 5), expected)


def test_a_photograph_of_eight_bits_needs_no_exact_means(monkeypatch):
    rng = np.random.default_rng(4)
    image = cv2.GaussianBlur(rng.integers(0, 256, (50, 70)).astype(np.uint8), (0, 0), 2) / 255.0
    expected = reference(morphsnakes.morphological_chan_vese, image, 10)
    monkeypatch.setattr(_morphological_snakes._RegionForce, "_exact_target", None)
    assert np.array_equal(morphological_chan_vese(image, 10), expected)


@pytest.mark.real
@pytest.mark.parametrize("name", ["IMD002", "IMD003"])
@pytest.mark.parametrize("smoothing", [1, 2, 4])
def test_masks_are_identical_on_photographs(real_data, name, smoothing):
    photograph = read_image(str(real_data / "ph2" / "images" / f"{name}.jpg"))
    small = cv2.resize(photograph, (192, 144), interpolation=cv2.INTER_AREA)
    gray = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY) / 255.0
    for init in ("disk", "checkerboard"):
        expected = reference(morphsnakes.morphological_chan_vese, gray, 25, init, smoothing)
        assert np.array_equal(morphological_chan_vese(gray, 25, init, smoothing), expected)


def test_parameters_are_checked():
    snake = morphological_chan_vese
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
