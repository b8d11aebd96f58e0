"""A tiny network of random weights, saved to a file as a user's own weights would be."""

from __future__ import annotations

import numpy as np
import pytest

from hybridlesion._optional_imports import import_timm

TINY = "test_efficientnet"


@pytest.fixture(scope="session")
def tiny_backbone():
    """Tiny backbone without classifier, with seeded random weights."""
    timm = import_timm()
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = timm.create_model(TINY, pretrained=False, num_classes=0).eval()
        # Untouched batch norms would shrink the signal to almost nothing on the way.
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_var.fill_(0.2)
                torch.nn.init.normal_(module.bias, std=0.2)
    return model


@pytest.fixture(scope="session")
def tiny_weights(tiny_backbone, tmp_path_factory):
    """Safetensors file of the tiny backbone."""
    from safetensors.torch import save_file

    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_file(tiny_backbone.state_dict(), path)
    return path


@pytest.fixture(scope="session")
def images():
    """Eleven frames of noise of two sizes, and squares as their masks; the third is empty."""
    rng = np.random.default_rng(0)
    shapes = [(120, 160, 3), (200, 180, 3)]
    frames = [rng.integers(0, 256, shapes[i % 2], dtype=np.uint8) for i in range(11)]
    masks = [np.zeros(frame.shape[:2], dtype=bool) for frame in frames]
    for i, mask in enumerate(masks):
        mask[20 : 60 + i, 30 : 70 + i] = i != 2
    return frames, masks
