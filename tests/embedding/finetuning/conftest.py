"""Drawn crops: dark discs are malignant, light ones benign."""

from __future__ import annotations

import numpy as np
import pytest

from hybridlesion._opencv import cv2
from hybridlesion.embedding.finetuning import Examples, FinetuneRecipe


@pytest.fixture(scope="session")
def drawn() -> Examples:
    """Sixty crops of 48 pixels from two sources; the second has few malignant ones."""
    rng = np.random.default_rng(0)
    target = np.array([1, 0, 0] * 10 + [1] + [0] * 9 + [1] + [0] * 19)
    crops = np.empty((60, 48, 48, 3), np.uint8)
    for crop, malignant in zip(crops, target, strict=True):
        crop[:] = (222, 178, 158)
        cv2.circle(crop, (24, 24), 12, (60, 40, 40) if malignant else (170, 120, 95), -1)
        crop[:] = (crop + rng.normal(0, 6, crop.shape)).clip(0, 255)
    source = np.repeat([0, 1], 30)
    return Examples(crops, target, source, np.where(np.arange(60) % 5 == 0, -1, target))


@pytest.fixture(scope="session")
def recipe() -> FinetuneRecipe:
    """Three quick epochs."""
    return FinetuneRecipe(
        epochs=3,
        batch_size=10,
        image_size=32,
        first_size=32,
        frozen=0.0,
        backbone_rate=2e-3,
        head_rate=2e-2,
        averaging=0.8,
    )
