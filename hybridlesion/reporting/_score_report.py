"""Evaluate a table of scores against the truth: metrics, subgroups, figures."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from hybridlesion import metrics, plotting
from hybridlesion._atomic import atomic_path, check_apart, check_writable
from hybridlesion._formatting import count_words
from hybridlesion.cnn import CLASSES, name_classes
from hybridlesion.metadata import count_diagnoses, read_records, read_sources, read_table
from hybridlesion.model_selection import grouping, note_ungrouped
from hybridlesion.reporting._score_table import (
    CERTAINTIES,
    PREDICTED,
    PROBABILITIES,
    TRAINED_ON,
    ScoreTable,
    add_baseline,
    group_unit,
    join_truth,
    read_scores,
    risk_curves,
)

# Attribute -> columns that may contain it, in order of preference, and the kind of its bands.
_SOURCES = {
    "age": (("age",), "age"),
    "sex": (("sex",), None),
    "site": (("site",), None),
    "skin tone": (("abcd__skin_ita", "skin_ita", "ita"), "skin_tone"),
    "Fitzpatrick type": (("fitzpatrick_skin_type",), None),
    "hair": (("qa__hair_share",), "hair"),
    "dark corner": (("qa__dark_corner_share",), "dark_corner"),
}


def attributes_of(cases: pd.DataFrame) -> pd.DataFrame:
    """Group cases by age, sex, site, skin tone and image quality, if known.

    Parameters
    ----------
    cases : DataFrame of shape (n, columns)
        Records, with the columns of a feature table if one was joined.

    Returns
    -------
    DataFrame of shape (n, attributes)
        The attributes among ``age, sex, site, skin tone, Fitzpatrick type, hair, dark corner`` that
        have values. Skin tone is the band of the estimated individual typology angle.

    Examples
    --------
    >>> cases = pd.DataFrame({"age": [25.0, 70.0], "sex": [None, None], "qa__hair_share": [0, 0.2]})
    >>> attributes_of(cases).to_dict("list")
    {'age': ['under 30', '60 to 74'], 'hair': ['under 1 %', '5 % and over']}
    """
    found = {}
    for attribute, (columns, kind) in _SOURCES.items():
        known = [name for name in columns if name in cases and cases[name].notna().any()]
        if known:
            values = cases[known[0]]
            found[attribute] = metrics.band(values, kind) if kind else values
    return pd.DataFrame(found, index=cases.index)


@dataclass(frozen=True)
class ScoreReport:
    """Result of `report_scores`.

    Parameters
    ----------
    metrics : DataFrame
        Columns metric, value, low, high.
    operating_points : DataFrame
        Thresholds by rule; see `hybridlesion.metrics.operating_points`.
    subgroups : DataFrame
        Metrics by source, age band, sex, site, skin tone and image quality, if known; see
        `hybridlesion.metrics.evaluate_subgroups`.
    sources : DataFrame or None
        Mean over sources and prediction for a new one, if sources were named; see
        `hybridlesion.metrics.summarize_sources`. The sources themselves are in `subgroups`.
    comparison : DataFrame or None
        Differences from the other scores, if any.
    by_diagnosis : DataFrame or None
        Metrics of the probabilities of diagnoses, if the scores have them; see
        `hybridlesion.metrics.evaluate_diagnoses`.
    confusion : DataFrame or None
        Confusion matrix of the diagnoses, with the column ``diagnosis``; see
        `hybridlesion.metrics.confusion_matrix`.
    selective_risk : DataFrame or None
        Error by applicability and confidence, if the scores have them; see
        `hybridlesion.metrics.selective_risk`.
    cases : DataFrame of shape (n, columns)
        Records of the truth, each with a score.
    threshold : float or None
        Threshold for the metrics that need one; None if neither the user nor the scores provide a
        threshold, so that the one with the highest F1 was used.
    threshold_rule : str or None
        How the threshold was chosen, such as "for 90 % sensitivity"; None if the user gave it.
    content : dict
        Contents of metrics.json.
    paths : tuple of Path
        Files written: metrics.csv, metrics.json, metrics.png, then all others.
    warnings : tuple of str
        Notes for the user.
    diagnoses : DataFrame of shape (m, 4)
        Which diagnoses of the scored images counted as malignant and which as benign: columns
        ``diagnosis, side, n_rows, words``; see `hybridlesion.metadata.count_diagnoses`.
    """

    metrics: pd.DataFrame
    operating_points: pd.DataFrame
    subgroups: pd.DataFrame
    sources: pd.DataFrame | None
    comparison: pd.DataFrame | None
    by_diagnosis: pd.DataFrame | None
    confusion: pd.DataFrame | None
    selective_risk: pd.DataFrame | None
    cases: pd.DataFrame
    threshold: float | None
    threshold_rule: str | None
    content: dict
    paths: tuple[Path, ...]
    warnings: tuple[str, ...]
    diagnoses: pd.DataFrame


def report_scores(
    scores: str | os.PathLike,
    truth: Sequence[str | os.PathLike],
    out: str | os.PathLike,
    *,
    against: str | os.PathLike | None = None,
    threshold: float | None = None,
    cost_ratio: float | None = None,
    id_column: str | None = None,
    columns: Mapping[str, str] | None = None,
    target: str | None = None,
    malignant: Sequence[str] | None = None,
    benign: Sequence[str] | None = None,
    source: str | None = None,
    n_bootstrap: int = 2000,
    random_state: int = 0,
) -> ScoreReport:
    """Evaluate a table of scores against the truth, and write tables and figures.

    Parameters
    ----------
    scores : str or path-like
        CSV or Parquet with an image id and ``score``; ``hybridlesion score`` writes such a file.
        Its ``patient_id``, ``lesion_id`` and ``duplicate_cluster`` are used if missing from the
        truth.
    truth : sequence of str or path-like
        Tables in any ISIC layout with the diagnoses. A feature table adds subgroups by estimated
        skin tone, hair and dark corners.
    out : str or path-like
        Folder for the files.
    against : str or path-like, default=None
        Another table of scores for the same images, for comparison.
    threshold : float, default=None
        Threshold. If None, the column ``threshold`` of `scores` is used.
    cost_ratio : float, default=None
        Number of false positives that cost as much as one missed malignant lesion.
    id_column : str, default=None
        Column of image ids in the truth. If None, it is detected automatically.
    columns : mapping of str to str, default=None
        Columns of the truth by record column.
    target : str, default=None
        Column of the truth that indicates malignant lesions. If None, it is detected automatically.
    malignant : sequence of str, default=None
        Diagnoses that count as malignant if the truth contains only diagnoses.
    benign : sequence of str, default=None
        Unknown diagnoses that count as benign.
    source : str, default=None
        Column of the truth or of `scores` that names the hospital, device or data set of each
        image, for metrics by source and a prediction for a new source.
    n_bootstrap : int, default=2000
        Number of bootstrap samples for each interval; patients are resampled if known.
    random_state : int, default=0
        Seed of the bootstrap.

    Returns
    -------
    ScoreReport
        Metrics, cases and the files written.

    Raises
    ------
    TableError
        If scores cannot be read, no image has a known truth, a scored image has an unknown
        diagnosis, or only one class or one source occurs.
    SourceError
        If the folder cannot be written to, or an output file is one of the tables.
    """
    table, baseline = read_scores(scores), None if against is None else read_scores(against)
    names = (*_FILES, *(() if against is None else _FILES_AGAINST))
    names += _FILES_DIAGNOSES if PREDICTED in table.frame else ()
    names += () if source is None else _FILES_SOURCES
    names += _FILES_CERTAINTY if set(CERTAINTIES) & set(table.frame) else ()
    paths = {name: check_writable(Path(out) / name) for name in names}
    check_apart(paths.values(), [scores, against, *truth])
    rule = None
    if threshold is None:
        threshold = table.threshold
        rule = "for the highest F1 here" if threshold is None else table.rule or "of the scores"
    labels = {"target_column": target, "malignant": malignant, "benign": benign}
    records = read_records(list(truth), id_column=id_column, columns=columns, **labels)
    scored = records.frame[records.frame["image_id"].isin(table.frame["image_id"])]
    cases, notes = join_truth(table.frame, records.frame)
    draw = {"n_bootstrap": n_bootstrap, "random_state": random_state}
    attributes = attributes_of(cases)
    if source is not None:
        named = read_sources([*truth, scores], source, cases["image_id"], id_column, records)
        attributes.insert(0, "source", named)
    tables = _measure(cases, attributes, threshold, cost_ratio, draw)
    both, tables["comparison"], more = _compare(cases, baseline, threshold, draw)
    tables["by_diagnosis"], tables["confusion"], of_diagnoses = _measure_diagnoses(cases, draw)
    if tables["confusion"] is None:
        paths = {name: path for name, path in paths.items() if name not in _FILES_DIAGNOSES}
    unit = group_unit(cases)
    if unit != "patients":
        narrow = "are narrower than those over patients"
        more = [*more, f"no patient_id: intervals resample {unit} and {narrow}."]
    more = [*more, *note_ungrouped(cases)]
    caveats = metrics.interval_caveats(tables["metrics"])
    of_sources = () if source is None else metrics.describe_sources(tables["sources"])
    if source is not None and "fold" in read_table(scores):
        more = [*more, TRAINED_ON]
    warnings = (*records.warnings, *table.warnings, *notes, *of_diagnoses, *more, *caveats)
    diagnoses = count_diagnoses(scored, records.diagnoses)
    cut = {"threshold": threshold, "threshold_rule": rule}
    content = {
        "scores": Path(scores).name,
        "against": None if against is None else Path(against).name,
        **cut,
        "n_bootstrap": n_bootstrap,
        "unit": unit,
        "diagnoses": diagnoses.to_dict("records"),
        **{name: _plain(found) for name, found in tables.items()},
        "new_source": list(of_sources),
        "warnings": list(warnings),
    }
    said = {"content": content, "warnings": warnings, "diagnoses": diagnoses}
    report = ScoreReport(**tables, cases=cases, paths=tuple(paths.values()), **cut, **said)
    for name, found in tables.items():
        if found is not None:
            with atomic_path(paths[f"{name}.csv"]) as temporary:
                found.to_csv(temporary, index=False)
    with atomic_path(paths["metrics.json"]) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n")
    draw_figures(report, both, paths, draw)
    return report


def _measure(
    cases: pd.DataFrame,
    attributes: pd.DataFrame,
    threshold: float | None,
    cost_ratio: float | None,
    draw: dict[str, int],
) -> dict[str, pd.DataFrame | None]:
    y, score = cases["target"].to_numpy(dtype=int), cases["score"].to_numpy()
    options = {"groups": grouping(cases).to_numpy(), **draw}
    costs = {"threshold": threshold, "cost_ratio": cost_ratio}
    found = metrics.evaluate(y, score, threshold=threshold, **options)
    cut = float(found.set_index("metric").loc["threshold", "value"])
    points = metrics.operating_points(y, score, **costs, **options)
    subgroups = metrics.evaluate_subgroups(y, score, attributes, threshold=cut, **options)
    found_at = {
        "metrics": found,
        "operating_points": points,
        "subgroups": subgroups,
        "selective_risk": risk_curves(cases, cut),
    }
    if "source" not in attributes:
        return found_at | {"sources": None}
    known = (subgroups["attribute"] == "source") & (subgroups["group"] != "unknown")
    return found_at | {"sources": metrics.summarize_sources(subgroups[known])}


def _compare(
    cases: pd.DataFrame, baseline: ScoreTable | None, threshold: float | None, draw: dict[str, int]
) -> tuple[pd.DataFrame, pd.DataFrame | None, list[str]]:
    """Return the cases with both scores, the differences, and notes."""
    if baseline is None:
        return cases, None, []
    both, notes = add_baseline(cases, baseline.frame)
    thresholds = {"threshold": threshold, "threshold_against": baseline.threshold}
    options = {"groups": grouping(both).to_numpy(), **thresholds, **draw}
    comparison = metrics.compare_scores(*_both_scores(both), **options)
    return both, comparison, [*baseline.warnings, *notes]


def _measure_diagnoses(
    cases: pd.DataFrame, draw: dict[str, int]
) -> tuple[pd.DataFrame | None, pd.DataFrame | None, list[str]]:
    """Return metrics and confusion matrix of the diagnoses, if scores and truth have any."""
    if PREDICTED not in cases:
        return None, None, []
    known = name_classes(cases["diagnosis"]) if "diagnosis" in cases else pd.Series(dtype=object)
    known = known.dropna()
    if known.nunique() < 2:
        note = "the diagnoses of the scores were not evaluated: the truth names fewer than two of "
        return None, None, [f"{note}{', '.join(CLASSES)}."]
    rows, notes = cases.loc[known.index], []
    if len(rows) < len(cases):
        others = count_words(len(cases) - len(rows), "image")
        notes.append(f"{others} of other diagnoses count for the score only.")
    counts = known.value_counts().reindex(list(CLASSES)).dropna()
    unknown = [
        f"{name} ({n:.0f})" for name, n in counts.items() if not rows[f"p_{CLASSES[name]}"].any()
    ]
    if unknown:
        notes.append(f"the model did not learn these diagnoses: {', '.join(unknown)}.")
    truth, predicted = known.map(CLASSES), rows[PREDICTED].map(CLASSES)
    options = {"predicted": predicted, "groups": grouping(rows).to_numpy(), **draw}
    codes = list(CLASSES.values())
    found = metrics.evaluate_diagnoses(truth, rows[PROBABILITIES], codes, **options)
    confusion = metrics.confusion_matrix(known, rows[PREDICTED], list(CLASSES))
    return found, confusion.reset_index(), notes


def _both_scores(both: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return truth, score and the score to compare with."""
    y = both["target"].to_numpy(dtype=int)
    return y, both["score"].to_numpy(), both["against"].to_numpy()


