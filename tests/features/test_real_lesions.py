"""Features on real lesions: agreement with people and with other resolutions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from hybridlesion._optional_imports import cv2
from hybridlesion.features import abcd
from hybridlesion.io import read_image, read_mask


def _load(folder, image_id):
    image = read_image(folder / "images" / f"{image_id}.jpg")
    return image, read_mask(folder / "masks" / f"{image_id}_segmentation.png")


def _half(image, mask):
    size = (image.shape[1] // 2, image.shape[0] // 2)
    small = cv2.resize(mask.astype(np.uint8) * 255, size, interpolation=cv2.INTER_AREA)
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA), small > 127


@pytest.mark.real
def test_half_the_resolution_tells_the_same(real_data):
    folder = real_data / "isic2017-hires"
    ids = pd.read_csv(folder / "index.csv")["image_id"].iloc[::10]
    pairs = [_load(folder, image_id) for image_id in ids]
    full = pd.DataFrame([abcd(*pair) for pair in pairs])
    half = pd.DataFrame([abcd(*_half(*pair)) for pair in pairs])
    for name in (
        "perceived__asymmetry",
        "perceived__border",
        "perceived__color",
        "abcd__asymmetry_shape_min",
        "abcd__border_solidity",
        "abcd__border_slope_mean",
        "abcd__color_spread",
        "abcd__dimension_area",
        "abcd__skin_ita",
        "abcd__structure_veil_share",
        "abcd__texture_glcm4_correlation",
    ):
        assert spearmanr(full[name], half[name])[0] > 0.9, name


@pytest.mark.real
def test_asymmetry_agrees_with_people(real_data):
    people = pd.read_csv(real_data / "tables" / "abc_perception_human.csv").set_index("id")
    folder = real_data / "isic2017-hires"
    ids = pd.read_csv(folder / "index.csv")["image_id"]
    ids = [image_id for image_id in ids if image_id in people.index][:50]
    ours = [abcd(*_load(folder, image_id))["abcd__asymmetry_pigment_min"] for image_id in ids]
    assert len(ids) == 50
    # the published image measure of asymmetry reaches 0.40 on the whole table
    assert spearmanr(ours, people.loc[ids, "pi_sym"])[0] > 0.4
