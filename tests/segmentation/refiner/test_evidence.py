"""What the network sees, on arrays whose answer is visible."""

from __future__ import annotations

import numpy as np
import pytest

from hybridlesion.segmentation.refiner.samples import encode_evidence, encode_image, squash


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
