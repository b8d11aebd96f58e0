"""Training samples of the refiner: windows, encoding and augmentation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hybridlesion._optional_imports import cv2
from hybridlesion.io import write_image, write_mask
from hybridlesion.segmentation.refiner import read_sample
from hybridlesion.segmentation.refiner.samples import (
    STRUCTURES,
    augment,
    close_window,
    encode_evidence,
    encode_image,
    squash,
)


@pytest.mark.parametrize("number", range(20))
def test_a_window_lies_in_the_frame_and_the_lesion_fills_it(number):
    mask = np.zeros((300, 400), np.uint8)
    cv2.ellipse(mask, (150 + 5 * number, 160), (90, 60), 10 * number, 0, 360, 1, -1)
    top, bottom, left, right = close_window(mask > 0, f"ISIC_{number}")
    assert 0 <= top < bottom <= 1
    assert 0 <= left < right <= 1
    part = mask[round(300 * top) : round(300 * bottom), round(400 * left) : round(400 * right)]
    assert part.mean() > 0.45
    assert part.mean() > 2 * mask.mean()


def test_the_name_decides_the_window():
    mask = np.zeros((100, 100), bool)
    mask[30:70, 30:70] = True
    assert close_window(mask, "a") == close_window(mask, "a")
    assert close_window(mask, "a") != close_window(mask, "b")


@pytest.mark.parametrize("half", [0, 1, 3, 50])
def test_no_window_round_nothing_a_speck_or_everything(half):
    mask = np.zeros((100, 100), bool)
    mask[50 - half : 50 + half, 50 - half : 50 + half] = True
    assert close_window(mask, "a") is None


def test_a_sample_holds_its_close_up_with_evidence_of_its_own(tmp_path):
    mask = np.zeros((180, 240), np.uint8)
    cv2.circle(mask, (120, 90), 50, 1, -1)
    image = np.where(mask[..., None] > 0, (110, 70, 52), (222, 178, 158))
    image = image + np.random.default_rng(0).normal(0, 4, image.shape)
    write_image(tmp_path / "a.png", image.clip(0, 255).astype(np.uint8))
    write_mask(tmp_path / "a_mask.png", mask > 0)
    sample = read_sample(tmp_path / "a.png", tmp_path / "a_mask.png", side=64)
    near = sample.close_up
    assert near.close_up is None
    assert near.image.shape == (64, 64, 3)
    assert near.aspect == pytest.approx(sample.aspect, rel=0.05)
    assert near.mask.mean() > 2 * sample.mask.mean()
    # Image and mask were cut alike: the lesion is dark where the mask is.
    dark = near.image[..., 0] < 170
    assert (dark == (near.mask > 127)).mean() > 0.97


def test_mask_distance_and_likelihood_are_between_minus_one_and_one():
    classical = np.zeros((8, 8), np.uint8)
    classical[:, :4] = 255
    likelihood = np.full((8, 8), 255, np.uint8)
    likelihood[0] = 0
    evidence = encode_evidence(classical, likelihood)
    assert evidence.shape == (8, 8, 3)
    assert evidence.dtype == np.float32
    assert evidence[4, :, 0].tolist() == [1, 1, 1, 1, -1, -1, -1, -1]
    # A quarter of the side is 2 pixels: the distance saturates there.
    np.testing.assert_allclose(evidence[4, :, 1], [1, 1, 1, 0.5, -0.5, -1, -1, -1], atol=0.05)
    assert evidence[0, 0, 2] == -1
    assert evidence[4, 0, 2] == 1


def test_an_empty_and_a_full_mask_are_far_from_any_edge():
    zero = np.zeros((8, 8), np.uint8)
    assert (encode_evidence(zero, zero)[..., 1] == -1).all()
    assert (encode_evidence(zero + 255, zero)[..., 1] == 1).all()


def test_colors_are_those_of_imagenet():
    grey = np.full((2, 2, 3), 124, np.uint8)
    np.testing.assert_allclose(encode_image(grey)[0, 0], [0.006, 0.135, 0.356], atol=2e-3)


@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (90, 120)])
def test_every_shape_becomes_a_square(shape):
    assert squash(np.ones(shape, bool), 64).tolist() == np.full((64, 64), 255).tolist()
    assert squash(np.zeros((*shape, 3), np.uint8), 64).shape == (64, 64, 3)


def test_the_same_seed_draws_the_same_view(samples):
    one, again = (augment(samples[0], 64, np.random.default_rng(3)) for _ in range(2))
    for name, values in vars(one).items():
        np.testing.assert_array_equal(values, getattr(again, name))
    other = augment(samples[0], 64, np.random.default_rng(4))
    assert not np.array_equal(one.image, other.image)


def test_views_have_the_size_and_the_ranges_of_the_network(samples):
    for seed in range(20):
        view = augment(samples[seed % 10], 64, np.random.default_rng(seed))
        image, evidence, mask = view.image, view.evidence, view.mask
        assert image.shape == evidence.shape == (64, 64, 3)
        assert mask.shape == (64, 64)
        assert image.dtype == evidence.dtype == mask.dtype == np.float32
        assert np.abs(evidence).max() <= 1
        assert 0 <= mask.min() <= mask.max() <= 1
        assert np.abs(image).max() < 3


def test_image_mask_and_evidence_move_together(samples):
    # The image is its own mask, so wherever both go they must stay on each other.
    mask = samples[0].mask
    own = replace(samples[0], image=np.dstack([mask] * 3), classical=mask)
    agreements = []
    for seed in range(30):
        view = augment(own, 64, np.random.default_rng(seed))
        image, evidence, truth = view.image, view.evidence, view.mask
        bright = image[..., 1] > 0.2
        agreements.append(
            [(bright == (truth > 0.5)).mean(), ((evidence[..., 0] > 0) == (truth > 0.5)).mean()]
        )
    # Drawn hair, dark corners and spoilt evidence leave most views as they are.
    assert np.median(agreements, axis=0).min() > 0.99


def test_spoilt_evidence_never_touches_the_truth(samples):
    truths, evidences = set(), set()
    for seed in range(200):
        view = augment(samples[0], 64, np.random.default_rng(seed))
        truths.add(bool(view.mask.any()))
        evidences.add(bool((view.evidence[..., 0] > 0).any()))
    assert truths == {True}
    assert evidences == {True, False}


def test_the_sample_stays_as_it_was(samples):
    before = samples[1].image.copy()
    for seed in range(5):
        augment(samples[1], 64, np.random.default_rng(seed))
    np.testing.assert_array_equal(samples[1].image, before)


def _with_structures(sample, annotated):
    planes = np.zeros((len(STRUCTURES), *sample.mask.shape), np.uint8)
    planes[np.flatnonzero(annotated)] = sample.mask
    return replace(sample, structures=planes, annotated=tuple(annotated))


def test_a_missing_mask_of_a_structure_counts_little_within_the_lesion(samples):
    sample = _with_structures(samples[0], [True, False, False, True, False])
    for seed in range(10):
        view = augment(sample, 64, np.random.default_rng(seed))
        inside = view.mask > 0.9
        assert (view.weights[..., [0, 3]] == 1).all()
        assert view.weights[inside][:, [1, 2, 4]].max() < 0.5
        assert view.weights[0, 0].min() in (1, view.weights[inside][:, 1].min())
        np.testing.assert_allclose(view.structures[..., 0], view.mask, atol=0.01)
        assert not view.structures[..., 1].any()


def test_an_image_of_no_annotated_set_says_nothing_within_the_lesion(samples):
    view = augment(samples[0], 64, np.random.default_rng(0))
    assert not view.weights[view.mask > 0.9].any()
    assert view.weights[view.mask == 0].max() == 1


def test_masks_of_structures_are_read_and_cut_as_the_image(tmp_path):
    mask = np.zeros((180, 240), np.uint8)
    cv2.circle(mask, (120, 90), 50, 1, -1)
    image = np.where(mask[..., None] > 0, (110, 70, 52), (222, 178, 158)).astype(np.uint8)
    write_image(tmp_path / "a.png", image)
    for name in ("a_mask", "a_streaks"):
        write_mask(tmp_path / f"{name}.png", mask > 0)
    paths = tmp_path / "a.png", tmp_path / "a_mask.png"
    sample = read_sample(*paths, side=64, structures={"streaks": str(tmp_path / "a_streaks.png")})
    assert sample.annotated == sample.close_up.annotated == (False, False, True, False, False)
    for one in (sample, sample.close_up):
        np.testing.assert_array_equal(one.structures[2], one.mask)
        assert not one.structures[[0, 1, 3, 4]].any()
    assert read_sample(*paths, side=64).structures is None
