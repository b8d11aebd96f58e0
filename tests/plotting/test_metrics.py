"""The figure is written, whole, whatever the scores are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hybridlesion.exceptions import TableError
from hybridlesion.io import read_image
from hybridlesion.plotting import metric_figure
from hybridlesion.plotting._metrics import legend_words


def test_a_readable_png_is_written(tmp_path, rng):
    score = rng.uniform(size=200)
    y = (rng.uniform(size=200) < score).astype(int)
    out = metric_figure(y, score, tmp_path / "new" / "figure.png", threshold=0.4)
    height, width, _ = read_image(str(out)).shape
    assert width > 1500
    assert 2 < width / height < 3.5
    assert [path.name for path in out.parent.iterdir()] == ["figure.png"]


def test_one_class_is_refused(tmp_path):
    with pytest.raises(TableError, match="only one class"):
        metric_figure([0, 0], [0.1, 0.2], tmp_path / "figure.png")
    assert not (tmp_path / "figure.png").exists()


def test_a_threshold_that_nothing_reaches_is_drawn(tmp_path):
    metric_figure([0, 1, 0, 1], [0.1, 0.2, 0.3, 0.4], tmp_path / "figure.png", threshold=0.9)
    assert (tmp_path / "figure.png").stat().st_size > 10_000


def testlegend_words_leave_unknown_intervals_out():
    metrics = pd.DataFrame(
        {"metric": ["auc", "n"], "value": [0.9, 5], "low": [0.8, np.nan], "high": [0.95, np.nan]}
    )
    words = legend_words(metrics)
    assert words["auc"] == "0.900 (0.800 to 0.950)"
    assert "(" not in words["n"]


def test_no_figure_covers_a_panel(tmp_path, monkeypatch, rng):
    figures = []
    monkeypatch.setattr(
        "hybridlesion.plotting._metrics.save_figure",
        lambda figure, *_, **__: figures.append(figure),
    )
    names = ["auc", "pauc", "average_precision", "calibration_slope", "calibration_error"]
    metrics = pd.DataFrame({"metric": names, "value": 0.5, "low": 0.4, "high": 0.6})
    metric_figure(rng.integers(0, 2, 60), rng.uniform(size=60), tmp_path / "f.png", metrics=metrics)
    figure = figures[0]
    figure.draw_without_rendering()
    panels = [axes.get_window_extent() for axes in figure.axes]
    words = [text for axes in figure.axes for text in axes.texts if "0.500 (" in text.get_text()]
    boxes = [text.get_window_extent() for text in words]
    assert len(words) == 3
    assert not any(box.overlaps(panel) for box in boxes for panel in panels)
    assert not any(one.overlaps(other) for one in boxes for other in boxes if one is not other)
