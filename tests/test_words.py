"""Measures in words."""

from __future__ import annotations

import pytest

from hybridlesion._words import measure_words


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (("auc", 0.91234, 0.8, 1.0), ("0.912", "0.800 to 1.000")),
        (("precision", float("nan"), 0.1, 0.2), ("undefined", "")),
        (("precision", None, None, None), ("undefined", "")),
        (("brier", 0.1, float("nan"), 0.2), ("0.100", "")),
        (("n_positive", 12345.0, None, None), ("12,345", "")),
    ],
)
def test_values_and_intervals(row, words):
    assert measure_words(*row) == words
