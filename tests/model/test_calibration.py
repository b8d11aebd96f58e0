"""Calibrators on scores of known probability, and conformal sets."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from hybridlesion.metrics import calibration_error, calibration_slope
from hybridlesion.model import ScoreCalibrator
from hybridlesion.model.calibration import ConformalSets, member_noise


def _overconfident(n, seed=0, prevalence_logit=-3.5):
    rng = np.random.default_rng(seed)
    x = rng.normal(prevalence_logit, 1.2, n)
    return 2 * x + 1, (rng.random(n) < expit(x)).astype(int)


@pytest.mark.parametrize("method", ["platt", "beta", "isotonic"])
def test_every_method_straightens_fresh_overconfident_scores(method):
    calibrator = ScoreCalibrator(method).fit(*_overconfident(40_000))
    z, y = _overconfident(40_000, seed=1)
    assert calibration_error(y, expit(z)) > 0.01
    assert calibration_error(y, calibrator.predict(z)) < 0.004
    assert calibration_slope(y, calibrator.predict(z)) == pytest.approx(1, abs=0.08)


def test_platt_finds_the_true_line():
    calibrator = ScoreCalibrator("platt").fit(*_overconfident(200_000))
    # x = (z - 1) / 2
    assert calibrator.coef_ == pytest.approx([-0.5, 0.5], abs=0.03)


@pytest.mark.parametrize("method", ["platt", "beta", "isotonic"])
def test_the_mean_stays_at_the_prevalence(method):
    z, y = _overconfident(5000)
    mean = ScoreCalibrator(method).fit(z, y).predict(z).mean()
    assert mean == pytest.approx(y.mean(), rel=0.03)


@pytest.mark.parametrize("method", ["platt", "beta", "isotonic"])
def test_three_separated_positives_give_no_certainty(method):
    z = np.r_[np.full(3, 8.0), np.full(60, -8.0)]
    score = ScoreCalibrator(method).fit(z, z > 0).predict([-9.0, -8.0, 0.0, 8.0, 9.0])
    assert (np.diff(score) >= 0).all()
    assert score.min() > 0
    assert score.max() < 1
    assert score[3] == pytest.approx(4 / 5, abs=0.02)


def test_scores_that_rank_wrongly_are_flattened_not_turned_round():
    z, y = _overconfident(2000)
    score = ScoreCalibrator("platt").fit(-z, y).predict(np.array([-3.0, 3.0]))
    assert score == pytest.approx([y.mean()] * 2, rel=0.02)


@pytest.mark.parametrize(("positives", "method"), [(999, "platt"), (1000, "beta")])
def test_auto_asks_for_enough_positives(positives, method):
    y = np.arange(4000) < positives
    z = np.random.default_rng(0).normal(size=4000) + y
    assert ScoreCalibrator().fit(z, y).method_ == method


def test_unknown_method_is_refused():
    with pytest.raises(ValueError, match="Did you mean 'platt'"):
        ScoreCalibrator("plat").fit([0.0, 1.0], [0, 1])


def _members(n, draws, noise, seed=0):
    """Logits of members: what they share, at half its scale, and noise of their own."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(-1.5, 1.2, n)
    logits = 0.5 * shared + rng.normal(0, noise, (draws, n))
    return logits, rng.random(n) < expit(shared)


@pytest.mark.parametrize(("method", "close"), [("platt", 0.05), ("beta", 0.05), ("isotonic", 0.1)])
def test_a_sharpened_calibrator_fits_the_mean_of_members(method, close):
    logits, y = _members(40_000, 2, 0.4)
    calibrator = ScoreCalibrator(method).fit(logits[0], y)
    fresh, truth = _members(40_000, 50, 0.4, seed=1)
    mean = fresh.mean(axis=0)
    assert calibration_slope(truth, calibrator.predict(mean)) > 1.25
    calibrator.sharpen(logits[0], y, member_noise(logits, (50, 50)))
    score = calibrator.predict(mean)
    assert calibration_slope(truth, score) == pytest.approx(1, abs=close)
    assert calibration_error(truth, score) < 0.01
    assert score.mean() == pytest.approx(truth.mean(), rel=0.03)


