"""Which images are drawn, how often, and how they look."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hybridlesion.cnn.dataset import (
    draw_order,
    draw_view,
    plain_view,
    positive_shares,
    prior_offsets,
    two_views,
)


def test_an_epoch_draws_each_source_by_its_size_and_its_malignant_lesions_more_often(
    drawn, recipe, rng
):
    order = draw_order(drawn, recipe, rng)
    assert len(order) == len(drawn)
    assert np.bincount(drawn.source[order]).tolist() == [30, 30]
    # 35 % of 30; in the second source two malignant lesions come four times each
    assert drawn.target[order][drawn.source[order] == 0].sum() == 10
    assert drawn.target[order][drawn.source[order] == 1].sum() == 8


def test_nobody_comes_twice_before_all_others_came_once(drawn, recipe, rng):
    times = np.bincount(draw_order(drawn, recipe, rng), minlength=len(drawn))
    for source in (0, 1):
        for target in (0, 1):
            chosen = times[(drawn.source == source) & (drawn.target == target)]
            assert np.ptp(chosen) <= 1


def test_offsets_are_the_log_odds_of_what_is_drawn(drawn, recipe):
    shares = positive_shares(drawn, recipe)
    assert shares == pytest.approx([0.35, 4 * 2 / 30])
    offsets = prior_offsets(drawn, recipe)
    assert 1 / (1 + np.exp(-offsets[[0, -1]])) == pytest.approx(shares, rel=1e-5)


def test_a_source_of_one_class_keeps_it(drawn, recipe, rng):
    benign = drawn.subset(np.flatnonzero(drawn.target == 0))
    assert positive_shares(benign, recipe).tolist() == [0.0, 0.0]
    assert len(draw_order(benign, recipe, rng)) == len(benign)
    malignant = drawn.subset(np.flatnonzero(drawn.target == 1))
    assert positive_shares(malignant, recipe).tolist() == [1.0, 1.0]
    assert np.isfinite(prior_offsets(malignant, recipe)).all()


def test_views_are_seeded_and_undisturbed_ones_keep_the_colours(drawn, recipe):
    crop = drawn.crops[0]
    first, again = (draw_view(crop, 32, recipe, np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(first, again)
    calm = draw_view(crop, 32, replace(recipe, disturbed=False), np.random.default_rng(3))
    assert calm.shape == (32, 32, 3)
    assert crop.min() <= calm.min()
    assert calm.max() <= crop.max()


def test_the_plain_view_is_the_crop_itself(drawn):
    assert np.array_equal(plain_view(drawn.crops[0], 48), drawn.crops[0])


def test_one_of_several_crops_is_drawn(drawn, recipe, rng):
    plain = replace(recipe, disturbed=False)
    pair = np.stack([np.zeros_like(drawn.crops[0]), np.full_like(drawn.crops[0], 255)])
    means = [draw_view(pair, 32, plain, rng).mean() for _ in range(40)]
    assert set(means) == {0, 255}


def test_a_lesion_is_seen_as_it_is_and_mirrored(rng):
    one, other = rng.integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    alone, pair = two_views(one), two_views(np.stack([one, other]))
    assert np.array_equal(alone[0], one)
    assert np.array_equal(alone[1], one[:, ::-1])
    assert np.array_equal(pair[0], one)
    assert np.array_equal(pair[1], other[:, ::-1])
