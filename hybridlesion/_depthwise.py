"""Depthwise convolutions whose gradients are fast on a CPU."""

from __future__ import annotations

from itertools import product
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.grad import conv2d_input, conv2d_weight


class DepthwiseConv2d(nn.Conv2d):
    """Depthwise convolution that uses `depthwise_conv2d`.

    Parameters
    ----------
    channels : int
        Number of channels.
    size : {3, 5}
        Side of the kernels. Each side is padded by ``size // 2`` zeros.
    stride : {1, 2}, default=1
        Stride.
    bias : bool, default=True
        Whether a bias is added.
    """

    def __init__(self, channels: int, size: int, stride: int = 1, *, bias: bool = True):
        super().__init__(channels, channels, size, stride, size // 2, groups=channels, bias=bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolve each channel with its kernel.

        Parameters
        ----------
        x : Tensor of shape (n, c, H, W)
            Input.

        Returns
        -------
        Tensor of shape (n, c, H', W')
            Output.
        """
        return depthwise_conv2d(x, self.weight, self.bias, self.stride[0], self.padding[0])


def is_fast_depthwise(conv: nn.Conv2d) -> bool:
    """Whether `depthwise_conv2d` can compute a convolution.

    Parameters
    ----------
    conv : nn.Conv2d
        Convolution.

    Returns
    -------
    bool
        True for depthwise convolutions of 3 or 5 pixels with stride 1 or 2.
    """
    return (
        conv.groups == conv.in_channels == conv.out_channels
        and conv.kernel_size in ((3, 3), (5, 5))
        and conv.stride in ((1, 1), (2, 2))
        and conv.dilation == (1, 1)
        and conv.padding in ((0, 0), (1, 1), (2, 2))
    )


def depthwise_conv2d(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, stride: int, padding: int
) -> torch.Tensor:
    """Compute a depthwise convolution.

    Parameters
    ----------
    x : Tensor of shape (n, c, H, W)
        Input.
    weight : Tensor of shape (c, 1, k, k)
        Kernels; k is 3 or 5.
    bias : Tensor of shape (c,) or None
        Bias.
    stride : {1, 2}
        Stride.
    padding : int
        Zeros on each side.

    Returns
    -------
    Tensor of shape (n, c, H', W')
        The same as `torch.nn.functional.conv2d`.

    Notes
    -----
    In training on a CPU, the gradients are computed by those convolutions for which oneDNN has fast
    code. The gradients of 5 x 5 kernels and of strided convolutions lack it: the input gradients of
    the latter took 9 to 30 times as long in bfloat16.
    """
    if x.device.type == "cpu" and torch.is_grad_enabled():
        return _DepthwiseConv2d.apply(x, weight, bias, stride, padding)
    return F.conv2d(x, weight, bias, stride, padding, groups=len(weight))


class _DepthwiseConv2d(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        stride: int,
        padding: int,
    ) -> torch.Tensor:
        y = F.conv2d(x, weight, bias, stride, padding, groups=len(weight))
        # Autocast may have changed the type.
        ctx.save_for_backward(x.to(y.dtype), weight.to(y.dtype))
        ctx.stride, ctx.padding = stride, padding
        return y

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        given = x, weight, gradient.contiguous(memory_format=torch.channels_last)
        for_x, for_weight, for_bias, *_ = ctx.needs_input_grad
        return (
            _input_gradient(*given, ctx.stride, ctx.padding) if for_x else None,
            _weight_gradient(*given, ctx.stride, ctx.padding) if for_weight else None,
            gradient.sum(dim=(0, 2, 3)) if for_bias else None,
            None,
            None,
        )


def _input_gradient(
    x: torch.Tensor, weight: torch.Tensor, gradient: torch.Tensor, stride: int, padding: int
) -> torch.Tensor:
    groups = len(weight)
    if stride == 1:
        return conv2d_input(x.shape, weight, gradient, padding=padding, groups=groups)
    # Every second row and column is a convolution of the gradient with every second row and column
    # of the kernel.
    height, width = (side + 2 * padding for side in x.shape[2:])
    padded = gradient.new_zeros((len(x), height, width, groups)).permute(0, 3, 1, 2)
    for top, left in product((0, 1), repeat=2):
        kernel = weight[:, :, top::2, left::2].flip(2, 3).contiguous()
        margins = kernel.shape[2] - 1, kernel.shape[3] - 1
        part = F.conv2d(gradient, kernel, padding=margins, groups=groups)
        _copy_overlap(padded[:, :, top::2, left::2], part)
    return padded[:, :, padding : height - padding, padding : width - padding]


def _weight_gradient(
    x: torch.Tensor, weight: torch.Tensor, gradient: torch.Tensor, stride: int, padding: int
) -> torch.Tensor:
    groups = len(weight)
    if weight.shape[-1] == 3:
        return conv2d_weight(x, weight.shape, gradient, stride, padding, groups=groups)
    # A 5 x 5 gradient consists of four 3 x 3 gradients: with stride 1, those of its corners, which
    # overlap; with stride 2, those of every second row and column.
    height, width = (side + 2 for side in gradient.shape[2:])
    missing = [
        max(0, stride * needed - known - 2 * padding)
        for needed, known in zip((height + 1, width + 1), x.shape[2:], strict=True)
    ]
    padded = F.pad(x, (padding, padding + missing[1], padding, padding + missing[0]))
    found = torch.empty_like(weight)
    for i, j in product((0, 1), repeat=2):
        top, left, step = (i, j, 2) if stride == 2 else (2 * i, 2 * j, 1)
        seen = padded[:, :, top::step, left::step][:, :, :height, :width]
        seen = seen.contiguous(memory_format=torch.channels_last)
        part = conv2d_weight(seen, (groups, 1, 3, 3), gradient, groups=groups)
        _copy_overlap(found[:, :, top::step, left::step], part)
    return found


def _copy_overlap(target: torch.Tensor, source: torch.Tensor) -> None:
    """Copy the rows and columns that both tensors have."""
    height, width = (min(sides) for sides in zip(target.shape[2:], source.shape[2:], strict=True))
    target[:, :, :height, :width] = source[:, :, :height, :width]
