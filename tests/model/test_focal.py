"""Focal loss against numbers by hand."""

import numpy as np
import pytest
from scipy.special import expit

from hybridlesion.model._boosting import focal_derivatives


def _loss(logits, y, gamma):
    own = expit(np.where(y, logits, -logits))
    return -((1 - own) ** gamma) * np.log(own)


@pytest.mark.parametrize("gamma", [0.0, 1.0, 2.5])
def test_derivatives_are_those_of_the_loss(gamma):
    logits, y = np.tile(np.linspace(-5, 5, 41), 2), np.repeat([True, False], 41)
    gradient, curvature = focal_derivatives(logits, y, gamma)
    step = 1e-4
    up, down = _loss(logits + step, y, gamma), _loss(logits - step, y, gamma)
    np.testing.assert_allclose(gradient, (up - down) / (2 * step), atol=1e-6)
    second = (up - 2 * _loss(logits, y, gamma) + down) / step**2
    np.testing.assert_allclose(curvature, np.maximum(second, 1e-6), atol=1e-4)


def test_far_logits_stay_finite():
    gradient, curvature = focal_derivatives(
        np.array([-800.0, 800.0, 800.0]), np.array([True, True, False]), 2.0
    )
    assert np.isfinite(gradient).all()
    assert (curvature > 0).all()
