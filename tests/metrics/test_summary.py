"""Metrics with intervals over patients, and the comparison of two scores."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit, ndtr, ndtri
from scipy.stats import binomtest, ttest_rel
from sklearn import metrics
from sklearn.linear_model import LogisticRegression

from hybridlesion.metrics import (
    METRICS,
    bootstrap_interval,
    brier_score,
    calibration_error,
    compare_scores,
    evaluate,
    interval_caveats,
    paired_bootstrap,
    threshold_interval,
)
from hybridlesion.metrics._resampling import draw_weights
from hybridlesion.metrics.calibration import Reliability
from hybridlesion.metrics.discrimination import Ranking

SPECIFICITIES = [f"specificity_at_{at}_sensitivity" for at in (80, 90, 95)]


def _patients(seed=0, n=800, n_patients=60, decimals=None):
    rng = np.random.default_rng(seed)
    patient = rng.integers(n_patients, size=n)
    x = rng.normal(-2, 1, n) + rng.normal(0, 1, n_patients)[patient]
    score = expit(x) if decimals is None else expit(x).round(decimals)
    return (rng.random(n) < expit(x)).astype(int), score, patient


@pytest.mark.parametrize("decimals", [None, 1])
def test_weighted_ranking_is_that_of_scikit_learn(decimals):
    y, score, patient = _patients(decimals=decimals)
    weights = next(draw_weights(60, 5, 0))[:-1]
    values = Ranking(y.astype(bool), score, patient).measure(weights)
    for b in range(5):
        row = weights[patient, b]
        auc = metrics.roc_auc_score(y, score, sample_weight=row)
        precision = metrics.average_precision_score(y, score, sample_weight=row)
        false, recall, _ = metrics.roc_curve(y, score, sample_weight=row, drop_intermediate=False)
        assert values["auc"][b] == pytest.approx(auc)
        assert values["average_precision"][b] == pytest.approx(precision)
        specificity = (1 - false[recall >= 0.9]).max()
        assert values["specificity_at_90_sensitivity"][b] == pytest.approx(specificity)


@pytest.mark.parametrize("decimals", [None, 1])
def test_drawn_curves_scatter_about_the_curve(decimals):
    """Ties, here of a tenth of the rows, must not bend the curve."""
    y, score, _ = _patients(n=4000, decimals=decimals)
    ranking = Ranking(y.astype(bool), score, np.arange(4000))
    values, draws = ranking.values(), ranking.draws(next(draw_weights(4000, 200, 0)))
    for name in ("auc", "pauc", "average_precision"):
        assert draws[name].mean() == pytest.approx(values[name], abs=0.003)


def test_drawn_slopes_have_the_sandwich_variance():
    y, score, patient = _patients(n=3000)
    found = Reliability(y.astype(bool), score, patient)
    draws = found.draws(next(draw_weights(60, 4000, 0)))["calibration_slope"]
    x = np.c_[np.ones(3000), logit(score)]
    model = LogisticRegression(C=np.inf, tol=1e-9).fit(x[:, 1:], y)
    p = model.predict_proba(x[:, 1:])[:, 1]
    bread = np.linalg.inv((x * (p * (1 - p))[:, None]).T @ x)
    sums = np.zeros((60, 2))
    np.add.at(sums, patient, x * (y - p)[:, None])
    assert draws.std() == pytest.approx(np.sqrt((bread @ sums.T @ sums @ bread)[1, 1]), rel=0.05)


@pytest.mark.parametrize(("hits", "n"), [(13, 13), (10, 13), (0, 20), (90, 100), (300, 400)])
def test_sensitivity_of_single_rows_has_wilsons_interval(hits, n):
    y = np.arange(2 * n) < n
    score = np.where(np.arange(2 * n) < hits, 0.9, 0.1)
    score[-3:] = 0.8
    row = evaluate(y, score, threshold=0.5, n_bootstrap=4000).set_index("metric").loc["recall"]
    expected = binomtest(hits, n).proportion_ci(method="wilson")
    assert row[["low", "high"]].tolist() == pytest.approx([*expected], abs=0.015)


def test_patients_alike_count_once():
    """Twenty patients with five lesions each, all found or none: as twenty lesions."""
    y = np.tile(np.arange(10) < 5, 20)
    score = np.where(np.repeat(np.arange(20) < 15, 10) & y, 0.9, 0.1)
    options = {"groups": np.repeat(np.arange(20), 10), "threshold": 0.5, "n_bootstrap": 4000}
    row = evaluate(y, score, **options).set_index("metric").loc["recall"]
    expected = binomtest(15, 20).proportion_ci(method="wilson")
    assert row[["low", "high"]].tolist() == pytest.approx([*expected], abs=0.03)
    score[y] = 0.9
    row = evaluate(y, score, **options).set_index("metric").loc["recall"]
    expected = binomtest(20, 20).proportion_ci(method="wilson")
    assert row["low"] == pytest.approx(expected.low, abs=0.03)


@pytest.mark.parametrize("metric", METRICS)
def test_intervals_hold_the_value_and_narrow_with_the_number(metric):
    widths = []
    for n in (200, 800, 3200):
        y, score, patient = _patients(seed=2, n=n, n_patients=n // 4)
        found = bootstrap_interval(y, score, metric, groups=patient, n_bootstrap=400)
        assert found.low <= found.value <= found.high
        if metric != "calibration_slope":
            assert found.low >= 0
        if not metric.startswith("calibration"):
            assert found.high <= 1
        widths.append(found.high - found.low)
    assert widths[0] > widths[1] > widths[2] > 0


@pytest.mark.parametrize("n_positive", [1, 2, 5, 13])
def test_perfect_scores_of_few_are_not_certain(n_positive):
    y = np.arange(100) < n_positive
    score = np.where(y, 0.9, 0.2) - np.arange(100) / 1000
    table = evaluate(y, score, threshold=0.5, n_bootstrap=500).set_index("metric")
    names = ["auc", "average_precision", "pauc", "recall", *SPECIFICITIES]
    assert table.loc[names, "high"].tolist() == pytest.approx(table.loc[names, "value"].tolist())
    lows = table.loc[names, "low"] / table.loc[names, "value"]
    assert (lows < 0.99).all()
    assert (lows >= 0).all()
    # 13 of 13 found: at least 77 %, by Wilson.
    assert lows["recall"] == pytest.approx(n_positive / (n_positive + 1.96**2), abs=0.001)
    assert table.loc["calibration_slope", ["value", "low", "high"]].isna().all()


def test_with_thirteen_positives_intervals_hold_the_truth():
    """Percentiles of resampled rows hold 88, 66, 54 and 44 % of these data sets' truths."""
    # Normal scores, benign about 0 and malignant about 1.8.
    sensitivity = np.linspace(0.8, 1, 20_001)[:-1]
    truth = {
        "auc": ndtr(1.8 / np.sqrt(2)),
        "pauc": 0.2 * ndtr(1.8 - ndtri(sensitivity)).mean(),
        "specificity_at_95_sensitivity": ndtr(1.8 - ndtri(0.95)),
    }
    held = []
    for seed in range(120):
        y = np.arange(213) < 13
        score = 1.8 * y + np.random.default_rng(seed).normal(size=213)
        found = evaluate(y, score, threshold=0, n_bootstrap=300).set_index("metric")
        held.append([found.low[name] <= value <= found.high[name] for name, value in truth.items()])
        at = threshold_interval(y, score, 0.95, n_bootstrap=300)
        held[-1].append(at.low <= 1.8 - ndtri(0.95) <= at.high)
    assert (np.mean(held, axis=0) >= 0.9).all()


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


