"""Sampling and its prior correction, the number of trees, and the focal loss."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from hybridlesion.model import HybridLesionClassifier
from hybridlesion.model._boosting import BoosterState, draw_bag, focal_derivatives, grow
from hybridlesion.model._fold_model import LinearModel, _directions


class _Scripted:
    """Stands for a booster whose held-out scores are known for every number of trees."""

    def __init__(self, y, best_at):
        self.y, self.best_at, self.grown = y, best_at, 0

    def update(self, fobj=None):
        self.grown += 1
        return False

    def predict(self, held_out, start_iteration, num_iteration, raw_score, num_threads):
        towards = 1.0 if start_iteration < self.best_at else -2.0
        return towards * np.where(self.y, 1.0, -1.0)


_SETTINGS = HybridLesionClassifier(linear_weight=0.0, imbalance="none").get_params()


def _members(best_at):
    y = np.arange(60) % 4 == 0
    rows = np.arange(60).reshape(len(best_at), -1)
    return y, [
        BoosterState(_Scripted(y[part], best), part[:, None], part, fold, 0.0)
        for fold, (part, best) in enumerate(zip(rows, best_at, strict=True))
    ]


def test_a_fold_has_no_say_in_its_own_number_of_trees():
    y, members = _members((60, 60, 20))
    settings = _SETTINGS | {"min_trees": 0, "max_trees": 100, "patience": 100}
    n_trees, _ = grow(members, y, np.zeros(60), settings)
    # The third fold alone would keep 20 trees; the others ask for 60.
    assert n_trees[2] == 60
    assert max(n_trees[:2]) < 60


def test_growth_ends_after_patience_and_keeps_the_floor():
    y, members = _members((20, 20, 20))
    settings = _SETTINGS | {"min_trees": 50, "max_trees": 400, "patience": 30}
    n_trees, logits = grow(members, y, np.zeros(60), settings)
    assert members[0].booster.grown <= 60
    assert n_trees.min() >= 50
    assert logits.shape == (60,)


def test_undersampling_is_undone_by_the_formula(rng):
    y = rng.random(20_000) < 0.02
    rows, weight, shift = draw_bag(y, "undersample", 5, rng)
    assert weight is None
    assert y[rows].sum() == y.sum()
    kept, on_bag = np.exp(shift), y[rows].mean()
    expected = kept * on_bag / (kept * on_bag - on_bag + 1)
    assert expit(np.log(on_bag / (1 - on_bag)) + shift) == pytest.approx(expected)
    assert expected == pytest.approx(y.mean())


def test_undersampling_keeps_all_when_negatives_are_few(rng):
    rows, _, shift = draw_bag(np.array([True, False, False]), "undersample", 5, rng)
    assert rows.tolist() == [0, 1, 2]
    assert shift == 0


def test_class_weight_balances_the_classes(rng):
    y = np.array([True] + [False] * 9)
    _, weight, shift = draw_bag(y, "class_weight", 5, rng)
    assert weight[y].sum() == weight[~y].sum() == 9
    assert shift == pytest.approx(np.log(1 / 9))


def test_directions_follow_clear_columns_only(rng):
    y = rng.random(500) < 0.3
    noise = rng.normal(size=500)
    columns = np.column_stack([y + noise, noise - y, noise, np.full(500, np.nan)])
    assert _directions(columns, y, np.ones(4, dtype=bool)) == [1, -1, 0, 0]
    assert _directions(columns, y, np.zeros(4, dtype=bool)) == [0, 0, 0, 0]


def test_linear_part_bears_gaps_constants_and_outliers(rng):
    y = rng.random(400) < 0.3
    X = np.column_stack([y + rng.normal(size=400), np.ones(400), np.full(400, np.nan)])
    X[3, 0] = np.nan
    part = LinearModel().fit(X.astype(np.float32), y)
    assert part.coef_[0] > 0.3
    assert part.coef_[1:].tolist() == [0, 0]
    far, farther = part.logit(np.array([[1e6, 1, 0], [1e9, 1, 0]], dtype=np.float32))
    assert far == farther


def _focal_loss(logits, y, gamma):
    own = expit(np.where(y, logits, -logits))
    return -((1 - own) ** gamma) * np.log(own)


@pytest.mark.parametrize("gamma", [0.0, 1.0, 2.5])
def test_derivatives_are_those_of_the_loss(gamma):
    logits, y = np.tile(np.linspace(-5, 5, 41), 2), np.repeat([True, False], 41)
    gradient, curvature = focal_derivatives(logits, y, gamma)
    step = 1e-4
    up, down = _focal_loss(logits + step, y, gamma), _focal_loss(logits - step, y, gamma)
    np.testing.assert_allclose(gradient, (up - down) / (2 * step), atol=1e-6)
    second = (up - 2 * _focal_loss(logits, y, gamma) + down) / step**2
    np.testing.assert_allclose(curvature, np.maximum(second, 1e-6), atol=1e-4)


def test_far_logits_stay_finite():
    gradient, curvature = focal_derivatives(
        np.array([-800.0, 800.0, 800.0]), np.array([True, True, False]), 2.0
    )
    assert np.isfinite(gradient).all()
    assert (curvature > 0).all()
