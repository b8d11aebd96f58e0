"""A tiny refiner on disk, and drawn samples to train one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hybridlesion._optional_imports import cv2
from hybridlesion.segmentation.refiner import Sample


def draw_sample(seed: int, side: int = 86) -> Sample:
    """A dark disc on skin; the classical mask is a little too small."""
    rng = np.random.default_rng(seed)
    centre = tuple(int(value) for value in rng.integers(side // 3, 2 * side // 3, 2))
    radius = int(rng.integers(side // 8, side // 4))
    mask, classical = (
        cv2.circle(np.zeros((side, side), np.uint8), centre, r, 255, -1)
        for r in (radius, radius - 3)
    )
    image = np.where(mask[..., None] > 0, (110, 70, 52), (222, 178, 158))
    image = (image + rng.normal(0, 4, image.shape)).clip(0, 255).astype(np.uint8)
    return Sample(image, mask, classical, classical.copy(), aspect=4 / 3)


@pytest.fixture(scope="session")
def samples() -> list[Sample]:
    """Ten drawn samples."""
    return [draw_sample(seed) for seed in range(10)]


@pytest.fixture(scope="session")
def random_weights(tmp_path_factory) -> Path:
    """Weight file of an untrained network."""
    import torch

    from hybridlesion.segmentation.refiner import save_refiner
    from hybridlesion.segmentation.refiner.network import RefinerNetwork

    path = tmp_path_factory.mktemp("refiner") / "random.safetensors"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        save_refiner(path, RefinerNetwork(), size=64, facts={"n_images": 0})
    return path


@pytest.fixture(scope="session")
def echo_weights(tmp_path_factory) -> Path:
    """Weight file of a network that gives back its classical mask."""
    import torch

    from hybridlesion.segmentation.refiner import save_refiner
    from hybridlesion.segmentation.refiner.network import RefinerNetwork

    network = RefinerNetwork()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        last = network.decoders[-1]
        mask = 40 + 16  # the first channel of evidence comes after those of the decoder and skip
        last[0].weight[mask, 0, 1, 1] = 1
        last[1].weight[mask] = last[3].weight[0, mask, 0, 0] = last[4].weight[0] = 1
        network.head.weight[0, 0, 1, 1] = 20
        network.head.bias[0] = -10
    path = tmp_path_factory.mktemp("refiner") / "echo.safetensors"
    save_refiner(path, network, size=64, facts={})
    return path