def _plain(table: pd.DataFrame | None) -> list[dict] | dict[str, dict] | None:
    """Convert a table for JSON: one dict per row, keyed by metric if there is such a column."""
    if table is None:
        return None
    rows = table.to_dict("records")
    for row in rows:
        numbers = {name: value for name, value in row.items() if isinstance(value, float)}
        row.update({name: None for name, value in numbers.items() if not math.isfinite(value)})
    return {row.pop("metric"): row for row in rows} if "metric" in table else rows


# Callers rely on the order of the first three.
_FILES = (
    *("metrics.csv", "metrics.json", "metrics.png", "operating_points.csv", "subgroups.csv"),
    *("reliability.png", "decision_curve.png", "subgroups.png"),
)
_FILES_DIAGNOSES = ("by_diagnosis.csv", "confusion.csv", "confusion.png")
_FILES_CERTAINTY = ("selective_risk.csv", "selective_risk.png")
_FILES_AGAINST = ("comparison.csv", "comparison.png")
_FILES_SOURCES = ("sources.csv",)


def draw_figures(
    report: ScoreReport, both: pd.DataFrame, paths: Mapping[str, Path], draw: Mapping
) -> None:
    """Draw the figures of a report, including comparison and diagnoses if available.

    Parameters
    ----------
    report : ScoreReport
        Report to draw.
    both : DataFrame of shape (n, columns)
        Cases with the column ``against``, if there is a comparison.
    paths : mapping of str to Path
        Path by file name.
    draw : mapping
        ``n_bootstrap`` and ``random_state`` of the band around the net benefit.
    """
    y, score = report.cases["target"].to_numpy(dtype=int), report.cases["score"].to_numpy()
    known, cut = {"metrics": report.metrics}, {"threshold": report.threshold}
    plotting.metric_figure(y, score, paths["metrics.png"], **cut, **known)
    plotting.reliability_figure(y, score, paths["reliability.png"], **known)
    groups = grouping(report.cases).to_numpy()
    plotting.decision_figure(y, score, paths["decision_curve.png"], groups=groups, **cut, **draw)
    plotting.subgroup_figure(report.subgroups, paths["subgroups.png"])
    if report.selective_risk is not None:
        plotting.selective_figure(report.selective_risk, paths["selective_risk.png"])
    if report.comparison is not None:
        names = (report.content["scores"], report.content["against"])
        found = {"comparison": report.comparison, "names": names}
        plotting.comparison_figure(*_both_scores(both), paths["comparison.png"], **found)
    if report.confusion is not None:
        counts = report.confusion.set_index("diagnosis")
        plotting.confusion_figure(counts, paths["confusion.png"], metrics=report.by_diagnosis)
