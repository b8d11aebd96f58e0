"""Tables of an evaluation fit the window, and say where the rest is."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hybridlesion.cli import _output as _lines
from hybridlesion.cli._output import format_comparison, format_operating_points, format_subgroups
from hybridlesion.metrics import compare_scores, evaluate_subgroups, operating_points


@pytest.fixture(scope="module")
def scored():
    rng = np.random.default_rng(0)
    y = np.arange(400) % 4 == 0
    frame = pd.DataFrame({"target": y.astype(int), "sex": rng.choice(["male", "female"], 400)})
    frame["site"] = rng.choice(["upper extremity", "palms/soles"], 400)
    frame["score"] = np.clip(0.3 * y + rng.random(400) * 0.6, 0, 1)
    return frame


def _widest(table):
    return max(map(len, table.splitlines()))


def test_operating_points(scored):
    points = operating_points(
        scored["target"], scored["score"], threshold=0.5, cost_ratio=12, n_bootstrap=20
    )
    whole = format_operating_points(points)
    assert _widest(whole) > 80
    assert format_operating_points(points, 200) == whole
    narrow = format_operating_points(points, 80)
    assert _widest(narrow) <= 80
    assert narrow.endswith("For intervals see operating_points.csv, or widen the window.")
    first, again = whole.splitlines()[1], narrow.splitlines()[1]
    assert first.split(" (")[0].split()[:4] == again.split()[:4]


def test_groups(scored):
    y, score, attributes = scored["target"], scored["score"], scored[["sex", "site"]]
    groups = evaluate_subgroups(y, score, attributes, threshold=0.5, n_bootstrap=20)
    whole, narrow = format_subgroups(groups), format_subgroups(groups, 80)
    assert _widest(whole) > 80 >= _widest(narrow)
    assert "site: upper extremity" in narrow
    assert "For intervals see subgroups.csv" in narrow


def test_comparison(scored):
    other = 1 - scored["score"]
    compared = compare_scores(scored["target"], scored["score"], other, n_bootstrap=20)
    whole = format_comparison(compared, ("a.csv", "b.csv"))
    narrow = format_comparison(compared, ("a.csv", "b.csv"), 80)
    table = [line for line in narrow.splitlines() if not line[0].isupper()]
    assert "against" in whole.splitlines()[0]
    assert table[0].split()[:3] == ["metric", "value", "difference"]
    assert _widest("\n".join(table)) <= 80


def test_sentences_are_wrap_between_words_on_a_terminal_only():
    text = f"  a line with /a/path/that-is-long/{'x' * 30}/and more than forty columns\nshort"
    assert _lines._wrap(text, None) == text
    lines = _lines._wrap(text, 40).split("\n")
    assert lines[-1] == "short"
    assert lines[1].startswith(f"    /a/path/that-is-long/{'x' * 30}/and")
    assert " ".join(" ".join(lines).split()) == " ".join(text.split())
