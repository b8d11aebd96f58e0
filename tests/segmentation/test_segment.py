"""Segmentation of drawn lesions and photographs, and overlays of the mask."""

from __future__ import annotations

import numpy as np
import pytest

from hybridlesion._optional_imports import cv2
from hybridlesion.exceptions import ImageError
from hybridlesion.io import read_image, read_mask
from hybridlesion.metrics.masks import jaccard
from hybridlesion.segmentation import (
    Segmentation,
    draw_overlay,
    enlarge_mask,
    segment,
    segment_details,
    soft_mask,
    trace_outline,
)

SKIN = (222, 178, 158)


PIGMENT = (110, 70, 52)


def draw(shape=(240, 320), centre=(160, 120), axes=(60, 40), seed=0):
    """An oval lesion on grainy skin, and its mask."""
    image = np.full((*shape, 3), SKIN, np.float64)
    mask = np.zeros(shape, np.uint8)
    cv2.ellipse(mask, centre, axes, 20, 0, 360, 1, -1)
    image[mask > 0] = PIGMENT
    image = cv2.GaussianBlur(image, (0, 0), 2)
    image += np.random.default_rng(seed).normal(0, 4, image.shape)
    return image.clip(0, 255).astype(np.uint8), mask > 0


@pytest.mark.parametrize("axes", [(20, 15), (60, 40), (120, 90)])
def test_a_plain_lesion_is_found_at_any_size(axes):
    image, truth = draw(axes=axes)
    # Masks are a little generous on purpose, as experts' are, which weighs most on small ones.
    assert jaccard(segment(image), truth) > 0.7


def test_scale_does_not_matter():
    image, truth = draw((720, 960), (480, 360), (180, 120))
    mask = segment(image)
    assert mask.shape == truth.shape
    assert mask.dtype == bool
    assert jaccard(mask, truth) > 0.75
    assert jaccard(segment(image, segmenter="classical"), truth) > 0.85


def test_dark_corners_and_a_sticker_stay_out():
    image, truth = draw(centre=(150, 125), axes=(45, 35))
    rows, columns = np.mgrid[:240, :320]
    corners = np.hypot(rows - 120, columns - 160) > 155
    image[corners] = 5
    cv2.circle(image, (255, 70), 30, (30, 140, 215), -1)
    details = segment_details(image)
    assert jaccard(details.mask, truth) > 0.75
    assert not (details.mask & corners).any()
    assert not details.mask[70, 255]
    assert not details.field_of_view[0, 0]


def test_hair_across_the_lesion_leaves_its_shape():
    image, truth = draw()
    for x in range(20, 300, 35):
        cv2.line(image, (x, 5), (x + 40, 235), (50, 40, 35), 2)
    details = segment_details(image)
    assert details.hair.any()
    assert jaccard(details.mask, truth) > 0.8


@pytest.mark.parametrize("value", [0, 128, 255])
@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (2, 2), (64, 64), (300, 400)])
def test_nothing_to_find_is_flagged_not_raised(value, shape):
    details = segment_details(np.full((*shape, 3), value, np.uint8))
    assert details.flags == ("empty",)
    assert details.confidence == 0.0
    assert not details.mask.any()
    assert details.likelihood.shape == shape


@pytest.mark.parametrize("shape", [(3, 200), (200, 3), (7, 5), (40, 40)])
def test_noise_is_no_reason_to_crash(shape, rng):
    details = segment_details(rng.integers(0, 256, (*shape, 3), dtype=np.uint8))
    assert details.mask.shape == shape
    assert 0 <= details.confidence <= 1


def test_a_lesion_that_leaves_the_frame_is_flagged():
    image, _ = draw(centre=(300, 120), axes=(70, 50))
    assert "touches_border" in segment_details(image).flags
    image, _ = draw()
    assert segment_details(image).flags == ()


def test_two_lesions_are_flagged():
    image, _ = draw(centre=(100, 120), axes=(35, 30))
    other, mask = draw(centre=(225, 120), axes=(35, 30))
    image[mask] = other[mask]
    assert "several" in segment_details(image).flags


def test_likelihood_is_high_inside_only():
    image, truth = draw()
    likelihood = segment_details(image).likelihood
    assert likelihood.dtype == np.float32
    assert likelihood[truth].mean() > 0.8
    assert likelihood[~truth].mean() < 0.1


def test_the_same_image_gives_the_same_mask():
    image, _ = draw()
    assert np.array_equal(segment(image), segment(image.copy()))


