"""Calibrators on scores whose true probabilities are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from hybridlesion.evaluation import calibration_error, calibration_slope
from hybridlesion.model import ScoreCalibrator


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
