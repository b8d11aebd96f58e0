"""Reliability, net benefit, groups and comparison: written whole, and saying what they should."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from hybridlesion.exceptions import TableError
from hybridlesion.io import read_image
from hybridlesion.metrics import compare_scores, evaluate, evaluate_subgroups
from hybridlesion.plotting import (
    comparison_figure,
    decision_figure,
    draw_selective,
    reliability_figure,
    subgroup_figure,
)


@pytest.fixture
def cases(rng):
    score = rng.beta(1, 9, 600)
    return (rng.random(600) < score).astype(int), score


@pytest.fixture
def figures(monkeypatch):
    """Figures that would have been saved."""
    drawn = []
    for name in ("metrics", "curves"):
        monkeypatch.setattr(
            f"hybridlesion.plotting._{name}.save_figure",
            lambda figure, *_, **__: drawn.append(figure),
        )
    return drawn


def test_the_legend_of_certainty_lies_above_the_bands():
    share = np.array([1.0, 0.9, 0.5, 0.1])
    curve = pd.DataFrame({"coverage": share, "error": 0.02, "low": 0.0, "high": 0.3})
    # As small as in the report.
    figure = Figure(figsize=(3.7, 3.8), layout="constrained")
    axes = figure.subplots()
    both = pd.concat([curve.assign(by="applicability"), curve.assign(by="confidence")])
    draw_selective(axes, both)
    figure.draw_without_rendering()
    box = axes.get_legend().get_window_extent().transformed(axes.transData.inverted())
    assert box.y0 > 0.3


def _table(y, score):
    groups = pd.DataFrame({"sex": np.where(np.arange(len(y)) % 3, "female", "male")})
    groups.loc[:2, "sex"] = None
    return evaluate_subgroups(y, score, groups, threshold=0.1, n_bootstrap=20)


def test_readable_files_are_written(cases, tmp_path):
    y, score = cases
    paths = [
        reliability_figure(y, score, tmp_path / "r.png", metrics=evaluate(y, score, n_bootstrap=9)),
        decision_figure(y, score, tmp_path / "d.png", threshold=0.2, n_bootstrap=9),
        subgroup_figure(_table(y, score), tmp_path / "s.png"),
        comparison_figure(
            *(y, score, 1 - score, tmp_path / "c.png"),
            comparison=compare_scores(y, score, 1 - score, n_bootstrap=9),
        ),
    ]
    assert all(min(read_image(str(path)).shape[:2]) > 250 for path in paths)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.png", "d.png", "r.png", "s.png"]


@pytest.mark.parametrize("rare", [True, False])
def test_reliability_holds_every_score(cases, figures, tmp_path, rare):
    y, score = cases
    if not rare:
        y = np.arange(600) % 2
    reliability_figure(y, score, tmp_path / "r.png")
    curve, spread = figures[0].axes
    assert curve.get_xlim() == curve.get_ylim() == spread.get_xlim()
    assert curve.get_xlim()[0] == 0
    assert curve.get_xlim()[1] >= score.max()
    assert (curve.get_xscale() == "function") is rare
    heights = np.concatenate([patch.get_data().values for patch in spread.patches])
    assert heights[heights > 0].sum() == pytest.approx(1)
    assert heights[heights < 0].sum() == pytest.approx(-1)


def test_decision_curve_compares_with_all_and_none(cases, figures, tmp_path):
    y, score = cases
    decision_figure(y, score, tmp_path / "d.png", threshold=0.2, n_bootstrap=0)
    axes = figures[0].axes[0]
    words = [text.get_text() for text in axes.get_legend().get_texts()]
    assert words == ["treat by score", "treat all", "treat none"]
    assert any("threshold 0.2" in text.get_text() for text in axes.texts)
    acted = next(line for line in axes.lines if line.get_label() == "treat by score")
    called = score >= acted.get_xdata()[0]
    assert acted.get_ydata()[0] / 1000 == pytest.approx(
        (called & (y == 1)).mean() - (called & (y == 0)).mean() / (1 / acted.get_xdata()[0] - 1)
    )


def test_groups_that_are_too_few_are_named_as_such(cases, figures, tmp_path):
    y, score = cases
    subgroup_figure(_table(y, score), tmp_path / "s.png")
    names, *panels = figures[0].axes
    words = [text.get_text() for text in names.texts]
    assert {"all", "sex", "female", "male", "unknown", "600"} <= set(words)
    assert [axes.get_title(loc="left") for axes in panels] == [
        "AUC",
        "Sensitivity",
        "Specificity",
        "Observed / expected",
    ]
    assert all([text.get_text() for text in axes.texts] == ["too few"] for axes in panels)


def test_names_of_groups_are_shown_as_written(figures, tmp_path, cases):
    y, score = cases
    table = _table(y, score).assign(group=["all", "$x$", "a\nb", "ok"])
    subgroup_figure(table, tmp_path / "s.png")
    figures[0].draw_without_rendering()
    assert "$x$" in [text.get_text() for text in figures[0].axes[0].texts]


def test_the_better_score_lies_on_the_right(cases, figures, tmp_path):
    y, score = cases
    table = compare_scores(y, score, 1 - score, n_bootstrap=30)
    comparison_figure(y, score, 1 - score, tmp_path / "c.png", comparison=table)
    axes = figures[0].axes[1]
    points = [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "o"]
    assert len(points) == 9
    assert all(point >= 0 for point in points)
    brier = table.set_index("metric").loc["brier", "difference"]
    assert points[0] == pytest.approx(-brier)


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda out: reliability_figure([0, 0], [0.1, 0.2], out), "got 1 classes"),
        (lambda out: reliability_figure([0, 1], [0.1, 2], out), "from 0.1 to 2"),
        (lambda out: decision_figure([0, 0], [0.1, 0.2], out), "both classes"),
        (lambda out: decision_figure([0, 1], [0.1, 2], out), "probabilities from 0 to 1"),
        (lambda out: subgroup_figure(pd.DataFrame(), out), "lacks attribute, auc"),
        (
            lambda out: comparison_figure([1], [0.1], [0.2], out, comparison=pd.DataFrame()),
            "only one class",
        ),
    ],
)
def test_refusals(draw, message, tmp_path):
    with pytest.raises(TableError, match=message):
        draw(tmp_path / "figure.png")
    assert not list(tmp_path.iterdir())
