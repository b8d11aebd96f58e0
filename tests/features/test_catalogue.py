"""The catalogue, its formats, the stored baseline and the page agree with what `abcd` returns."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hybridlesion.features import (
    FAMILIES,
    FEATURES,
    INVARIANCES,
    catalogue_page,
    catalogue_text,
    feature_names,
)

HERE = Path(__file__).parent


def test_every_value_is_a_float_of_the_catalogue_in_its_range(drawn_values):
    assert list(drawn_values) == feature_names()
    for feature in FEATURES:
        value = drawn_values[feature.name]
        assert type(value) is float, feature.name
        assert feature.low <= value <= feature.high, feature.name


def test_every_row_is_complete():
    names = feature_names()
    assert len(set(names)) == len(names) >= 150
    for feature in FEATURES:
        assert feature.name.startswith(("abcd__", "perceived__"))
        assert feature.family in FAMILIES
        assert feature.family == "score" or feature.name.startswith(f"abcd__{feature.family}_")
        assert set(feature.invariance) <= set(INVARIANCES)
        assert feature.low < feature.high
        assert feature.description
        assert feature.source
        assert feature.unit


def test_every_family_has_features():
    assert {feature.family for feature in FEATURES} == set(FAMILIES)


def test_baseline(drawn_values):
    # after a wanted change: python tests/features/drawn_lesion.py
    stored = json.loads((HERE / "baseline.json").read_text(encoding="utf-8"))
    assert list(stored) == list(drawn_values)
    for name, value in stored.items():
        # With the lowest versions of the dependencies, one feature differs by 0.2 %.
        assert drawn_values[name] == pytest.approx(value, rel=3e-3, abs=1e-3), name


def test_page_is_current():
    page = (HERE.parents[1] / "docs" / "features.md").read_text(encoding="utf-8")
    assert page == catalogue_page(), "run: python -m hybridlesion.features > docs/features.md"


def test_baseline_is_no_degenerate_lesion(drawn_values):
    assert np.isfinite(list(drawn_values.values())).all()


@pytest.mark.parametrize("width", [60, 80, 100])
def test_lines_fit_and_nothing_is_missing(width):
    text = catalogue_text(width)
    lines = text.splitlines()
    assert max(map(len, lines)) <= max(width, 70)
    assert [
        line.split()[0] for line in lines if line.startswith(("  abcd__", "  perceived__"))
    ] == [feature.name for family in FAMILIES for feature in FEATURES if feature.family == family]
    flat = " ".join(text.split())
    assert all(" ".join(feature.description.split()) in flat for feature in FEATURES)