def _caveats(n_groups, n_positive):
    y, group = np.arange(200) < n_positive, np.arange(200) % n_groups
    return interval_caveats(evaluate(y, np.linspace(1, 0, 200), groups=group, n_bootstrap=10))


def test_reversed_scores_are_told():
    y = np.arange(200) % 3 == 0
    score = np.linspace(0, 0.3, 200) + 0.4 * y
    groups = np.arange(200) // 2
    for value, notes in ((score, 0), (1 - score, 1)):
        found = interval_caveats(evaluate(y, value, groups=groups, n_bootstrap=20))
        reversals = [note for note in found if "labels reversed" in note]
        assert len(reversals) == notes


@pytest.mark.parametrize(("n_groups", "n_positive"), [(19, 80), (20, 9)])
def test_few_groups_or_positives_are_told(n_groups, n_positive):
    assert _caveats(20, 80) == ()
    assert f"{n_positive} positives in {n_groups} groups" in _caveats(n_groups, n_positive)[0]


@pytest.mark.parametrize(
    ("n_positive", "levels"), [(18, "80, 90 and 95 %"), (19, "90 and 95 %"), (79, "for 95 %")]
)
def test_lower_ends_that_no_method_gives_are_named(n_positive, levels):
    (note,) = _caveats(20, n_positive)
    assert levels in note
    assert "concave ROC curve" in note


