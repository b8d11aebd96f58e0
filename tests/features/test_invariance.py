"""What leaves the features alone: on a drawn lesion, on real ones, and on the page that says so."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

from hybridlesion.features import FEATURES, INVARIANCES, abcd, feature_names

ROOT = Path(__file__).parents[2]

LOOSE = {
    "rotation": {
        "abcd__border_box_dimension",
        "abcd__structure_dots_unevenness",
        "abcd__structure_globules_unevenness",
    },
    "shift": {"abcd__dimension_frame_contact"},
    "scale": {
        "abcd__border_parts",
        "abcd__structure_dots_in_rim",
        "abcd__structure_dots_unevenness",
        "abcd__structure_globules_unevenness",
        "abcd__structure_regression_share",
        "abcd__texture_glcm1_anisotropy",
        "abcd__texture_lbp1_entropy",
        "abcd__texture_lbp3_entropy",
    },
}
"""Claimed, but ranks below 0.9 on the real pictures of docs/invariance.md, or undefined there."""


@pytest.fixture(scope="module")
def invariance():
    """The benchmark that writes the page: its changes are those tested here."""
    path = ROOT / "benchmarks" / "invariance.py"
    spec = importlib.util.spec_from_file_location("invariance_benchmark", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("change", INVARIANCES)
def test_drawn_lesion_keeps_its_values(change, invariance, draw_lesion):
    before, after = (
        abcd(image, mask, field_of_view=view)
        for image, mask, view in invariance.CHANGES[change](*draw_lesion(600))
    )
    claimed = [feature for feature in FEATURES if change in feature.invariance]
    # the share of a feature's own size, or of 1, by which it may move; dots and small differences
    # of one drawing are worth little alone, so that it holds for nine of ten features
    moved = {
        f.name: abs(after[f.name] - before[f.name]) / max(abs(before[f.name]), 1.0) for f in claimed
    }
    assert np.quantile(list(moved.values()), 0.9) < 0.1, sorted(moved, key=moved.get)[-10:]
    assert np.median(list(moved.values())) < 0.02


@pytest.mark.real
@pytest.mark.slow
def test_real_lesions_keep_their_rank(invariance, real_data):
    table, count = invariance.compare(real_data, every=4)
    assert count >= 30
    ranks = table.set_index(["change", "feature"])["rank"]
    for change in INVARIANCES:
        claimed = {feature.name for feature in FEATURES if change in feature.invariance}
        held = ranks[change].loc[sorted(claimed - LOOSE.get(change, set()))].dropna()
        assert held.median() > 0.99, change
        # with a few dozen pictures a rank correlation is uncertain by some hundredths
        assert held.min() > 0.8, (change, held.idxmin())


def test_page_names_every_feature_and_change():
    page = (ROOT / "docs" / "invariance.md").read_text(encoding="utf-8")
    message = "run: python benchmarks/invariance.py DATA > docs/invariance.md"
    assert re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE) == feature_names(), message
    assert f"| feature | {' | '.join(INVARIANCES)} |" in page, message
