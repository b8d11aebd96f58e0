"""What each pixel of a network's input adds to its log odds, by integrated gradients."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from hybridlesion._optional_imports import cv2
from hybridlesion.cnn.views import InputSpec

__all__ = ["Attribution", "integrate_gradients"]

# Standard deviations of the blurs, as shares of the input's side: of the copy without details
# that is compared with, and of the pixels' parts, of which single ones say nothing.
_BLURRED = 0.1
_SMOOTHED = 0.025


class Attribution(NamedTuple):
    """Parts of log odds, pixel by pixel.

    Parameters
    ----------
    parts : ndarray of shape (n, S, S), float32
        Log odds that each pixel adds; they sum to ``log_odds - blurred`` but for the steps' error.
    log_odds : ndarray of shape (n,), float32
        Of the pictures.
    blurred : ndarray of shape (n,), float32
        Of their blurred copies.
    """

    parts: np.ndarray
    log_odds: np.ndarray
    blurred: np.ndarray


def integrate_gradients(
    network: nn.Module, pictures: np.ndarray, spec: InputSpec, *, n_steps: int, device: str = "cpu"
) -> Attribution:
    """Share the log odds of pictures among their pixels, against blurred copies of them.

    Parameters
    ----------
    network : nn.Module
        From normalised images of shape (n, 3, S, S) to log odds of shape (n, k), averaged over k;
        on `device`, its parameters frozen.
    pictures : ndarray of shape (n, S, S, 3), uint8
        What the network sees.
    spec : InputSpec
        Its normalisation.
    n_steps : int
        Points between the blurred copy and the picture at which gradients are taken.
    device : str, default="cpu"
        Where the network is.

    Returns
    -------
    Attribution
        The parts, smoothed over a fortieth of the side.

    References
    ----------
    Sundararajan, Taly and Yan 2017, "Axiomatic attribution for deep networks", ICML.
    """
    side = pictures.shape[1]
    copies = np.stack([cv2.GaussianBlur(one, (0, 0), _BLURRED * side) for one in pictures])
    seen, blurred = (_normalised(array, spec, device) for array in (pictures, copies))
    way, total = seen - blurred, torch.zeros_like(seen)
    for share in (np.arange(n_steps) + 0.5) / n_steps:
        point = (blurred + share * way).contiguous(memory_format=torch.channels_last)
        point.requires_grad_(True)
        total += torch.autograd.grad(network(point).mean(dim=1).sum(), point)[0]
    with torch.no_grad():
        ends = [network(array).mean(dim=1).cpu().numpy() for array in (seen, blurred)]
    parts = (way * total / n_steps).sum(dim=1).cpu().numpy()
    smooth = [cv2.GaussianBlur(one, (0, 0), _SMOOTHED * side) for one in parts]
    return Attribution(np.stack(smooth), *ends)


def _normalised(pixels: np.ndarray, spec: InputSpec, device: str) -> torch.Tensor:
    values = torch.from_numpy(np.ascontiguousarray(pixels)).to(device).permute(0, 3, 1, 2).float()
    mean, std = (
        255 * torch.tensor(numbers, device=device).view(1, 3, 1, 1)
        for numbers in (spec.mean, spec.std)
    )
    return (values - mean) / std
