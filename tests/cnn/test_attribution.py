"""Integrated gradients of networks whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from hybridlesion.cnn.attribution import integrate_gradients
from hybridlesion.cnn.views import InputSpec

SPEC = InputSpec((80, 80), (0.5, 0.5, 0.5), (0.25, 0.25, 0.25), 1.0, "center", "bilinear")


class Pixels(nn.Module):
    """Adds what the red channel holds, weighed pixel by pixel; the square bends the way there."""

    def __init__(self, weight, power=1):
        super().__init__()
        self.weight, self.power = torch.as_tensor(weight, dtype=torch.float32), power

    def forward(self, images):
        return ((self.weight * images[:, 0]).sum(dim=(1, 2)) ** self.power).sum()


@pytest.fixture
def picture(rng):
    """A white spot on black noise."""
    picture = rng.integers(0, 20, (80, 80, 3)).astype(np.uint8)
    picture[20:28, 50:58] = 255
    return picture


def _weight(*squares):
    weight = np.zeros((80, 80))
    for rows, columns, value in squares:
        weight[rows, columns] = value
    return weight


def test_evidence_lies_where_it_was_planted(picture):
    spot, other = (slice(20, 28), slice(50, 58), 0.02), (slice(60, 68), slice(10, 18), 0.02)
    found = integrate_gradients(Pixels(_weight(spot, other)), picture[None], SPEC, n_steps=2)
    row, column = np.unravel_index(found.parts[0].argmax(), (80, 80))
    assert (20 <= row < 28, 50 <= column < 58) == (True, True)
    near = found.parts[0, 12:36, 42:66].sum()
    assert near == pytest.approx(found.parts[0].sum(), rel=0.05)


def test_the_sign_tells_for_from_against(picture):
    against = Pixels(_weight((slice(20, 28), slice(50, 58), -0.02)))
    found = integrate_gradients(against, picture[None], SPEC, n_steps=1)
    assert found.parts[0].min() < 0
    assert found.parts[0].max() <= 1e-6
    assert found.log_odds < found.blurred


def test_parts_sum_to_the_difference(picture):
    bent = Pixels(_weight((slice(20, 28), slice(45, 58), 0.02)), power=2)
    pictures = np.stack([picture, picture[::-1]])
    found = integrate_gradients(bent, pictures, SPEC, n_steps=8)
    assert found.parts.shape == (2, 80, 80)
    assert found.parts.sum() == pytest.approx(found.log_odds - found.blurred, rel=2e-2)


def test_a_picture_without_detail_has_no_evidence():
    plain = np.full((1, 80, 80, 3), 90, np.uint8)
    found = integrate_gradients(Pixels(_weight((3, 3, 1.0))), plain, SPEC, n_steps=4)
    assert not found.parts.any()
    assert found.log_odds == found.blurred
