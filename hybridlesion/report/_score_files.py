"""The files of an evaluation: tables, JSON and figures."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from hybridlesion._files import atomic_path, check_writable
from hybridlesion.report._comparison_figure import comparison_figure
from hybridlesion.report._decision_figure import decision_figure
from hybridlesion.report._metric_figure import metric_figure
from hybridlesion.report._reliability_figure import reliability_figure
from hybridlesion.report._subgroup_figure import subgroup_figure
from hybridlesion.splits import grouping

if TYPE_CHECKING:
    from hybridlesion.report._score_report import ScoreReport

__all__ = ["check_outputs", "describe_tables", "draw_figures", "write_tables"]

# The first three keep their places: callers take the JSON and the curves by them.
_FILES = (
    *("metrics.csv", "metrics.json", "metrics.png", "operating_points.csv", "subgroups.csv"),
    *("reliability.png", "decision_curve.png", "subgroups.png"),
)
_FILES_AGAINST = ("comparison.csv", "comparison.png")


def check_outputs(out: str | os.PathLike, compared: bool) -> dict[str, Path]:
    """Make sure that every file can be written, before long work.

    Parameters
    ----------
    out : str or path-like
        Folder.
    compared : bool
        Whether there are files of a comparison.

    Returns
    -------
    dict of str to Path
        Path by file name.

    Raises
    ------
    SourceError
        If the folder cannot be made or written to.
    """
    names = _FILES + (_FILES_AGAINST if compared else ())
    return {name: check_writable(Path(out) / name) for name in names}


def describe_tables(
    metrics: pd.DataFrame,
    operating_points: pd.DataFrame,
    subgroups: pd.DataFrame,
    comparison: pd.DataFrame | None,
    warnings: Sequence[str],
) -> dict:
    """Turn what an evaluation found into what JSON can hold.

    Parameters
    ----------
    metrics, operating_points, subgroups : DataFrame
        See `ScoreReport`.
    comparison : DataFrame or None
        Differences to other scores.
    warnings : sequence of str
        What a user should know.

    Returns
    -------
    dict
        Measures by name, else one dict a row; None where a number is undefined or infinite.
    """
    return {
        "metrics": _by_measure(metrics),
        "operating_points": _rows(operating_points),
        "subgroups": _rows(subgroups),
        "comparison": None if comparison is None else _by_measure(comparison),
        "warnings": list(warnings),
    }


def write_tables(report: ScoreReport, paths: Mapping[str, Path]) -> None:
    """Write the CSV files and the JSON file.

    Parameters
    ----------
    report : ScoreReport
        What to write.
    paths : mapping of str to Path
        What `check_outputs` gave.
    """
    tables = {
        "metrics.csv": report.metrics,
        "operating_points.csv": report.operating_points,
        "subgroups.csv": report.subgroups,
        "comparison.csv": report.comparison,
    }
    for name, table in tables.items():
        if table is not None:
            with atomic_path(paths[name]) as temporary:
                table.to_csv(temporary, index=False)
    with atomic_path(paths["metrics.json"]) as temporary:
        temporary.write_text(json.dumps(report.content, indent=2) + "\n")


def draw_figures(
    report: ScoreReport, both: pd.DataFrame, paths: Mapping[str, Path], draw: Mapping
) -> None:
    """Draw curves, reliability, net benefit, groups, and the comparison if there is one.

    Parameters
    ----------
    report : ScoreReport
        What was found.
    both : DataFrame of shape (n, columns)
        Cases with the column ``against``, if there is a comparison.
    paths : mapping of str to Path
        What `check_outputs` gave.
    draw : mapping
        ``n_bootstrap`` and ``random_state`` of the band around the net benefit.
    """
    y, score = report.cases["target"].to_numpy(dtype=int), report.cases["score"].to_numpy()
    metrics, threshold = report.metrics, report.threshold
    metric_figure(y, score, paths["metrics.png"], threshold=threshold, metrics=metrics)
    reliability_figure(y, score, paths["reliability.png"], metrics=metrics)
    decision_figure(
        y,
        score,
        paths["decision_curve.png"],
        threshold=threshold,
        groups=grouping(report.cases).to_numpy(),
        **draw,
    )
    subgroup_figure(report.subgroups, paths["subgroups.png"])
    if report.comparison is not None:
        comparison_figure(
            both["target"].to_numpy(dtype=int),
            both["score"].to_numpy(),
            both["against"].to_numpy(),
            paths["comparison.png"],
            comparison=report.comparison,
            names=(report.content["scores"], report.content["against"]),
        )


def _rows(table: pd.DataFrame) -> list[dict]:
    return [
        {name: _plain(value) for name, value in row.items()} for row in table.to_dict("records")
    ]


def _by_measure(table: pd.DataFrame) -> dict[str, dict]:
    return {row.pop("metric"): row for row in _rows(table)}


def _plain(value: object) -> object:
    undefined = isinstance(value, float) and not math.isfinite(value)
    return None if undefined else value
