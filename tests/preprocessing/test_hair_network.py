"""The network behind the hair mask: shapes, places and threads."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from hybridlesion._optional_imports import cv2
from hybridlesion.preprocessing._occlusions import hair_probability


def skin(height, width):
    return np.full((height, width, 3), (215, 170, 150), np.uint8)


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (64, 64), (63, 81), (256, 341), (384, 10)])
def test_one_value_for_every_two_by_two_pixels(size):
    found = hair_probability(skin(*size))
    assert found.shape == ((size[0] + 1) // 2, (size[1] + 1) // 2)
    assert found.dtype == np.float32
    assert 0 <= found.min() <= found.max() <= 1


@pytest.mark.parametrize("place", [40, 41, 42, 43])
def test_the_four_quarters_lie_where_they_belong(place, rng):
    image = skin(96, 96)
    image[8:88, place : place + 2] = (40, 30, 30)
    # A soft line with grain, as in a photograph.
    grain = rng.normal(0, 3, image.shape)
    image = np.clip(cv2.GaussianBlur(image, (3, 3), 0.6) + grain, 0, 255).astype(np.uint8)
    upright = hair_probability(image)[20:28].mean(0)
    lying = hair_probability(np.ascontiguousarray(image.transpose(1, 0, 2)))[:, 20:28].mean(1)
    assert upright.argmax() == pytest.approx(place // 2, abs=1)
    assert lying.argmax() == pytest.approx(place // 2, abs=1)


def test_threads_do_not_disturb_each_other(rng):
    images = [rng.integers(0, 256, (64 + 4 * i, 80, 3), dtype=np.uint8) for i in range(6)]
    alone = [hair_probability(image) for image in images]
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(hair_probability, images * 4))
    assert all(np.array_equal(one, other) for one, other in zip(alone * 4, together, strict=True))


def test_torch_is_not_needed():
    program = (
        "import sys, numpy as np; from hybridlesion.preprocessing import hair_mask;"
        "hair_mask(np.zeros((50, 50, 3), np.uint8)); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
