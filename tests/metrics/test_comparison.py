"""Two scores on the same patients, against paired tests."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import ttest_rel

from hybridlesion.metrics import compare_scores, evaluate, paired_bootstrap


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
