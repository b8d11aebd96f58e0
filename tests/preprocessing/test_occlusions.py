"""What hides the skin: dark corners, ink, stickers and hair."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from hybridlesion._optional_imports import cv2
from hybridlesion.exceptions import ImageError
from hybridlesion.io import read_image
from hybridlesion.preprocessing import field_of_view, hair_mask, marker_mask, remove_hair
from hybridlesion.preprocessing._occlusions import hair_probability

SKIN = (215, 170, 150)


def frame(shape=(120, 160)):
    return np.full((*shape, 3), SKIN, np.uint8)


def test_plain_skin_is_usable_everywhere():
    assert field_of_view(frame()).all()


@pytest.mark.parametrize("scale", [1, 3])
def test_black_corners_are_left_out_at_any_size(scale):
    image = frame((120 * scale, 160 * scale))
    rows, columns = np.mgrid[: 120 * scale, : 160 * scale]
    disc = np.hypot(rows - 60 * scale, columns - 80 * scale) < 85 * scale
    image[~disc] = 4
    usable = field_of_view(image)
    assert usable.shape == image.shape[:2]
    assert not usable[0, 0]
    assert not usable[-1, -1]
    # The corners are blurred before they are cut, which may keep a pixel of their very edge.
    assert usable[~disc].mean() < 0.01
    assert usable[disc].mean() > 0.9


def test_a_black_lesion_inside_stays():
    image = frame()
    image[50:70, 70:90] = 8
    assert field_of_view(image).all()


@pytest.mark.parametrize("value", [0, 255])
@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (30, 2), (200, 300)])
def test_uniform_frames_are_kept(value, shape):
    assert field_of_view(np.full((*shape, 3), value, np.uint8)).all()


def test_a_float_image_is_refused():
    with pytest.raises(ImageError, match="uint8"):
        field_of_view(np.zeros((4, 4, 3)))


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


@pytest.mark.parametrize("color", [(20, 130, 220), (100, 200, 190), (90, 40, 130), (40, 160, 60)])
def test_stickers_and_ink_are_marked(color):
    image = np.full((20, 30, 3), (215, 170, 150), np.uint8)
    image[5:15, 5:10] = color
    expected = np.zeros((20, 30), bool)
    expected[5:15, 5:10] = True
    assert np.array_equal(marker_mask(image), expected)


@pytest.mark.parametrize(
    "color", [(215, 170, 150), (90, 50, 30), (30, 20, 20), (190, 60, 60), (110, 115, 130)]
)
def test_skin_pigment_blood_and_veil_are_not(color):
    assert not marker_mask(np.full((4, 4, 3), color, np.uint8)).any()


def test_tinted_light_is_no_marker():
    assert not marker_mask(np.full((4, 4, 3), (100, 150, 255), np.uint8)).any()
