"""Single drawn lesions: sizes, masks, and that the pixels follow the traits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hybridlesion._optional_imports import cv2
from hybridlesion.datasets import LesionTraits, draw_lesion

PLAIN = LesionTraits(asymmetry=0.0, border=0.5, color=0.0, pattern="homogeneous", darkness=0.6)


def lightness(image):
    return cv2.cvtColor(image, cv2.COLOR_RGB2LAB)[..., 0] * (100 / 255)


@pytest.mark.parametrize("size", [(600, 450), (320, 240), (240, 320), (1000, 1000), (81, 67)])
def test_image_and_mask_have_the_size_asked_for(size):
    image, mask = draw_lesion(size=size, random_state=1)
    assert image.shape == (size[1], size[0], 3)
    assert image.dtype == np.uint8
    assert mask.shape == (size[1], size[0])
    assert mask.dtype == bool


@pytest.mark.slow
def test_24_megapixels():
    image, mask = draw_lesion(PLAIN, (6000, 4000))
    assert image.shape == (4000, 6000, 3)
    assert 0.05 < mask.mean() < 0.4


def test_same_seed_same_picture_other_seed_another():
    first, mask = draw_lesion(size=(200, 150), random_state=5)
    again, same_mask = draw_lesion(size=(200, 150), random_state=5)
    other, _ = draw_lesion(size=(200, 150), random_state=6)
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(mask, same_mask)
    assert (first != other).any()


def test_same_lesion_at_two_sizes():
    _, small = draw_lesion(size=(320, 240), random_state=5)
    _, large = draw_lesion(size=(1280, 960), random_state=5)
    shrunk = cv2.resize(large.astype(np.uint8), (320, 240), interpolation=cv2.INTER_AREA) > 0
    assert (small & shrunk).sum() / (small | shrunk).sum() > 0.9


@pytest.mark.parametrize("seed", range(8))
def test_mask_is_one_piece_without_holes(seed):
    _, mask = draw_lesion(size=(320, 240), random_state=seed)
    pieces, _ = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    padded = np.pad(~mask, 1, constant_values=True).astype(np.uint8)
    grounds, _ = cv2.connectedComponents(padded, connectivity=4)
    assert (pieces, grounds) == (2, 2)


@pytest.mark.parametrize("radius", [0.1, 0.2, 0.3])
def test_mask_has_the_area_of_the_radius(radius):
    _, mask = draw_lesion(replace(PLAIN, radius=radius, border=0.0), (400, 300))
    assert mask.sum() == pytest.approx(np.pi * (radius * 400) ** 2, rel=0.2)


def test_mask_follows_the_center():
    _, mask = draw_lesion(replace(PLAIN, center=(0.1, -0.05), radius=0.12), (400, 300))
    y, x = np.argwhere(mask).mean(axis=0)
    assert x == pytest.approx(200 + 40, abs=8)
    assert y == pytest.approx(150 - 20, abs=8)


@pytest.mark.parametrize("seed", range(6))
def test_the_drawing_is_dark_where_the_mask_is(seed):
    image, mask = draw_lesion(PLAIN, (320, 240), random_state=seed)
    light = lightness(image)
    assert np.median(light[mask]) < np.median(light[~mask]) - 12
    # The border of the pigment is where the mask's is: the best threshold gives nearly the mask.
    middle = (np.median(light[mask]) + np.median(light[~mask])) / 2
    dark = light < middle
    assert (dark & mask).sum() / (dark | mask).sum() > 0.75


def test_skin_has_the_tone_asked_for():
    for tone in [(80.0, 6.0, 8.0), (45.0, 12.0, 15.0)]:
        image, mask = draw_lesion(replace(PLAIN, skin=tone, radius=0.12), (320, 240))
        lab = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
        outside = cv2.dilate(mask.astype(np.uint8), np.ones((31, 31))) == 0
        np.testing.assert_allclose(np.median(lab[outside], axis=0), tone, atol=6)


def test_darkness_darkens():
    light, dark = (
        np.mean(lightness(image)[mask])
        for image, mask in (draw_lesion(replace(PLAIN, darkness=d), (200, 150)) for d in (0.2, 0.9))
    )
    assert dark < light - 20


def test_color_adds_colors():
    def spread(color):
        spreads = []
        for seed in range(6):
            image, mask = draw_lesion(replace(PLAIN, color=color), (200, 150), random_state=seed)
            lab = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
            spreads.append(lab[mask].std(axis=0).mean())
        return np.mean(spreads)

    assert spread(0.9) > 1.3 * spread(0.0)


def test_border_roughens_the_outline():
    def compactness(border):
        _, mask = draw_lesion(replace(PLAIN, border=border), (640, 480))
        contour = max(
            cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0],
            key=len,
        )
        return cv2.arcLength(contour, True) ** 2 / (4 * np.pi * cv2.contourArea(contour))

    assert compactness(1.0) > 1.3 * compactness(0.0)


def test_asymmetry_makes_asymmetric():
    def asymmetry(strength):
        shares = []
        for seed in range(8):
            traits = replace(PLAIN, asymmetry=strength, aspect=1.0)
            _, mask = draw_lesion(traits, (321, 321), random_state=seed)
            center = np.round(np.argwhere(mask).mean(axis=0)).astype(int) - 160
            mask = np.roll(mask, -center, axis=(0, 1))
            shares.append((mask ^ mask[::-1, ::-1]).sum() / (2 * mask.sum()))
        return np.mean(shares)

    assert asymmetry(1.0) > 2 * asymmetry(0.0)


def test_hair_and_artifacts_leave_the_mask_alone():
    plain, mask = draw_lesion(PLAIN, (320, 240))
    covered = replace(PLAIN, hair=1.0, artifacts=("vignette", "ruler", "bubbles", "ink"))
    other, same = draw_lesion(covered, (320, 240))
    np.testing.assert_array_equal(mask, same)
    # The vignette blackens at least the outermost corners.
    assert other[0, 0].mean() < 0.5 * plain[0, 0].mean()
    # Hair crosses the skin: dark pixels that the plain picture does not have.
    assert (lightness(other)[60:180, 20:300] < lightness(plain)[60:180, 20:300] - 20).mean() > 0.01


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ((600,), "size must be"),
        (600, "size must be"),
        ((600, 20), "at least 64"),
        ((9000, 600), "at most 8000"),
        ((600.0, 450), "whole number"),
    ],
)
def test_impossible_sizes_are_refused(size, message):
    with pytest.raises(ValueError, match=message):
        draw_lesion(size=size)
