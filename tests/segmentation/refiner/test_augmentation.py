"""Random views: seeded, in range, and aligned."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hybridlesion.segmentation.refiner.samples import augment


def test_the_same_seed_draws_the_same_view(samples):
    one, again = (augment(samples[0], 64, np.random.default_rng(3)) for _ in range(2))
    for first, second in zip(one, again, strict=True):
        np.testing.assert_array_equal(first, second)
    other = augment(samples[0], 64, np.random.default_rng(4))
    assert not np.array_equal(one[0], other[0])


def test_views_have_the_size_and_the_ranges_of_the_network(samples):
    for seed in range(20):
        image, evidence, mask = augment(samples[seed % 10], 64, np.random.default_rng(seed))
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
        image, evidence, truth = augment(own, 64, np.random.default_rng(seed))
        bright = image[..., 1] > 0.2
        agreements.append(
            [(bright == (truth > 0.5)).mean(), ((evidence[..., 0] > 0) == (truth > 0.5)).mean()]
        )
    # Drawn hair, dark corners and spoilt evidence leave most views as they are.
    assert np.median(agreements, axis=0).min() > 0.99


def test_spoilt_evidence_never_touches_the_truth(samples):
    truths, evidences = set(), set()
    for seed in range(200):
        _, evidence, truth = augment(samples[0], 64, np.random.default_rng(seed))
        truths.add(bool(truth.any()))
        evidences.add(bool((evidence[..., 0] > 0).any()))
    assert truths == {True}
    assert evidences == {True, False}


def test_the_sample_stays_as_it_was(samples):
    before = samples[1].image.copy()
    for seed in range(5):
        augment(samples[1], 64, np.random.default_rng(seed))
    np.testing.assert_array_equal(samples[1].image, before)