def test_members_that_agree_need_no_sharpening():
    logits, y = _members(2000, 1, 0.0)
    calibrator = ScoreCalibrator().fit(logits[0], y)
    before = calibrator.predict(logits[0])
    calibrator.sharpen(logits[0], y, member_noise(np.repeat(logits, 2, axis=0), (5, 3)))
    np.testing.assert_allclose(calibrator.predict(logits[0]), before, atol=1e-9)


def test_slopes_are_at_most_doubled_and_keep_the_mean():
    logits, y = _members(2000, 1, 0.1)
    calibrator = ScoreCalibrator().fit(logits[0], y)
    calibrator.sharpen(logits[0], y, np.full(2000, 25.0))
    assert calibrator.line_[1] == 2
    flat = ScoreCalibrator().fit(-logits[0], y).sharpen(-logits[0], y, np.ones(2000))
    assert flat.line_[1] == 1
    assert flat.predict(-logits[0]).mean() == pytest.approx(y.mean(), rel=0.02)


def test_noise_is_measured_on_the_scale_of_the_first_draw():
    logits, _ = _members(20_000, 2, 0.4)
    other = 3 + 2 * logits[1]
    assert member_noise(logits, (5, 5)).mean() == pytest.approx(0.16, rel=0.05)
    assert member_noise(np.array([logits[0], other]), (5, 5)).mean() == pytest.approx(
        0.16, rel=0.05
    )
    assert member_noise(logits, (5, 3)).mean() == pytest.approx(0.16 * 2 / 3, rel=0.05)


def _draw(n, seed):
    rng = np.random.default_rng(seed)
    y = rng.random(n) < 0.1
    return y, 1 / (1 + np.exp(-(rng.normal(0, 1.2, n) + 2.5 * y - 2)))


@pytest.mark.parametrize("coverage", [0.7, 0.9, 0.95])
def test_the_truth_is_in_the_set_as_often_as_promised_in_each_class(coverage):
    shares = []
    for seed in range(60):
        sets = ConformalSets().fit(*_draw(800, seed))
        y, score = _draw(800, 1000 + seed)
        found = sets.predict(score, coverage)
        shares.append([found[~y, 0].mean(), found[y, 1].mean()])
    low, high = np.mean(shares, axis=0)
    assert low == pytest.approx(coverage, abs=0.015)
    assert coverage - 0.01 < high < coverage + 0.03


def test_sets_grow_with_what_is_promised():
    sets = ConformalSets().fit(*_draw(500, 0))
    score = np.linspace(0, 1, 101)
    sizes = [sets.predict(score, coverage).sum() for coverage in (0.5, 0.8, 0.99)]
    assert sizes == sorted(sizes)


def test_more_than_the_positives_allow_leaves_malignant_in_every_set():
    y = np.arange(100) < 5
    sets = ConformalSets().fit(y, np.where(y, 0.9, 0.1))
    assert sets.predict([0.0, 0.5, 1.0], coverage=0.9)[:, 1].all()
    assert not sets.predict([0.0], coverage=0.8)[0, 1]


def test_a_coverage_of_one_is_refused():
    sets = ConformalSets().fit([0, 1], [0.2, 0.8])
    with pytest.raises(ValueError, match="coverage"):
        sets.predict([0.5], coverage=1.0)


def test_sets_contain_both_labels_exactly_above_the_confidence():
    rng = np.random.default_rng(0)
    y = np.arange(103) % 4 == 0
    score = np.round(np.clip(0.3 + 0.3 * y + rng.normal(0, 0.2, 103), 0, 1), 2)
    sets = ConformalSets().fit(y, score)
    grid = np.linspace(0, 1, 101)
    confidence = sets.confidence(grid)
    for coverage in (0.5, 0.75, 0.9, 0.95, 0.99):
        both = sets.predict(grid, coverage).all(axis=1)
        assert (both == (confidence < coverage)).all()
