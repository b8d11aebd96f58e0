"""The drawn lesion, shared by the tests of features."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest


def _module():
    path = Path(__file__).with_name("drawn_lesion.py")
    spec = importlib.util.spec_from_file_location("drawn_lesion", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def draw_lesion():
    """Function that draws the lesion of the baseline at any size."""
    return _module().draw_lesion


@pytest.fixture(scope="session")
def drawn(draw_lesion) -> tuple[np.ndarray, np.ndarray]:
    """Image and mask of the baseline."""
    return draw_lesion()


@pytest.fixture(scope="session")
def drawn_values(drawn) -> dict[str, float]:
    """Features of the baseline's lesion."""
    from hybridlesion.features import abcd

    return abcd(*drawn, structures=_module().draw_structures())


@pytest.fixture
def plain():
    """Function that paints a mask in one brown on one skin colour."""

    def paint(mask: np.ndarray, inside=(120, 80, 60), skin=(225, 190, 170)) -> np.ndarray:
        return np.where(mask[..., None], inside, skin).astype(np.uint8)

    return paint


@pytest.fixture
def disc() -> np.ndarray:
    """Mask of a disc of radius 60 in a frame of 201 x 201."""
    y, x = np.mgrid[-100:101, -100:101]
    return x**2 + y**2 <= 60**2