def test_patients_widen_the_interval():
    y, score, patient = _patients(n=3000, n_patients=20)
    rows = bootstrap_interval(y, score, "brier", n_bootstrap=300)
    whole = bootstrap_interval(y, score, "brier", groups=patient, n_bootstrap=300)
    assert rows.value == pytest.approx(whole.value)
    assert whole.high - whole.low > 1.5 * (rows.high - rows.low)


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


def test_a_threshold_of_nan_is_refused():
    with pytest.raises(ValueError, match="threshold must be a number, got nan"):
        evaluate([0, 1] * 9, np.linspace(0, 1, 18), threshold=np.nan)


def test_unknown_metric_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match="Did you mean 'pauc'"):
        bootstrap_interval([0, 1], [0, 1], "paucc")


def test_groups_of_another_length_are_refused():
    with pytest.raises(ValueError, match="got 1 for 2 rows"):
        evaluate([0, 1], [0, 1], groups=["a"])


def test_two_patients_leave_everything_open():
    y = np.r_[[1] * 3, [0] * 40]
    score = np.r_[0.9, 0.8, 0.1, np.linspace(0, 0.6, 40)]
    table = evaluate(y, score, groups=y, threshold=0.5, n_bootstrap=50).set_index("metric")
    assert (table.loc[["recall", "brier", "average_precision"], "low"] < 0.01).all()
    assert (table.loc[["recall", "average_precision"], "high"] > 0.99).all()
    unknown = ["net_benefit", "calibration_slope", "calibration_in_the_large"]
    assert table.loc[unknown, ["low", "high"]].isna().all(axis=None)


def test_scores_of_zero_alone_are_measured_without_a_warning():
    table = evaluate([1, 0, 0, 0], [0.0] * 4, threshold=0.5, n_bootstrap=20).set_index("metric")
    assert table.loc["calibration_in_the_large", "value"] == np.inf
    assert table.loc["calibration_in_the_large", ["low", "high"]].isna().all()


@pytest.fixture
def cases(rng):
    patient = rng.integers(50, size=1200)
    x = rng.normal(-2, 1.5, 1200)
    y = (rng.random(1200) < expit(x)).astype(int)
    return y, expit(x), expit(x + rng.normal(0, 2, 1200)), patient


def test_values_are_those_of_each_score_alone(cases):
    y, score, against, patient = cases
    table = compare_scores(
        y, score, against, groups=patient, threshold=0.2, threshold_against=0.1, n_bootstrap=0
    ).set_index("metric")
    one = evaluate(y, score, threshold=0.2, n_bootstrap=0).set_index("metric")["value"]
    other = evaluate(y, against, threshold=0.1, n_bootstrap=0).set_index("metric")["value"]
    assert table["value"].to_dict() == pytest.approx(one[table.index].to_dict())
    assert table["against"].to_dict() == pytest.approx(other[table.index].to_dict())
    assert (table["difference"] == table["value"] - table["against"]).all()
    assert table[["low", "high", "p"]].isna().all(axis=None)


