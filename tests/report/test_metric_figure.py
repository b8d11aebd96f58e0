"""The figure is written, whole, whatever the scores are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hybridlesion.exceptions import TableError
from hybridlesion.images import read_image
from hybridlesion.report import metric_figure
from hybridlesion.report._metric_figure import _legend_words


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


def test_legend_words_leave_unknown_intervals_out():
    metrics = pd.DataFrame(
        {"metric": ["auc", "n"], "value": [0.9, 5], "low": [0.8, np.nan], "high": [0.95, np.nan]}
    )
    words = _legend_words(metrics)
    assert words["auc"] == "0.900 (0.800 to 0.950)"
    assert "(" not in words["n"]
