"""Metrics of groups of rows, and bands of numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from hybridlesion.exceptions import OptionError, TableError
from hybridlesion.metrics import BANDS, band, bootstrap_interval, evaluate, evaluate_subgroups


@pytest.fixture
def cases(rng):
    n = 1500
    patient = rng.integers(100, size=n)
    x = rng.normal(-2, 1.2, n)
    attributes = pd.DataFrame(
        {
            "age": band(rng.uniform(10, 90, n), "age"),
            "sex": np.where(rng.random(n) < 0.4, "male", "female"),
            "site": np.where(np.arange(n) < 6, "palms/soles", "torso"),
        }
    )
    attributes.loc[:99, "sex"] = None
    return (rng.random(n) < expit(x)).astype(int), expit(x), patient, attributes


def _table(cases, **options):
    y, score, patient, attributes = cases
    options = {"threshold": 0.2, "groups": patient, "n_bootstrap": 60} | options
    return evaluate_subgroups(y, score, attributes, **options)


def test_each_group_gets_the_figures_of_its_rows_alone(cases):
    y, score, patient, attributes = cases
    table = _table(cases)
    inside = (attributes["sex"] == "male").to_numpy()
    alone = evaluate(
        y[inside], score[inside], groups=patient[inside], threshold=0.2, n_bootstrap=60
    ).set_index("metric")
    row = table.query("attribute == 'sex' and group == 'male'").iloc[0]
    names = {"sensitivity": "recall"}
    for column in ("auc", "sensitivity", "specificity", "calibration_in_the_large"):
        expected = alone.loc[names.get(column, column)]
        assert row[column] == pytest.approx(expected["value"])
        assert row[f"{column}_low"] == pytest.approx(expected["low"])
        assert row[f"{column}_high"] == pytest.approx(expected["high"])
    counts = alone.loc[["n", "n_positive", "n_groups"], "value"].tolist()
    assert row[["n", "n_malignant", "n_groups"]].tolist() == counts


def test_the_first_row_holds_all(cases):
    y, score, patient, _ = cases
    first = _table(cases).iloc[0]
    assert first[["attribute", "group", "n"]].tolist() == ["all", "all", 1500]
    auc = bootstrap_interval(y, score, groups=patient, n_bootstrap=60)
    assert first[["auc", "auc_low", "auc_high"]].tolist() == pytest.approx(
        [auc.value, auc.low, auc.high]
    )


def test_groups_come_in_order_and_hold_every_row_once(cases):
    table = _table(cases)
    ages = table.loc[table["attribute"] == "age", "group"].tolist()
    assert ages == ["under 30", "30 to 44", "45 to 59", "60 to 74", "75 and over"]
    assert table.loc[table["attribute"] == "sex", "group"].tolist() == ["female", "male", "unknown"]
    assert table.groupby("attribute")["n"].sum().tolist() == [1500] * 4


def test_cells_without_rows_enough_are_empty_and_say_so(cases):
    y, score, patient, attributes = cases
    y[:6] = [1, 1, 0, 0, 0, 0]
    row = _table((y, score, patient, attributes)).query("group == 'palms/soles'").iloc[0]
    assert row["note"] == "2 malignant, 4 benign: too few"
    assert row[["auc", "sensitivity", "specificity", "calibration_in_the_large"]].isna().all()
    row = _table((y, score, patient, attributes), fewest=3).query("group == 'palms/soles'").iloc[0]
    assert row[["auc", "sensitivity"]].isna().all()
    assert 0 <= row["specificity_low"] <= row["specificity"] <= row["specificity_high"] <= 1


def test_a_group_of_one_class_keeps_what_it_can_have(cases):
    y, score, patient, attributes = cases
    attributes["clinic"] = np.where(y == 0, "benign only", "malignant only")
    table = _table((y, score, patient, attributes)).set_index("group")
    assert table.loc["benign only", ["auc", "sensitivity"]].isna().all()
    assert table.loc["benign only", "specificity"] == pytest.approx((score[y == 0] < 0.2).mean())
    assert table.loc["malignant only", "sensitivity"] == pytest.approx(
        (score[y == 1] >= 0.2).mean()
    )


def test_an_unequal_score_shows(cases):
    y, score, patient, attributes = cases
    male = (attributes["sex"] == "male").to_numpy()
    blind = np.where(male, 0.3, score)
    table = _table((y, blind, patient, attributes)).query("attribute == 'sex'").set_index("group")
    assert table.loc["male", "auc"] == 0.5
    assert table.loc["male", "sensitivity"] == 1
    assert table.loc["female", "auc_low"] > 0.6


def test_attributes_of_other_rows_are_refused(cases):
    y, score, patient, attributes = cases
    with pytest.raises(TableError, match="one row for each score, got 3 for 1500"):
        _table((y, score, patient, attributes.head(3)))


@pytest.mark.parametrize("kind", sorted(BANDS))
def test_an_end_belongs_to_the_upper_band(kind):
    ends, names = BANDS[kind]
    assert len(names) == len(ends) + 1
    assert band(list(ends), kind).tolist() == list(names[1:])
    below = [np.nextafter(end, -np.inf) for end in ends]
    assert band(below, kind).tolist() == list(names[:-1])


def test_bands_are_ordered_and_missing_values_stay_missing():
    found = band(pd.Series([80, None, 20, "x"]), "age")
    assert found.cat.ordered
    assert found.isna().tolist() == [False, True, False, True]
    assert found.min() == "under 30"


def test_an_unknown_kind_of_band_is_refused():
    with pytest.raises(OptionError, match="Did you mean 'skin_tone'"):
        band([1], "skin_tones")
