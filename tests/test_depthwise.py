"""Depthwise convolutions compute what torch computes, and so do their gradients."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from hybridlesion._depthwise import DepthwiseConv2d, depthwise_conv2d, is_fast_depthwise

CASES = [
    (size, stride, padding, side)
    for size, stride, side in product((3, 5), (1, 2), ((9, 8), (10, 11)))
    for padding in range(size // 2 + 1)
]


def draw(*shapes, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    return [
        torch.randn(shape, generator=generator, dtype=dtype, requires_grad=True) for shape in shapes
    ]


@pytest.mark.parametrize(("size", "stride", "padding", "side"), CASES)
def test_output_and_gradients_are_those_of_torch(size, stride, padding, side):
    ours = draw((2, 3, *side), (3, 1, size, size), (3,))
    theirs = [tensor.detach().clone().requires_grad_() for tensor in ours]
    found = depthwise_conv2d(*ours, stride, padding)
    expected = F.conv2d(*theirs, stride, padding, groups=3)
    torch.testing.assert_close(found, expected)
    pull = torch.linspace(-1, 1, found.numel(), dtype=found.dtype).reshape(found.shape)
    for result in (found, expected):
        (result * pull).sum().backward()
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one.grad, other.grad)


@pytest.mark.parametrize(("size", "stride"), list(product((3, 5), (1, 2))))
def test_under_autocast_gradients_differ_by_rounding_alone(size, stride):
    conv = DepthwiseConv2d(16, size, stride)
    images = torch.randn(2, 16, 12, 12, generator=torch.Generator().manual_seed(1))
    grads = []
    for enabled in (False, True):
        x = images.clone().requires_grad_()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            out = conv(x)
        assert (out.dtype == torch.bfloat16) is enabled
        conv.zero_grad()
        out.float().square().mean().backward()
        assert conv.weight.grad.dtype == x.grad.dtype == torch.float32
        grads.append((x.grad, conv.weight.grad.clone(), conv.bias.grad.clone()))
    for exact, rounded in zip(*grads, strict=True):
        assert (exact - rounded).norm() < 0.02 * exact.norm()


def test_frozen_weights_get_no_gradient():
    conv = DepthwiseConv2d(3, 3, bias=False).requires_grad_(False)
    (x,) = draw((1, 3, 6, 6), dtype=torch.float32)
    conv(x).sum().backward()
    assert conv.weight.grad is None
    assert x.grad is not None


@pytest.mark.parametrize(
    ("conv", "fast"),
    [
        (nn.Conv2d(4, 4, 3, groups=4), True),
        (nn.Conv2d(4, 4, 5, 2, 2, groups=4), True),
        (nn.Conv2d(4, 4, 3, groups=2), False),
        (nn.Conv2d(4, 8, 3, groups=4), False),
        (nn.Conv2d(4, 4, 7, groups=4), False),
        (nn.Conv2d(4, 4, 3, 3, groups=4), False),
        (nn.Conv2d(4, 4, 3, dilation=2, groups=4), False),
        (nn.Conv2d(4, 4, 3, padding="same", groups=4), False),
    ],
)
def test_which_convolutions_are_fast(conv, fast):
    assert is_fast_depthwise(conv) is fast