def test_wrong_input_is_refused():
    with pytest.raises(ValueError, match="segmenter must be one of"):
        segment(np.zeros((4, 4, 3), np.uint8), segmenter="classic")
    with pytest.raises(ImageError, match="uint8"):
        segment(np.zeros((4, 4, 3)))


@pytest.mark.real
def test_photographs_reach_a_fair_jaccard_index(real_data):
    paths = sorted((real_data / "ph2" / "images").glob("*.jpg"))[::5]
    scores = [
        jaccard(
            segment(read_image(str(path))),
            read_mask(str(real_data / "ph2" / "masks" / f"{path.stem}_lesion.png")),
        )
        for path in paths
    ]
    assert np.mean(scores) > 0.8


@pytest.fixture
def image() -> np.ndarray:
    return np.full((60, 80, 3), 180, dtype=np.uint8)


@pytest.fixture
def mask() -> np.ndarray:
    mask = np.zeros((60, 80), dtype=bool)
    mask[20:40, 30:60] = True
    return mask


def test_line_runs_along_the_edge_only(image, mask):
    changed = (draw_overlay(image, mask, width=1) != image).any(axis=2)
    assert changed[20, 30:60].all()
    assert changed[20:40, 59].all()
    assert not changed[25:35, 36:54].any()
    assert not changed[:16].any()


def test_colour_is_as_asked_in_rgb_order(image, mask):
    drawn = draw_overlay(image, mask, color=(255, 0, 10), width=3)
    np.testing.assert_array_equal(drawn[20, 45], [255, 0, 10])


def test_image_is_left_alone_and_empty_masks_draw_nothing(image, mask):
    before = image.copy()
    np.testing.assert_array_equal(draw_overlay(image, np.zeros_like(mask)), image)
    draw_overlay(image, mask)
    np.testing.assert_array_equal(image, before)


def test_sizes_must_agree(image):
    with pytest.raises(ImageError, match="same size"):
        draw_overlay(image, np.zeros((10, 10), dtype=bool))


def details_of(mask, likelihood=None):
    whole = np.ones(mask.shape, bool)
    soft = mask.astype(np.float32) if likelihood is None else likelihood
    return Segmentation(mask, 1.0, (), ~whole, whole, soft)


def test_an_enlarged_mask_keeps_its_area_and_a_thread_does_not_vanish():
    mask = np.zeros((60, 80), bool)
    mask[20:40, 10:60] = True
    large = enlarge_mask(details_of(mask), (600, 800))
    assert large.shape == (600, 800)
    assert large.mean() == pytest.approx(mask.mean(), rel=0.02)
    thread = np.zeros((60, 80), bool)
    thread[30] = True
    own = np.zeros(thread.shape, np.float32)  # of a mask of another origin
    assert enlarge_mask(details_of(thread, own), (600, 800)).mean() == pytest.approx(
        thread.mean(), rel=0.1
    )
    assert not enlarge_mask(details_of(np.zeros((60, 80), bool)), (600, 800)).any()


@pytest.mark.parametrize("known", [True, False])
def test_the_outline_of_a_disc_is_round_to_a_fraction_of_a_pixel(known):
    y, x = np.mgrid[:96, :128].astype(np.float32)
    distance = np.hypot(y - 47.5, x - 63.5)
    probability = 1 / (1 + np.exp(0.5 * (distance - 30)))
    mask = probability > 0.5
    details = details_of(mask, probability if known else np.zeros_like(probability))
    (outline,) = trace_outline(soft_mask(details))
    radius = np.hypot(*(outline - (64, 48)).T)
    assert np.abs(radius - 30).max() < (0.15 if known else 0.6)
    # Ten times enlarged, it is as round: 0.2 pixels of the original, 0.6 without probabilities.
    large = enlarge_mask(details, (960, 1280))
    (edge,) = trace_outline(large.astype(np.float32))
    radius = np.hypot(*(edge - (640, 480)).T)
    assert np.abs(radius - 300).max() < (2 if known else 6)


def test_a_lesion_at_the_frame_is_outlined_along_the_frame():
    mask = np.zeros((20, 30), bool)
    mask[:, :10] = True
    (outline,) = trace_outline(mask.astype(np.float32))
    assert outline.min(axis=0).tolist() == [0, 0]
    assert outline.max(axis=0).tolist() == [10, 20]
    assert trace_outline(np.zeros((20, 30), np.float32)) == []
