"""Random-effects summaries over sources, against published and hand-made numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit
from scipy.stats import t

from hybridlesion.exceptions import OptionError, TableError
from hybridlesion.metrics import (
    describe_sources,
    evaluate_subgroups,
    random_effects,
    summarize_sources,
)

# Thirteen trials of the BCG vaccine (Colditz et al., JAMA 271, 1994): cases and others among
# vaccinated, then among unvaccinated people.
_BCG = """
4 119 11 128; 6 300 29 274; 3 228 11 209; 62 13536 248 12619; 33 5036 47 5761; 180 1361 372 1079;
8 2537 10 619; 505 87886 499 87892; 29 7470 45 7232; 17 1699 65 1600; 186 50448 141 27197;
5 2493 3 2338; 27 16886 29 17825
"""


@pytest.fixture
def trials():
    a, b, c, d = np.array([row.split() for row in _BCG.split(";")], dtype=float).T
    variance = 1 / a - 1 / (a + b) + 1 / c - 1 / (c + d)
    return np.log(a / (a + b) / (c / (c + d))), np.sqrt(variance)


def _rows(auc, **columns):
    auc = np.asarray(auc)
    ends = {"auc_low": expit(logit(auc) - 0.4), "auc_high": expit(logit(auc) + 0.4)}
    return pd.DataFrame({"n": 200, "auc": auc} | ends | columns)


def test_published_estimates_of_the_vaccine_trials(trials):
    found = random_effects(*trials)
    # Restricted likelihood with the interval of Hartung and Knapp, as in the literature.
    assert found.value == pytest.approx(-0.7145, abs=5e-5)
    assert found.spread**2 == pytest.approx(0.3132, abs=5e-5)
    assert (found.low, found.high) == pytest.approx((-1.1084, -0.3206), abs=5e-5)


def test_the_prediction_interval_adds_the_variance_between_sources(trials):
    found = random_effects(*trials)
    error = (found.high - found.low) / (2 * t.ppf(0.975, 12))
    reach = t.ppf(0.975, 11) * np.hypot(error, found.spread)
    assert (found.new_low, found.new_high) == pytest.approx(
        (found.value - reach, found.value + reach)
    )


def test_sources_that_agree_by_chance_do_not_narrow_the_interval():
    found = random_effects([1.0, 1.0, 1.0, 1.0], [0.2] * 4)
    assert found.spread == 0
    assert found.high - 1 == pytest.approx(t.ppf(0.975, 3) * 0.1)
    assert found.new_high - 1 == pytest.approx(t.ppf(0.975, 2) * 0.1)


@pytest.mark.parametrize(
    ("n", "known"), [(1, (False, False)), (2, (True, False)), (3, (True,) * 2)]
)
def test_intervals_need_enough_sources(n, known):
    found = random_effects([0.1, 0.2, 0.4][:n], [0.1] * n)
    assert (np.isfinite(found.high), np.isfinite(found.new_high)) == known


def test_nine_in_ten_new_sources_lie_in_a_prediction_interval_of_90_percent(rng):
    inside = []
    for _ in range(400):
        truth = rng.normal(1, 0.5, 9)
        values = truth[:8] + rng.normal(0, 0.2, 8)
        found = random_effects(values, [0.2] * 8, confidence=0.9)
        inside.append(found.new_low <= truth[8] <= found.new_high)
    assert np.mean(inside) == pytest.approx(0.9, abs=0.04)


@pytest.mark.parametrize(
    ("values", "errors", "reason"),
    [
        ([], [], "equal length"),
        ([1.0], [0.1, 0.2], "equal length"),
        ([1.0, np.nan], [0.1, 0.2], "Leave out sources"),
        ([1.0, 2.0], [0.1, 0.0], "errors above 0"),
    ],
)
def test_unusable_estimates_are_refused(values, errors, reason):
    with pytest.raises(OptionError, match=reason):
        random_effects(values, errors)


def test_an_auc_is_averaged_as_logit_and_stays_below_one():
    found = summarize_sources(_rows([0.8, 0.9, 0.95])).set_index("metric").loc["auc"]
    assert found["n_sources"] == 3
    assert found["value"] == pytest.approx(expit(logit([0.8, 0.9, 0.95]).mean()), abs=1e-6)
    assert 0 < found["new_low"] < found["low"] < found["value"] < found["high"] < 1
    assert found["new_high"] < 1


def test_sources_without_a_value_are_left_out_and_shares_of_one_are_kept():
    table = _rows([0.8, 0.9, np.nan, 0.85])
    table = table.assign(sensitivity=[1.0, 0.9, 0.8, 0.85])
    table["sensitivity_low"], table["sensitivity_high"] = table["sensitivity"] - 0.1, 1.0
    found = summarize_sources(table).set_index("metric")
    assert found["n_sources"].to_dict() == {"auc": 3, "sensitivity": 4}
    assert 0.8 < found.loc["sensitivity", "value"] < 1


def test_a_table_without_metrics_is_refused():
    with pytest.raises(TableError, match=r"none of the metrics auc, .*found n, auc\."):
        summarize_sources(pd.DataFrame({"n": [3], "auc": [0.9]}))


def test_words_name_the_new_source_or_what_is_missing():
    (few,) = describe_sources(summarize_sources(_rows([0.8, 0.9])))
    assert few == "2 sources: a prediction for a new source needs at least 3."
    expect, wide = describe_sources(summarize_sources(_rows([0.8, 0.9, 0.85])))
    assert expect.startswith("At a new source, expect an AUC of 0.")
    assert wide == "For AUC, the interval is too wide to be of use: add sources."


def test_each_row_may_have_its_own_threshold(rng):
    y, score = np.tile([0, 0, 1, 1], 50), rng.random(200)
    sites = pd.DataFrame({"source": np.repeat(["a", "b"], 100)})
    own = np.repeat([0.2, 0.7], 100)
    table = evaluate_subgroups(y, score, sites, threshold=own, n_bootstrap=0)
    by_source = table.set_index("group")
    for name, cut, rows in (("a", 0.2, slice(0, 100)), ("b", 0.7, slice(100, 200))):
        called = score[rows] >= cut
        assert by_source.loc[name, "sensitivity"] == called[y[rows] == 1].mean()
        assert by_source.loc[name, "specificity"] == 1 - called[y[rows] == 0].mean()
    assert np.isfinite(by_source["calibration_slope"]).all()
