"""Reasons in words: values with units, ranks among benign lesions, points."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from hybridlesion.features import FEATURES
from hybridlesion.model import rank_among_benign
from hybridlesion.reasons import (
    column_label,
    explain_scores,
    points_words,
    rank_words,
    reason_columns,
    reason_words,
    value_words,
)


def test_strongest_reasons_first_with_value_rank_and_points(explained):
    model, table, _ = explained
    row = table.head(1).assign(abcd__border=7.9, meta__age=95.0, meta__sex_male=1.0)
    parts = explain_scores(model, row)
    words = reason_words(model, row, parts, n_reasons=5)[0]
    assert len(words) == 5
    strengths = [abs(float(re.search(r"\(([-+.\d]+) points\)", word)[1])) for word in words]
    assert strengths == sorted(strengths, reverse=True)
    assert any(
        re.fullmatch(r"border irregularity 7\.9 of 8, higher than 9\d % of benign lesions \(.*", w)
        for w in words
    )
    assert any(word.startswith("age 95 years, higher than 99 % of benign") for word in words)
    assert any(re.match(r"sex male, as in [45]\d % of benign lesions", word) for word in words)


def test_ranks_are_those_of_the_benign_training_rows(explained):
    model, table, y = explained
    benign = table.loc[y == 0, "abcd__border"]
    for value in (1.0, 4.0, 7.0):
        rank = rank_among_benign(value, model.reference_["abcd__border"])
        assert rank == pytest.approx((benign < value).mean(), abs=0.02)


def test_text_columns_have_no_rank_and_missing_values_say_so(explained):
    model, table, _ = explained
    row = table.head(1).assign(meta__age=np.nan)
    words = " | ".join(reason_words(model, row, explain_scores(model, row), n_reasons=5)[0])
    assert re.search(r"device [ABC] \(", words)
    assert "age unknown (" in words


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("abcd__tds", 5.04, "5.0 of 8.9"),
        ("abcd__border_bays", 3.0, "3"),
        ("abcd__border_abrupt", 5.25, "5.25 of 8 octants"),
        ("abcd__color_count", 4.0, "4 of 6"),
        ("abcd__color_has_black", 1.0, "present"),
        ("abcd__color_skin_contrast", 23.456, "23.5 Delta-E"),
        ("abcd__skin_band", 3.0, "tan"),
        ("abcd__color_share_red", 0.0012, "0.12 %"),
        ("meta__age", 65.0, "65 years"),
        ("meta__site_head_neck", 1.0, "head/neck"),
        ("meta__device", "A", "A"),
        ("meta__age", None, "unknown"),
        ("emb__", 0.3, ""),
        ("abcd__dimension_area", float("nan"), "unknown"),
    ],
)
def test_values_with_units(column, value, words):
    assert value_words(column, value) == words


@pytest.mark.parametrize("row", FEATURES, ids=lambda row: row.name)
def test_every_feature_has_a_label_and_a_value_in_words(row):
    low = row.low if np.isfinite(row.low) else -1.0
    label, value = column_label(row.name), value_words(row.name, low)
    assert "__" not in label
    assert "_" not in label
    assert label.strip() == label
    assert value


def test_labels_of_features_differ():
    labels = [column_label(row.name) for row in FEATURES]
    assert pd.Series(labels)[pd.Series(labels).duplicated(keep=False)].tolist() == []


def test_ranks_at_the_ends_stay_below_all():
    reference = {"meta__age": np.linspace(20, 80, 101)}
    assert rank_words("meta__age", 120.0, reference) == "higher than 99 % of benign lesions"
    assert rank_words("meta__age", 0.0, reference) == "lower than 99 % of benign lesions"
    assert rank_words("meta__unknown", 0.0, reference) == ""


@pytest.mark.parametrize(
    ("share", "words"),
    [(1.0, "+100 points"), (-0.0999, "-10 points"), (0.005, "+0.50 points"), (0, "+0.000 points")],
)
def test_points(share, words):
    assert points_words(share) == words


def test_columns_for_a_score_table(explained):
    model, table, _ = explained
    columns = reason_columns(model, table.head(7))
    names = ["base", "share_border", "share_color", "share_meta", "share_ctx"]
    assert columns.columns.tolist() == [
        *(*names, "reason_1", "reason_2", "reason_3"),
        "abcd__border",
    ]
    score = model.predict_proba(table.head(7))[:, 1]
    np.testing.assert_allclose(columns[names].sum(axis=1), score, atol=1e-9)
    assert columns["reason_3"].str.endswith("points)").all()
