"""Each disturbance does what it says, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from hybridlesion.preprocessing.augmentation import (
    blur,
    change_light,
    darken_corners,
    darken_edges,
    degrade,
    draw_hair,
    random_affine,
    vary_light,
    warp_window,
)


@pytest.fixture
def skin() -> np.ndarray:
    return np.full((64, 64, 3), (220, 175, 155), np.uint8)


def test_affine_maps_keep_angles_in_the_true_aspect(rng):
    for _ in range(20):
        linear = random_affine(4 / 3, 64, 64, rng)[:, :2]
        wide = np.diag([4 / 3, 1.0])
        sides = np.linalg.svd(wide @ linear @ np.linalg.inv(wide), compute_uv=False)
        # but for a stretch of up to 8 %, a turn and a scale
        assert sides[0] / sides[1] <= np.exp(0.08) + 1e-9
        assert np.exp(-0.34) < sides[1]
        assert sides[0] < np.exp(0.34)


def test_unturned_views_only_flip(rng):
    linear = random_affine(1.0, 64, 64, rng, turned=0.0)[:, :2]
    assert np.abs(linear[[0, 1], [1, 0]]).max() == 0


def test_hair_covers_a_little_of_the_skin(skin, rng):
    before = skin.copy()
    draw_hair(skin, rng)
    share = (skin != before).any(axis=2).mean()
    assert 0 < share < 0.5


def test_corners_darken_and_the_middle_stays(skin, rng):
    dark = darken_corners(skin, rng)
    assert dark[0, 0].mean() < 60
    assert np.abs(dark[32, 32].astype(int) - skin[32, 32]).max() <= 1


def test_light_changes_all_pixels_of_one_colour_alike(skin, rng):
    light = change_light(skin, rng)
    assert light.dtype == np.float32
    assert np.ptp(light.reshape(-1, 3), axis=0).max() == 0
    assert 0 <= light.min() <= light.max() <= 255


def test_blur_softens_an_edge_and_keeps_the_mean(skin, rng):
    skin[:, 32:] = 0
    soft = blur(skin, rng)
    assert len(np.unique(soft[32, :, 0])) > 2
    assert soft.mean() == pytest.approx(skin.mean(), abs=1)


def test_a_window_shows_what_lies_in_it(skin, rng):
    skin[20:40, 30:50] = (60, 40, 40)
    for _ in range(10):
        view = warp_window(skin, np.array([40.0, 30.0]), 12.0, 32, rng)
        assert view.shape == (32, 32, 3)
        assert (view == (60, 40, 40)).all()
    dark = [
        warp_window(skin, np.array([40.0, 30.0]), 40.0, 32, rng)[..., 0] < 140 for _ in range(9)
    ]
    assert np.mean(dark) == pytest.approx(20 * 20 / 40**2, abs=0.02)


def test_large_windows_are_averaged(skin, rng):
    skin[::2] = 0
    view = warp_window(skin, np.array([32.0, 32.0]), 64.0, 16, rng)
    assert np.abs(view.astype(int) - (110, 87, 77)).max() < 40


def test_light_of_no_strength_changes_nothing(skin, rng):
    skin[:, 32:] = (60, 40, 40)
    assert np.abs(vary_light(skin, rng, 0.0).astype(int) - skin).max() <= 1


def test_varied_light_changes_all_pixels_of_one_colour_alike(skin, rng):
    views = [vary_light(skin, rng, 1.0) for _ in range(20)]
    assert max(np.ptp(view.reshape(-1, 3), axis=0).max() for view in views) == 0
    assert np.ptp([view[0, 0] for view in views], axis=0).min() > 10


def test_dark_edges_leave_the_middle(skin, rng):
    before = skin.copy()
    views = [darken_edges(skin, rng) for _ in range(10)]
    assert np.array_equal(skin, before)
    assert all(np.array_equal(view[8:-8, 8:-8], skin[8:-8, 8:-8]) for view in views)
    assert min(view.min() for view in views) < 25


def test_degraded_images_keep_their_mean(skin, rng):
    skin[::4] = (150, 110, 90)
    views = [degrade(skin, rng) for _ in range(40)]
    assert all(view.shape == skin.shape and view.dtype == np.uint8 for view in views)
    assert max(abs(view.mean() - skin.mean()) for view in views) < 4
    assert any(np.array_equal(view, skin) for view in views)
    assert not all(np.array_equal(view, skin) for view in views)
