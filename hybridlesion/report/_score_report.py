"""Scores against the truth: measures with intervals, and the figure."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from hybridlesion._files import atomic_path, check_writable
from hybridlesion.evaluation import evaluate, interval_caveats
from hybridlesion.exceptions import TableError
from hybridlesion.metadata import normalise_image_id, read_records, read_table
from hybridlesion.report._metric_figure import metric_figure
from hybridlesion.splits import GROUP_COLUMNS, grouping

__all__ = ["ScoreReport", "join_truth", "read_scores", "report_scores"]

_ID_COLUMNS = ("image_id", "image_name", "isic_id", "image")


@dataclass(frozen=True)
class ScoreReport:
    """What an evaluation found and wrote.

    Parameters
    ----------
    metrics : DataFrame
        Columns metric, value, low, high.
    cases : DataFrame of shape (n, columns)
        The truth's records with a score each.
    threshold : float or None
        Operating point of the measures that need one.
    paths : tuple of Path
        Files written: metrics.csv, metrics.json, metrics.png.
    warnings : tuple of str
        What a user should know.
    """

    metrics: pd.DataFrame
    cases: pd.DataFrame
    threshold: float | None
    paths: tuple[Path, ...]
    warnings: tuple[str, ...]


def report_scores(
    scores: str | os.PathLike,
    truth: Sequence[str | os.PathLike],
    out: str | os.PathLike,
    *,
    threshold: float | None = None,
    id_column: str | None = None,
    target: str | None = None,
    malignant: Sequence[str] | None = None,
    n_bootstrap: int = 1000,
    random_state: int = 0,
) -> ScoreReport:
    """Measure a table of scores against the truth, and write measures and figure.

    Parameters
    ----------
    scores : str or path-like
        CSV or Parquet with an image id and ``score``; ``hybridlesion score`` writes one. Its
        ``patient_id``, ``lesion_id`` and ``duplicate_cluster`` stand in where the truth has none.
    truth : sequence of str or path-like
        Tables in any ISIC layout that say which lesions are malignant.
    out : str or path-like
        Folder for metrics.csv, metrics.json and metrics.png.
    threshold : float, default=None
        Operating point; None takes the one in the column ``threshold`` of `scores`.
    id_column : str, default=None
        Column of the truth that names the image; None finds it.
    target : str, default=None
        Column of the truth that says which are malignant; None finds it.
    malignant : sequence of str, default=None
        Diagnoses that count as malignant where the truth gives diagnoses only.
    n_bootstrap : int, default=1000
        Bootstrap samples behind each interval, drawn by patient where patients are known.
    random_state : int, default=0
        Seed of the bootstrap.

    Returns
    -------
    ScoreReport
        Measures, cases and the files written.

    Raises
    ------
    TableError
        If the scores cannot be read, no image has a truth, or only one class occurs.
    """
    out = Path(out)
    paths = tuple(check_writable(out / f"metrics.{suffix}") for suffix in ("csv", "json", "png"))
    scored, stored = read_scores(scores)
    threshold = stored if threshold is None else threshold
    records = read_records(
        list(truth),
        id_column=id_column,
        target_column=target,
        malignant=malignant,
    )
    cases, warnings = join_truth(scored, records.frame)
    y, score = cases["target"].to_numpy(dtype=int), cases["score"].to_numpy(dtype=float)
    metrics = evaluate(
        y,
        score,
        groups=grouping(cases).to_numpy(),
        threshold=threshold,
        n_bootstrap=n_bootstrap,
        random_state=random_state,
    )
    with atomic_path(paths[0]) as temporary:
        metrics.to_csv(temporary, index=False)
    with atomic_path(paths[1]) as temporary:
        temporary.write_text(_to_json(metrics, threshold, Path(scores).name))
    metric_figure(y, score, paths[2], threshold=threshold, metrics=metrics)
    notes = (*records.warnings, *warnings, *_note_unit(cases), *interval_caveats(metrics))
    return ScoreReport(metrics, cases, threshold, paths, notes)


def read_scores(path: str | os.PathLike) -> tuple[pd.DataFrame, float | None]:
    """Read a table of scores.

    Parameters
    ----------
    path : str or path-like
        CSV or Parquet with an image id and ``score``.

    Returns
    -------
    scores : DataFrame of shape (n, columns)
        Columns image_id and score, and path and groups where the table has them.
    threshold : float or None
        The one in its column ``threshold``; None if there is none, or several.

    Raises
    ------
    TableError
        If a column is missing, a score is no probability, or an image id occurs twice.
    """
    table = read_table(path)
    names = [name for name in _ID_COLUMNS if name in table]
    if not names or "score" not in table:
        raise TableError(
            f"{path} must have an image id ({', '.join(_ID_COLUMNS)}) and a column named score; "
            f"found {', '.join(map(str, table.columns[:12]))}. `hybridlesion score` writes such a "
            "table."
        )
    scores = pd.to_numeric(table["score"], errors="coerce")
    outside = ~scores.between(0, 1)
    if outside.any():
        rows = ", ".join(str(row + 2) for row in np.flatnonzero(outside)[:5])
        raise TableError(
            f"{path}: {outside.sum()} scores are missing or not between 0 and 1 (lines {rows})."
        )
    image_id = table[names[0]].astype(str).map(normalise_image_id)
    if image_id.duplicated().any():
        raise TableError(
            f"{path}: {image_id.duplicated().sum()} image ids occur more than once, the first is "
            f"{image_id[image_id.duplicated()].iloc[0]!r}. Keep one row an image."
        )
    kept = {"image_id": image_id, "score": scores}
    kept |= {name: table[name] for name in ("path", *GROUP_COLUMNS) if name in table}
    stored = table["threshold"].dropna().unique() if "threshold" in table else ()
    return pd.DataFrame(kept), float(stored[0]) if len(stored) == 1 else None


def join_truth(scored: pd.DataFrame, truth: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Join scores and truth on the image id.

    Parameters
    ----------
    scored : DataFrame of shape (n, columns)
        What `read_scores` gave.
    truth : DataFrame of shape (m, columns)
        Records with a target.

    Returns
    -------
    cases : DataFrame of shape (k, columns)
        The truth's records with a score each.
    notes : list of str
        How many scores have no truth, if any.

    Raises
    ------
    TableError
        If no image has a truth, or only one class occurs.
    """
    if "target" not in truth or truth["target"].isna().all():
        raise TableError(
            "the truth does not say which lesions are malignant; name its column with --target, "
            "or the diagnoses with --malignant."
        )
    known = truth.loc[truth["target"].notna()]
    known = known.drop(columns=["path", "score"], errors="ignore")
    cases = known.merge(scored, on="image_id", suffixes=("", "_of_scores"))
    for name in GROUP_COLUMNS:
        if f"{name}_of_scores" in cases:
            other = cases.pop(f"{name}_of_scores")
            cases[name] = cases[name].where(cases[name].notna(), other)
    if cases.empty:
        raise TableError(
            f"no scored image is in the truth: scores begin with {scored['image_id'].iloc[0]!r}, "
            f"the truth with {known['image_id'].iloc[0]!r}. Name the id column with --id-column."
        )
    if cases["target"].nunique() < 2:
        raise TableError(
            f"all {len(cases)} scored images have target {cases['target'].iloc[0]:g}; ranking "
            "cannot be measured with one class."
        )
    without = len(scored) - len(cases)
    notes = [f"{without} scored images have no truth and were left out."] if without else []
    return cases, notes


def _note_unit(cases: pd.DataFrame) -> list[str]:
    if "patient_id" in cases and cases["patient_id"].notna().any():
        return []
    others = [name for name in GROUP_COLUMNS if name in cases and cases[name].notna().any()]
    unit = "lesions" if others else "images"
    return [f"no patient_id: intervals are over {unit}, and narrower than over patients."]


def _to_json(metrics: pd.DataFrame, threshold: float | None, scores: str) -> str:
    def plain(value: float) -> float | None:
        return float(value) if np.isfinite(value) else None

    measures = {
        row.metric: {"value": plain(row.value), "low": plain(row.low), "high": plain(row.high)}
        for row in metrics.itertuples()
    }
    content = {"scores": scores, "threshold": threshold, "metrics": measures}
    return json.dumps(content, indent=2) + "\n"
