"""The catalogue on a terminal."""

from __future__ import annotations

import pytest

from hybridlesion.features import FAMILIES, FEATURES, catalogue_text


@pytest.mark.parametrize("width", [60, 80, 100])
def test_lines_fit_and_nothing_is_missing(width):
    text = catalogue_text(width)
    lines = text.splitlines()
    assert max(map(len, lines)) <= max(width, 70)
    assert [line.split()[0] for line in lines if line.startswith("  abcd__")] == [
        feature.name for family in FAMILIES for feature in FEATURES if feature.family == family
    ]
    flat = " ".join(text.split())
    assert all(" ".join(feature.description.split()) in flat for feature in FEATURES)
