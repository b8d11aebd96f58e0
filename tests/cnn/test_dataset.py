"""Which images are drawn, how often, and how they look."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hybridlesion.cnn import FinetuneRecipe, truths
from hybridlesion.cnn.dataset import Sampler, divide_label, draw_view, scored_view
from hybridlesion.cnn.views import InputSpec
from hybridlesion.exceptions import OptionError

SPEC = InputSpec((32, 32), (0.5,) * 3, (0.5,) * 3, 1.0, "center", "bicubic")


def test_views_grow_with_the_steps():
    assert [FinetuneRecipe(image_size=32).size(done) for done in (0, 0.5, 1)] == [32] * 3
    assert [FinetuneRecipe(image_size=224).size(done) for done in (0, 0.5, 1)] == [128, 192, 224]
    assert [FinetuneRecipe(image_size=size).scored_size for size in (32, 160)] == [32, 192]


@pytest.mark.parametrize("wrong", [{"image_size": 100}, {"epochs": 0}, {"learning_rate": -1.0}])
def test_a_recipe_that_cannot_be_is_refused(wrong):
    with pytest.raises((OptionError, ValueError), match=next(iter(wrong))):
        FinetuneRecipe(**wrong)


def test_sources_are_drawn_by_the_root_of_their_size_and_melanomas_more_often(drawn, recipe, rng):
    rows = Sampler(drawn, recipe).draw(4000, rng)
    assert np.mean(drawn.source[rows] == 0) == pytest.approx(0.5, abs=0.03)
    first = rows[drawn.source[rows] == 0]
    expected = 1.5 * np.sqrt(10) / (1.5 * np.sqrt(10) + np.sqrt(20))
    assert drawn.allowed[first, 0].mean() == pytest.approx(expected, abs=0.03)


def test_every_lesion_is_drawn_as_often_as_any_other_of_its_class(drawn, recipe, rng):
    # nine images of one lesion, one of another
    nevi = drawn.subset(np.r_[31:41])
    nevi = replace(nevi, lesion=np.array([0] * 9 + [1]))
    rows = Sampler(nevi, recipe).draw(2000, rng)
    assert np.mean(rows == 9) == pytest.approx(0.5, abs=0.05)


def test_shares_in_the_loss_are_those_of_the_draws(drawn, recipe, rng):
    sampler = Sampler(drawn, replace(recipe, least_share=0.0))
    rows = sampler.draw(6000, rng)
    second = rows[drawn.source[rows] == 1]
    found = np.mean([divide_label(drawn.allowed[i]) for i in second], axis=0)
    np.testing.assert_allclose(np.exp(sampler.log_shares[1]), found, atol=0.03)


def test_a_class_that_a_source_lacks_keeps_a_small_share(drawn, recipe):
    shares = np.exp(Sampler(drawn, recipe).log_shares)
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-5)
    assert shares[0, 2] == pytest.approx(0.03 / (1 + 8 * 0.03), rel=1e-4)


def test_benign_alone_divides_over_the_benign_classes(drawn):
    np.testing.assert_allclose(
        divide_label(drawn.allowed[-1]), [0, 0.80, 0, 0, 0, 0.14, 0.03, 0.03]
    )


def test_views_are_seeded(drawn, recipe):
    image, box = drawn.image(0), drawn.boxes[0]
    before = image.copy()
    first, again = (draw_view(image, box, 32, recipe, np.random.default_rng(3)) for _ in range(2))
    assert first.shape == (32, 32, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, again)
    assert np.array_equal(image, before)


def test_views_show_the_lesion_or_the_frame(drawn, recipe):
    image, box = drawn.image(0), drawn.boxes[0]
    plain = replace(recipe, light=0.0)
    shares = [
        np.mean(draw_view(image, box, 32, plain, np.random.default_rng(seed)).max(axis=2) < 90)
        for seed in range(60)
    ]
    assert 0 < np.percentile(shares, 10) < 0.4 < np.percentile(shares, 90)


def test_no_lesion_shows_the_frame(drawn, recipe, rng):
    assert draw_view(drawn.image(0), np.zeros(4, int), 32, recipe, rng).shape == (32, 32, 3)
    frame = scored_view(drawn.image(0), np.zeros(4, int), ("lesion", 0.2), SPEC)
    assert np.array_equal(frame, scored_view(drawn.image(0), drawn.boxes[0], ("frame", 1.0), SPEC))


def test_scored_views_of_the_lesion_have_a_margin(drawn):
    image, box = drawn.image(0), drawn.boxes[0]
    tight, wide = (scored_view(image, box, ("lesion", m), SPEC) for m in (0.0, 0.4))
    dark_tight, dark_wide = ((view.max(axis=2) < 100).mean() for view in (tight, wide))
    assert dark_tight == pytest.approx(np.pi / 4, abs=0.15)
    assert dark_tight / dark_wide == pytest.approx(1.8**2, rel=0.15)


def test_truths_leave_open_what_labels_leave_open(drawn):
    allowed = np.eye(8, dtype=bool)[[0, 3, 1]]
    malignant = np.isin(np.arange(8), [0, 2, 4])
    found = truths(np.vstack([allowed, malignant, ~malignant]))
    np.testing.assert_array_equal(found["any malignancy"], [1, np.nan, 0, 1, 0])
    np.testing.assert_array_equal(found["melanoma"], [1, 0, 0, np.nan, 0])
