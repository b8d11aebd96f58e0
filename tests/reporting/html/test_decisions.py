"""Tiles, thresholds and comparisons of few lesions, counted by hand."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hybridlesion.metrics import compare_scores, evaluate
from hybridlesion.reporting.html._decisions import (
    compare_rows,
    decide,
    make_tiles,
    missing_baselines,
    point_rows,
    static_values,
)
from hybridlesion.reporting.html._report_data import Comparison, Evaluation


@pytest.fixture(scope="module")
def evaluation():
    """Ten lesions of five patients, four of them malignant."""
    y = np.array([0, 0, 0, 0, 1, 0, 1, 0, 1, 1])
    score = np.linspace(0.0, 0.9, 10)
    groups = np.arange(10) // 2
    metrics = evaluate(y, score, groups=groups, threshold=0.45, n_bootstrap=50)
    return Evaluation("k", "Ten", y, score, groups, 0.45, None, metrics, "patients")


def test_tiles(evaluation):
    tiles = {tile.title: tile for tile in make_tiles(evaluation)}
    assert tiles["Sensitivity"].value == "75 %"
    assert tiles["Specificity"].value == "67 %"
    assert tiles["Lesions"].interval == "of 5 patients"
    assert tiles["Lesions"].words == "4 of them malignant (40.0 %)"


def test_the_number_of_patients_is_shown_only_if_it_is_known(evaluation):
    one_each = replace(evaluation, groups=np.arange(10))
    assert make_tiles(one_each)[-1].interval == "of 10 patients"
    for unit in ("lesions", "images", "groups"):
        assert make_tiles(replace(evaluation, unit=unit))[-1].interval == "patients unknown"


def test_decisions_are_counted_at_every_score(evaluation):
    found = decide(evaluation)
    # The threshold of the model lies between two scores.
    assert len(found.threshold) == 11
    assert found.threshold[found.at] == 0.45
    for value, true, false in zip(found.threshold, found.true, found.false, strict=True):
        called = evaluation.score >= value
        assert (true, false) == (evaluation.y[called].sum(), (1 - evaluation.y[called]).sum())
    assert found.steps["tp"][0] == found.steps["p"] == 4
    assert found.curve.startswith("100,0 ")
    assert found.curve.endswith(" 0,100")


def test_values_without_a_script(evaluation):
    values = static_values(decide(evaluation))
    assert [values[name] for name in ("tp", "fp", "fn", "tn")] == ["3", "2", "1", "4"]
    assert (values["missed"], values["referred"]) == ("100.0", "500")
    assert (values["ppv"], values["npv"]) == ("60.0 %", "80.0 %")


def test_operating_points(evaluation):
    rows = point_rows(decide(evaluation))
    assert rows[0]["name"] == "Threshold of the model"
    assert rows[0]["sensitivity"][0] == "75 %"
    assert rows[2]["name"] == "90 % sensitivity"
    assert (rows[2]["threshold"], rows[2]["specificity"][0]) == ("0.4", "67 %")


def test_intervals_at_the_threshold_are_those_of_the_table(evaluation):
    found = decide(evaluation)
    values, row, ends = static_values(found), point_rows(found)[0], found.steps["ends"]
    for key, name, column in (
        ("sensitivity", "sensitivity", "sensitivity"),
        ("specificity", "specificity", "specificity"),
        ("ppv", "precision", "precision"),
    ):
        low, high = (100 * ends[name][side][found.at] for side in (0, 1))
        assert values[f"{key}_interval"] == f"{low:.1f} to {high:.1f} %"
        assert row[column][1] == f"{low:.0f} to {high:.0f} %"
    json.dumps(found.steps, allow_nan=False)


def test_the_verdict_looks_at_the_interval():
    y = np.tile([0, 0, 0, 1], 50)
    score = np.where(y, 0.8, 0.2) + np.linspace(0, 0.1, 200)
    noise = np.random.default_rng(0).permutation(score)
    for against, verdict in ((noise, "better"), (score, "may be chance")):
        found = compare_scores(y, score, against, n_bootstrap=100)
        rows = compare_rows(Comparison("other", y, score, against, found))
        assert (rows[0][0], rows[0][-1]) == ("AUC", verdict)
    found = compare_scores(y, noise, score, n_bootstrap=100)
    # A lower Brier score is better.
    assert [row[-1] for row in compare_rows(Comparison("o", y, noise, score, found))][-1] == "worse"


def test_baselines_that_are_there_are_not_missing():
    empty = (np.zeros(0),) * 3
    given = [Comparison(name, *empty, pd.DataFrame()) for name in ("CNN alone", "Metadata")]
    assert missing_baselines(given).startswith("A model should also beat a logistic regression:")
    given.append(Comparison("logistic", *empty, pd.DataFrame()))
    assert missing_baselines(given) == ""
