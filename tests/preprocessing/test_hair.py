"""Hair detection and removal on drawn hair, and against annotated photographs."""

from __future__ import annotations

import numpy as np
import pytest

from hybridlesion._optional_imports import cv2
from hybridlesion.exceptions import ImageError
from hybridlesion.io import read_image
from hybridlesion.preprocessing import hair_mask, remove_hair

SKIN = (215, 170, 150)


def photographed(image):
    """Soften and grain a drawing as a lens and a sensor do: the network knows photographs."""
    grain = np.random.default_rng(0).normal(0, 3, image.shape)
    return np.clip(cv2.GaussianBlur(image, (3, 3), 0.6) + grain, 0, 255).astype(np.uint8)


def skin_with_hair(scale=1, color=(40, 30, 30)):
    image = np.full((120 * scale, 160 * scale, 3), SKIN, np.uint8)
    hair = np.zeros(image.shape[:2], np.uint8)
    cv2.line(hair, (10 * scale, 20 * scale), (150 * scale, 90 * scale), 1, scale)
    cv2.line(hair, (30 * scale, 100 * scale), (100 * scale, 10 * scale), 1, scale)
    image[hair > 0] = color
    return photographed(image), hair > 0


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_the_same_hair_is_found_at_every_scale(scale):
    image, hair = skin_with_hair(scale)
    found = hair_mask(image)
    assert found[hair].mean() > 0.9
    assert found[cv2.dilate(hair.astype(np.uint8), np.ones((7, 7))) == 0].mean() < 0.002


def test_light_hair_is_found_too():
    image, hair = skin_with_hair(color=(250, 245, 235))
    assert hair_mask(image)[hair].mean() > 0.9


@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize(
    ("skin", "color", "share"),
    # Thick light hair is found along its two edges first.
    [((215, 170, 150), (45, 32, 28), 0.85), ((120, 85, 70), (225, 205, 180), 0.65)],
)
def test_thin_and_thick_hair_is_covered(width, skin, color, share):
    image = np.full((240, 340, 3), skin, np.uint8)
    hair = np.zeros(image.shape[:2], np.uint8)
    for start, end in (((20, 40), (320, 190)), ((60, 220), (200, 15)), ((10, 130), (330, 150))):
        cv2.line(hair, start, end, 1, width)
    image[hair > 0] = color
    found = hair_mask(photographed(image))
    assert found[hair > 0].mean() > share
    assert found[cv2.dilate(hair, np.ones((9, 9))) == 0].mean() < 0.002


def test_pigment_net_is_no_hair():
    image = np.full((256, 340, 3), SKIN, np.uint8)
    lesion = np.zeros(image.shape[:2], np.uint8)
    cv2.ellipse(lesion, (170, 128), (90, 70), 0, 0, 360, 1, -1)
    image[lesion > 0] = (165, 115, 85)
    net = np.zeros_like(lesion)
    for row, y in enumerate(range(0, 256, 9)):
        for x in range(0, 340, 10):
            cv2.circle(net, (x + 5 * (row % 2), y), 5, 1, 1)
    image[(net & lesion) > 0] = (105, 65, 45)
    assert hair_mask(cv2.GaussianBlur(image, (3, 3), 0)).mean() < 0.01


def test_ruler_ticks_are_no_hair():
    image = np.full((256, 340, 3), SKIN, np.uint8)
    for x in range(40, 300, 13):
        cv2.line(image, (x, 220), (x, 228), (40, 40, 40), 1)
    assert hair_mask(image).mean() < 0.002


@pytest.mark.parametrize("level", [0, 60, 128, 200, 255])
def test_a_flat_picture_has_no_hair(level):
    assert not hair_mask(np.full((100, 140, 3), level, np.uint8)).any()


@pytest.mark.parametrize("seed", range(4))
def test_a_round_lesion_and_its_dots_are_no_hair(seed):
    image = np.full((240, 320, 3), SKIN, np.uint8)
    cv2.circle(image, (160, 120), 60, (120, 80, 60), -1)
    for x, y in np.random.default_rng(seed).integers(-35, 35, (12, 2)):
        cv2.circle(image, (160 + int(x), 120 + int(y)), 4, (50, 30, 20), -1)
    assert hair_mask(image).mean() < 0.002


@pytest.mark.real
@pytest.mark.parametrize("name", ["ISIC_0000310", "ISIC_0000298", "ISIC_0000311", "ISIC_0000124"])
def test_pigment_nets_and_skin_furrows_are_no_hair(real_data, name):
    image = read_image(str(real_data / "isic2017-hires" / "images" / f"{name}.jpg"))
    assert hair_mask(image).mean() < 0.02


@pytest.mark.real
@pytest.mark.parametrize("name", ["ISIC_0000164", "ISIC_0000463", "ISIC_0000171"])
def test_plain_hair_is_found(real_data, name):
    image = read_image(str(real_data / "isic2017-hires" / "images" / f"{name}.jpg"))
    assert hair_mask(image).mean() > 0.015


def test_nothing_is_marked_outside_the_field_of_view():
    image, hair = skin_with_hair()
    fov = np.zeros(hair.shape, bool)
    fov[:, 80:] = True
    found = hair_mask(image, fov=fov)
    assert not found[:, :80].any()
    assert found[:, 80:].any()


def test_removal_restores_the_skin_and_leaves_the_rest_alone(rng):
    clean = rng.integers(100, 200, (60, 80, 3), dtype=np.uint8)
    hair = np.zeros((60, 80), bool)
    hair[:, 40] = True
    image = clean.copy()
    image[hair] = 0
    restored = remove_hair(image, hair)
    assert np.array_equal(restored[~hair], clean[~hair])
    assert 130 < restored[hair].mean() < 170
    assert (image[hair] == 0).all()


def test_each_side_of_an_edge_keeps_its_color():
    image = np.full((50, 100, 3), 200, np.uint8)
    image[:, 50:] = 50
    hair = np.zeros((50, 100), bool)
    hair[25] = True
    restored = remove_hair(image, hair)
    assert (restored[25, :45] == 200).all()
    assert (restored[25, 55:] == 50).all()


def test_a_wide_gap_is_filled_completely():
    image = np.full((40, 60, 3), 90, np.uint8)
    hair = np.ones((40, 60), bool)
    hair[0, 0] = False
    assert (remove_hair(np.where(hair[..., None], 0, image).astype(np.uint8), hair) == 90).all()


@pytest.mark.parametrize("value", [True, False])
def test_all_or_no_hair_changes_nothing(value, rng):
    image = rng.integers(0, 256, (5, 7, 3), dtype=np.uint8)
    assert np.array_equal(remove_hair(image, np.full((5, 7), value)), image)


def test_a_mask_of_another_size_is_refused():
    with pytest.raises(ImageError, match="same size"):
        remove_hair(np.zeros((5, 7, 3), np.uint8), np.zeros((7, 5), bool))


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (3, 3)])
def test_tiny_images_have_no_hair(shape):
    assert not hair_mask(np.full((*shape, 3), 128, np.uint8)).any()
