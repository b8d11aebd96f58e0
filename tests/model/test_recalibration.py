"""Recalibration of a classifier on lesions of another site."""

from __future__ import annotations

import copy
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from hybridlesion.exceptions import OptionError, TableError
from hybridlesion.metrics import cost_threshold, roc_auc, wilson
from hybridlesion.model import (
    HybridLesionClassifier,
    ScoreCalibrator,
    malignant_for_width,
    recalibrate,
)
from hybridlesion.model.recalibration import (
    METHODS,
    Recalibration,
    choose_map,
    fit_map,
    sensitivity_threshold,
)


def _lesions(n, seed=0, *, shift=0.0, slope=1.0, prevalence=0.25):
    """Truth, and logits that are calibrated after ``shift + slope * z``."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) < round(prevalence * n)
    distance = 2.0
    # Log odds of two normal distributions of the same width.
    x = rng.normal(distance * y, 1)
    truth = distance * x - distance**2 / 2 + logit(prevalence)
    return y, (truth - shift) / slope


def _table(y, seed):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {"abcd__size": rng.normal(1.5 * y, 1), "meta__age": 50 + rng.normal(10 * y, 12)}
    )


@pytest.fixture(scope="module")
def model():
    y = np.arange(150) % 3 == 0
    return HybridLesionClassifier(n_splits=3, max_trees=30).fit(_table(y, 0), y)


@pytest.fixture(scope="module")
def site(model):
    """Truth, table and original scores of another site, where lesions are smaller."""
    y = np.arange(120) % 5 == 0
    table = _table(y, 1)
    table["abcd__size"] -= 1.5
    return y, table, model.original_score(table)


@pytest.fixture(scope="module")
def moved(model, site):
    y, _, score = site
    return recalibrate(model, score, y)


def test_the_intercept_gives_the_observed_share():
    y, z = _lesions(200, shift=1.5)
    assert np.isclose(fit_map("intercept", z, y).predict(z).mean(), y.mean())
    np.testing.assert_allclose(fit_map("none", z, y).predict(z), expit(z))


def test_the_slope_is_that_of_the_calibrator():
    y, z = _lesions(200, slope=2)
    np.testing.assert_array_equal(
        fit_map("slope", z, y).coef_, ScoreCalibrator("platt").fit(z, y).coef_
    )


@pytest.mark.parametrize(
    ("site", "chosen"),
    [({"shift": -1.5}, {"intercept"}), ({"slope": 4.0}, {"slope", "beta"})],
)
def test_the_map_that_the_site_needs_is_chosen(site, chosen):
    y, z = _lesions(400, **site)
    method, log_loss = choose_map(z, y, np.arange(400))
    assert method in chosen
    assert list(log_loss) == list(METHODS)
    assert log_loss[method] < log_loss["none"]


def test_scores_that_say_nothing_keep_their_ranking():
    y, _ = _lesions(200)
    z = np.random.default_rng(3).normal(0, 3, 200)
    method, log_loss = choose_map(z, y, np.arange(200))
    assert log_loss["slope"] < log_loss["intercept"]
    p = fit_map(method, z, y).predict(np.sort(z))
    assert (np.diff(p) > 0).all()


def test_lesions_of_a_patient_are_held_out_together():
    y, z = _lesions(100)
    pairs = np.repeat(np.arange(100), 2)
    twice = choose_map(np.repeat(z, 2), np.repeat(y, 2), pairs)[1]
    apart = choose_map(np.repeat(z, 2), np.repeat(y, 2), np.arange(200))[1]
    # The step function learns a lesion by heart that also stands in the training part.
    assert apart["isotonic"] < twice["isotonic"]


@pytest.mark.parametrize("at", [0.8, 0.9, 0.95])
def test_new_lesions_reach_the_sensitivity_on_average(at):
    truth, z = _lesions(20_000, seed=1)
    rng, reached = np.random.default_rng(0), []
    for _ in range(60):
        rows = rng.choice(len(z), 80, replace=False)
        reached.append(np.mean(z[truth] >= sensitivity_threshold(z[rows], truth[rows], at)))
    assert -0.03 < np.mean(reached) - at < 0.04


def test_thresholds_fall_with_the_sensitivity():
    y, z = _lesions(60)
    cuts = [sensitivity_threshold(z, y, at) for at in (0.1, 0.5, 0.8, 0.9, 0.95, 1.0)]
    assert (np.diff(cuts) <= 0).all()
    assert cuts[-1] >= z.min()


@pytest.mark.parametrize(("width", "sensitivity"), [(0.2, 0.9), (0.1, 0.8), (0.3, 1.0)])
def test_number_of_malignant_lesions(width, sensitivity):
    number = malignant_for_width(width, sensitivity=sensitivity)
    widths = [np.subtract(*wilson(sensitivity, n, 1.959964)[::-1]) for n in (number - 1, number)]
    assert widths[1] <= width < widths[0]


@pytest.mark.parametrize(
    "options", [{"width": 0}, {"width": 2}, {"sensitivity": 1.2}, {"confidence": 1}]
)
def test_impossible_widths(options):
    with pytest.raises(OptionError, match=next(iter(options))):
        malignant_for_width(**{"width": 0.2, **options})


def test_ranking_is_kept_and_calibration_improves(model, moved, site):
    y, table, score = site
    new = moved.predict_proba(table)[:, 1]
    assert roc_auc(y, new) == roc_auc(y, score)
    np.testing.assert_array_equal(np.argsort(new, kind="stable"), np.argsort(score, kind="stable"))
    assert abs(new.mean() - y.mean()) < 0.01 < abs(score.mean() - y.mean())
    assert np.isclose(moved.recalibration_.prevalence, new.mean())
    np.testing.assert_allclose(moved.predict_proba(table).sum(axis=1), 1)


def test_thresholds_move_with_the_scores(model, moved, site):
    y, table, _ = site
    assert moved.threshold_ == moved.thresholds_[0.9]
    found = (moved.predict(table)[y] == 1).mean()
    assert 0.8 <= found <= 1
    assert (model.predict(table)[y] == 1).mean() < found
    assert moved.thresholds_[0.95] <= moved.thresholds_[0.9] <= moved.thresholds_[0.8]
    for one in moved.threshold_intervals_.values():
        assert one.low <= one.value <= one.high


def test_the_original_is_untouched(model, site):
    y, table, score = site
    before = copy.deepcopy(vars(model))
    recalibrate(model, score, y)
    assert vars(model).keys() == before.keys()
    assert model.recalibration_ is None
    assert model.threshold_ == before["threshold_"]
    assert model.threshold_intervals_ == before["threshold_intervals_"]
    np.testing.assert_array_equal(model.predict_proba(table)[:, 1], score)


def test_a_second_recalibration_starts_from_the_original(model, moved, site):
    y, table, score = site
    np.testing.assert_array_equal(moved.original_score(table), score)
    rows = np.arange(len(y)) < 90
    direct, again = (recalibrate(one, score[rows], y[rows]) for one in (model, moved))
    assert again.recalibration_.threshold == model.threshold_
    assert again.threshold_ == direct.threshold_ != moved.threshold_
    np.testing.assert_array_equal(again.predict_proba(table), direct.predict_proba(table))


def test_a_new_fit_forgets_the_recalibration(moved, site):
    y, table, _ = site
    again = copy.copy(moved).fit(table, y)
    assert again.recalibration_ is None
    assert moved.recalibration_ is not None


def test_contributions_sum_to_the_recalibrated_score(moved, site):
    _, table, _ = site
    found = moved.contributions(table).sum(axis=1).to_numpy()
    np.testing.assert_allclose(found, moved.predict_proba(table)[:, 1], atol=1e-9)


def test_sets_hold_the_truth_of_the_site(model, moved, site):
    y, table, _ = site
    inside = moved.predict_set(table, coverage=0.9)[np.arange(len(y)), y.astype(int)]
    assert inside[y].mean() >= 0.9
    assert inside[~y].mean() >= 0.9
    former = model.predict_set(table, coverage=0.9)[np.arange(len(y)), y.astype(int)]
    assert former[y].mean() < 0.9


@pytest.mark.parametrize("method", METHODS)
def test_missing_and_extreme_scores(method, moved):
    y, z = _lesions(100)
    changed = {**vars(moved.recalibration_), "calibrator": fit_map(method, z, y)}
    found = Recalibration(**changed).predict([np.nan, 0.0, 1e-9, 0.5, 1.0])
    assert np.isnan(found[0])
    assert (np.diff(found[1:]) >= 0).all()
    assert found[1] >= 0
    assert found[-1] <= 1
    assert len(Recalibration(**changed).predict([])) == 0


def test_rules_of_the_threshold(model, site):
    y, _, score = site
    expected = {"cost_ratio": (9, cost_threshold(9)), "threshold": (0.3, 0.3)}
    for name, (value, threshold) in expected.items():
        one = copy.copy(model).set_params(**{name: value})
        one.threshold_ = threshold
        assert recalibrate(one, score, y).threshold_ == threshold
    one = copy.copy(model).set_params(threshold="youden")
    new = recalibrate(one, score, y)
    assert new.threshold_ in new.recalibration_.predict(score)
    assert new.threshold_ != model.threshold_


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (slice(0, 15), "got 15 lesions, 3 of them malignant"),
        (slice(0, 20), "got 20 lesions, 4 of them malignant; 4 patients have malignant lesions"),
    ],
)
def test_too_few_lesions(model, site, rows, words):
    y, _, score = site
    with pytest.raises(TableError, match=words) as error:
        recalibrate(model, score[rows], y[rows])
    assert "at least 20 lesions, malignant ones of 5 patients" in str(error.value)
    assert "Add lesions of known diagnosis" in str(error.value)


def test_malignant_lesions_of_few_patients(model, site):
    y, _, score = site
    groups = np.where(y, 0, np.arange(len(y)))
    with pytest.raises(TableError, match="24 of them malignant; 1 patients have malignant"):
        recalibrate(model, score, y, groups=groups)


def test_few_lesions_are_warned_of(model, site):
    y, _, score = site
    with pytest.warns(UserWarning, match="recalibration is unreliable: got 40 lesions, 8 of them"):
        recalibrate(model, score[:40], y[:40])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        recalibrate(model, score[:60], y[:60])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda y, s: (np.ones_like(y), s), "both classes"),
        (lambda y, s: (y, logit(s)), "between 0 and 1, got -.* not logits"),
        (lambda y, s: (y, np.where(y, np.nan, s)), "missing"),
        (lambda y, s: (y[:-1], s), "same length"),
    ],
)
def test_wrong_lesions(model, site, change, words):
    y, _, score = site
    truth, given = change(y, score)
    with pytest.raises(ValueError, match=words):
        recalibrate(model, given, truth)


def test_wrong_groups_and_wrong_models(model, site):
    y, _, score = site
    with pytest.raises(ValueError, match=r"one value per lesion, got shape \(3,\)"):
        recalibrate(model, score, y, groups=[1, 2, 3])
    with pytest.raises(OptionError, match="needs a HybridLesionClassifier, got a ScoreCalibrator"):
        recalibrate(ScoreCalibrator(), score, y)
