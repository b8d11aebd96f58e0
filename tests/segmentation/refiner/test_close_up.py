"""Windows in which a lesion fills the frame, and the samples cut by them."""

from __future__ import annotations

import numpy as np
import pytest

from hybridlesion._optional_imports import cv2
from hybridlesion.io import write_image, write_mask
from hybridlesion.segmentation.refiner import read_sample
from hybridlesion.segmentation.refiner.samples import close_window


@pytest.mark.parametrize("number", range(20))
def test_a_window_lies_in_the_frame_and_the_lesion_fills_it(number):
    mask = np.zeros((300, 400), np.uint8)
    cv2.ellipse(mask, (150 + 5 * number, 160), (90, 60), 10 * number, 0, 360, 1, -1)
    top, bottom, left, right = close_window(mask > 0, f"ISIC_{number}")
    assert 0 <= top < bottom <= 1
    assert 0 <= left < right <= 1
    part = mask[round(300 * top) : round(300 * bottom), round(400 * left) : round(400 * right)]
    assert part.mean() > 0.45
    assert part.mean() > 2 * mask.mean()


def test_the_name_decides_the_window():
    mask = np.zeros((100, 100), bool)
    mask[30:70, 30:70] = True
    assert close_window(mask, "a") == close_window(mask, "a")
    assert close_window(mask, "a") != close_window(mask, "b")


@pytest.mark.parametrize("half", [0, 1, 3, 50])
def test_no_window_round_nothing_a_speck_or_everything(half):
    mask = np.zeros((100, 100), bool)
    mask[50 - half : 50 + half, 50 - half : 50 + half] = True
    assert close_window(mask, "a") is None


def test_a_sample_holds_its_close_up_with_evidence_of_its_own(tmp_path):
    mask = np.zeros((180, 240), np.uint8)
    cv2.circle(mask, (120, 90), 50, 1, -1)
    image = np.where(mask[..., None] > 0, (110, 70, 52), (222, 178, 158))
    image = image + np.random.default_rng(0).normal(0, 4, image.shape)
    write_image(tmp_path / "a.png", image.clip(0, 255).astype(np.uint8))
    write_mask(tmp_path / "a_mask.png", mask > 0)
    sample = read_sample(tmp_path / "a.png", tmp_path / "a_mask.png", side=64)
    near = sample.close_up
    assert near.close_up is None
    assert near.image.shape == (64, 64, 3)
    assert near.aspect == pytest.approx(sample.aspect, rel=0.05)
    assert near.mask.mean() > 2 * sample.mask.mean()
    # Image and mask were cut alike: the lesion is dark where the mask is.
    dark = near.image[..., 0] < 170
    assert (dark == (near.mask > 127)).mean() > 0.97
