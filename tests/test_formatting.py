"""Measures in words."""

from __future__ import annotations

import pytest

from hybridlesion._formatting import count_words, explain_measures, measure_words


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (("auc", 0.91234, 0.8, 1.0), ("0.912", "0.800 to 1.000")),
        (("precision", float("nan"), 0.1, 0.2), ("undefined", "")),
        (("precision", None, None, None), ("undefined", "")),
        (("brier", 0.1, float("nan"), 0.2), ("0.1000", "")),
        (("net_benefit", 0.00712, 0.005, 0.01), ("0.0071", "0.0050 to 0.0100")),
        (("n_positive", 12345.0, None, None), ("12,345", "")),
    ],
)
def test_values_and_intervals(row, words):
    assert measure_words(*row) == words


def test_counts():
    assert [count_words(n, "mask") for n in (0, 1, 2, 1000)] == [
        *("0 masks", "1 mask", "2 masks", "1,000 masks")
    ]


def test_only_what_is_in_the_table_is_explained():
    assert explain_measures(["auc", "brier"], 0.5) == []
    assert explain_measures(["recall"], 0.5) == ["recall is at the threshold 0.5."]
    assert explain_measures(["recall"]) == []
    assert explain_measures(["recall"], 0.5, "for the highest F1") == [
        "recall is at the threshold for the highest F1 (0.5)."
    ]
    assert "at most 0.2" in explain_measures(["pauc"])[0]
    assert "1 is ideal" in explain_measures(["calibration_in_the_large"])[0]
