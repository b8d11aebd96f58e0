"""Vectorised resamples equal resampled rows; patients widen intervals; speed holds."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn import metrics

from hybridlesion.evaluation import (
    bootstrap_interval,
    brier_score,
    calibration_error,
    calibration_slope,
    evaluate,
    interval_caveats,
    paired_bootstrap,
    partial_auc,
    specificity_at_sensitivity,
)
from hybridlesion.evaluation._ranking import Ranking
from hybridlesion.evaluation._reliability import Reliability
from hybridlesion.evaluation._resamples import draw_multiplicities


def _patients(seed=0, n=800, n_patients=60, decimals=None):
    rng = np.random.default_rng(seed)
    patient = rng.integers(n_patients, size=n)
    x = rng.normal(-2, 1, n) + rng.normal(0, 1, n_patients)[patient]
    score = expit(x) if decimals is None else expit(x).round(decimals)
    return (rng.random(n) < expit(x)).astype(int), score, patient


@pytest.mark.parametrize("decimals", [None, 1])
def test_weighted_measures_equal_those_of_repeated_rows(decimals):
    y, score, patient = _patients(decimals=decimals)
    counts = next(draw_multiplicities(60, 5, 0))
    values = Ranking(y.astype(bool), score, patient)(counts)
    for b in range(5):
        rows = np.repeat(np.arange(len(y)), counts[patient, b].astype(int))
        expected = {
            "auc": metrics.roc_auc_score(y[rows], score[rows]),
            "average_precision": metrics.average_precision_score(y[rows], score[rows]),
            "pauc": partial_auc(y[rows], score[rows]),
            "specificity_at_90_sensitivity": specificity_at_sensitivity(y[rows], score[rows], 0.9),
        }
        assert {name: values[name][b] for name in expected} == pytest.approx(expected)


def test_weighted_calibration_equals_that_of_repeated_rows():
    y, score, patient = _patients(decimals=2)
    counts = next(draw_multiplicities(60, 3, 1))
    slopes = Reliability(y.astype(bool), score, patient)(counts)["calibration_slope"]
    for b in range(3):
        rows = np.repeat(np.arange(len(y)), counts[patient, b].astype(int))
        assert slopes[b] == pytest.approx(calibration_slope(y[rows], score[rows]), abs=1e-5)


def test_evaluate_gives_every_figure():
    y, score, patient = _patients()
    table = evaluate(y, score, groups=patient, threshold=0.3, n_bootstrap=200)
    value = table.set_index("metric")["value"]
    called = score >= 0.3
    assert value["auc"] == pytest.approx(metrics.roc_auc_score(y, score))
    assert value["accuracy"] == pytest.approx(metrics.accuracy_score(y, called))
    assert value["precision"] == pytest.approx(metrics.precision_score(y, called))
    assert value["recall"] == pytest.approx(metrics.recall_score(y, called))
    assert value["specificity"] == pytest.approx(metrics.recall_score(1 - y, ~called))
    assert value["f1"] == pytest.approx(metrics.f1_score(y, called))
    assert value["brier"] == pytest.approx(brier_score(y, score))
    assert value["calibration_error"] == pytest.approx(calibration_error(y, score))
    assert value["prevalence"] == pytest.approx(y.mean())
    assert value[["threshold", "n", "n_positive", "n_groups"]].tolist() == [0.3, 800, y.sum(), 60]
    bounded = table[table["low"].notna()]
    assert len(bounded) == 17
    assert (bounded["low"] <= bounded["high"]).all()
    assert bounded["value"].between(bounded["low"], bounded["high"]).all()


def test_evaluate_of_scores_that_are_no_probabilities_leaves_calibration_empty():
    y, score, _ = _patients()
    value = evaluate(y, score * 10, n_bootstrap=0).set_index("metric")["value"]
    assert value[["brier", "calibration_slope", "calibration_error"]].isna().all()
    assert value["auc"] == pytest.approx(metrics.roc_auc_score(y, score))


@pytest.mark.parametrize("shift", [0.0, 0.7])
def test_interval_of_the_calibration_error_holds_value_and_truth(shift):
    """Percentiles of the resamples would miss a truth of zero in all of these draws."""
    rng = np.random.default_rng(0)
    held, widths = 0, []
    for _ in range(60):
        group = rng.integers(0, 150, 600)
        # Some patients are alike; a resample of rows would be too sure.
        logit = rng.normal(-1.5, 1, 600) + rng.normal(0, 0.5, 150)[group]
        truth = 1 / (1 + np.exp(-logit))
        score = 1 / (1 + np.exp(-logit - shift))
        y = rng.uniform(size=600) < truth
        found = bootstrap_interval(y, score, "calibration_error", groups=group, n_bootstrap=200)
        bins = np.argsort(np.argsort(score)) // 60
        gap = np.abs(np.bincount(bins, score - truth)).sum() / 600
        assert 0 <= found.low <= found.value <= found.high
        held += found.low <= gap <= found.high
        widths.append(found.high - found.low)
    # 95 % or more in the long run (0.96 to 1.00 of 200 draws each); chance allows a few less of 60.
    assert held >= 54
    assert np.median(widths) < 0.2


def test_difference_of_calibration_errors_has_an_interval_of_its_own():
    y, score, patient = _patients()
    found = paired_bootstrap(
        y, score, score**3, "calibration_error", groups=patient, n_bootstrap=200
    )
    expected = calibration_error(y, score**3) - calibration_error(y, score)
    assert found.difference == pytest.approx(expected)
    assert found.low < found.difference < found.high
    assert np.isnan(found.p_value)


@pytest.mark.parametrize(("n_groups", "n_positive"), [(19, 10), (20, 9)])
def test_few_groups_or_positives_are_told(n_groups, n_positive):
    def caveats(groups, positives):
        y, group = np.arange(100) < positives, np.arange(100) % groups
        score = np.linspace(0, 1, 100)
        return interval_caveats(evaluate(y, score, groups=group, n_bootstrap=10))

    assert caveats(20, 10) == ()
    (note,) = caveats(n_groups, n_positive)
    assert f"{n_positive} positives in {n_groups} groups" in note


def test_patients_widen_the_interval():
    y, score, patient = _patients(n=3000, n_patients=20)
    rows = bootstrap_interval(y, score, "brier", n_bootstrap=300)
    whole = bootstrap_interval(y, score, "brier", groups=patient, n_bootstrap=300)
    assert rows.value == pytest.approx(whole.value)
    assert whole.high - whole.low > 1.5 * (rows.high - rows.low)


def test_interval_covers_the_truth_about_as_often_as_it_says():
    truth, hits = 0.5, 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        interval = bootstrap_interval(np.arange(200) % 4 == 0, rng.random(200), n_bootstrap=200)
        hits += interval.low <= truth <= interval.high
    assert 50 <= hits <= 60


def test_resamples_without_positives_are_passed_over():
    interval = bootstrap_interval([1, 0, 0, 0], [0.9, 0.1, 0.2, 0.3], n_bootstrap=100)
    assert (interval.value, interval.low, interval.high) == (1, 1, 1)


def test_paired_bootstrap_finds_a_better_score_and_no_difference_to_itself():
    y, score, patient = _patients(n=2000)
    noisy = score + np.random.default_rng(5).normal(0, 0.3, 2000)
    better = paired_bootstrap(y, noisy, score, groups=patient, n_bootstrap=400)
    assert better.difference == pytest.approx(better.value_b - better.value_a)
    assert better.low > 0
    assert better.p_value < 0.02
    same = paired_bootstrap(y, score, score, groups=patient, n_bootstrap=100)
    assert (same.difference, same.low, same.high, same.p_value) == (0, 0, 0, 1)


def test_same_seed_same_interval():
    y, score, patient = _patients()
    options = {"groups": patient, "n_bootstrap": 50, "threshold": 0.4}
    first = evaluate(y, score, random_state=3, **options)
    pd.testing.assert_frame_equal(first, evaluate(y, score, random_state=3, **options))
    assert not first.equals(evaluate(y, score, random_state=4, **options))


def test_unknown_metric_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match="Did you mean 'pauc'"):
        bootstrap_interval([0, 1], [0, 1], "paucc")


def test_groups_of_another_length_are_refused():
    with pytest.raises(ValueError, match="got 1 for 2 rows"):
        evaluate([0, 1], [0, 1], groups=["a"])


def test_two_thousand_resamples_of_a_large_table_take_seconds():
    rng = np.random.default_rng(0)
    n = 33_126
    patient, x = rng.integers(2000, size=n), rng.normal(-4.5, 1, n)
    y = rng.random(n) < expit(x)
    start = time.perf_counter()
    evaluate(y, expit(x), groups=patient, n_bootstrap=2000)
    assert time.perf_counter() - start < 10