def test_brier_scores_differ_as_in_a_paired_t_test(cases):
    y, score, against, _ = cases
    row = compare_scores(y, score, against, n_bootstrap=1500).set_index("metric").loc["brier"]
    expected = ttest_rel((score - y) ** 2, (against - y) ** 2)
    bounds = expected.confidence_interval()
    width = bounds.high - bounds.low
    assert row[["low", "high"]].tolist() == pytest.approx([*bounds], abs=0.05 * width)
    near = score + 0.01 * np.random.default_rng(3).normal(size=1200)
    near = np.clip(near, 0, 1)
    p = compare_scores(y, score, near, n_bootstrap=1500).set_index("metric").loc["brier", "p"]
    assert p == pytest.approx(ttest_rel((score - y) ** 2, (near - y) ** 2).pvalue, abs=0.05)


def test_equal_scores_are_found_to_differ_as_often_as_p_says():
    """With 13 positives, in 5 % of data sets or fewer; twice that would be rare (0.1 %)."""
    p = []
    for seed in range(80):
        rng = np.random.default_rng(seed)
        y = np.arange(130) < 13
        x = 1.5 * y + rng.normal(size=130)
        scores = expit(x + 0.6 * rng.normal(size=(2, 130)))
        table = compare_scores(y, *scores, n_bootstrap=200).set_index("metric")
        p.append(table.loc[["auc", "pauc", "specificity_at_95_sensitivity", "brier"], "p"])
    assert (np.array(p) < 0.05).mean(axis=0) == pytest.approx(0.05, abs=0.07)


def test_one_positive_cannot_tell_scores_apart():
    y, score = np.arange(40) < 1, np.linspace(0.9, 0.1, 40)
    table = compare_scores(
        y, score, score[::-1], threshold=0.5, threshold_against=0.5, n_bootstrap=50
    ).set_index("metric")
    for name in ("auc", "average_precision", "pauc"):
        assert table.loc[name, ["low", "high", "p"]].isna().all()
    assert (table["low"].dropna() >= -1).all()
    assert table.loc["recall", ["low", "high", "p"]].isna().all()


def test_a_better_score_is_found_and_agrees_with_the_single_comparison(cases):
    y, score, against, patient = cases
    table = compare_scores(y, score, against, groups=patient, n_bootstrap=300).set_index("metric")
    single = paired_bootstrap(y, against, score, groups=patient, n_bootstrap=300)
    assert table.loc["auc", ["low", "high", "p"]].tolist() == pytest.approx(
        [single.low, single.high, single.p_value]
    )
    assert table.loc["auc", "low"] > 0
    assert table.loc["brier", "high"] < 0
    error = table.loc["calibration_error"]
    assert error["low"] < error["difference"] < error["high"]
    assert np.isnan(error["p"])


def test_a_score_does_not_differ_from_itself(cases):
    y, score, _, patient = cases
    table = compare_scores(y, score, score, groups=patient, n_bootstrap=50).dropna()
    assert len(table) == 15
    assert (table[["difference", "low", "high"]] == 0).all(axis=None)
    assert (table["p"] == 1).all()


def test_pairing_narrows_the_interval(cases):
    y, score, _, patient = cases
    near = np.clip(score + np.random.default_rng(1).normal(0, 0.01, 1200), 0, 1)
    table = compare_scores(y, score, near, groups=patient, n_bootstrap=200).set_index("metric")
    alone = evaluate(y, score, groups=patient, n_bootstrap=200).set_index("metric")
    width = table.loc["auc", "high"] - table.loc["auc", "low"]
    assert width < 0.3 * (alone.loc["auc", "high"] - alone.loc["auc", "low"])


def test_scores_that_are_no_probabilities_are_compared_by_rank(cases):
    y, score, against, _ = cases
    table = compare_scores(y, score, against * 7, n_bootstrap=20).set_index("metric")
    assert table.loc["auc", "p"] > 0
    assert table.loc[["brier", "calibration_slope"], "difference"].isna().all()


def test_another_length_is_refused():
    with pytest.raises(ValueError, match="same length"):
        compare_scores([0, 1], [0.1, 0.2], [0.1])
