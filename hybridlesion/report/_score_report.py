"""Scores against the truth: measures with intervals, groups of patients, figures."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from hybridlesion._files import check_apart
from hybridlesion.evaluation import (
    compare_scores,
    evaluate,
    evaluate_subgroups,
    interval_caveats,
    operating_points,
)
from hybridlesion.metadata import count_diagnoses, read_records
from hybridlesion.report._attributes import attributes_of
from hybridlesion.report._score_files import (
    check_outputs,
    describe_tables,
    draw_figures,
    write_tables,
)
from hybridlesion.report._score_table import ScoreTable, add_rival, join_truth, read_scores
from hybridlesion.splits import GROUP_COLUMNS, grouping

__all__ = ["ScoreReport", "report_scores"]


@dataclass(frozen=True)
class ScoreReport:
    """What an evaluation found and wrote.

    Parameters
    ----------
    metrics : DataFrame
        Columns metric, value, low, high.
    operating_points : DataFrame
        Thresholds by rule, see `hybridlesion.evaluation.operating_points`.
    subgroups : DataFrame
        Measures by age band, sex, site, skin tone and picture quality, as far as known; see
        `hybridlesion.evaluation.evaluate_subgroups`.
    comparison : DataFrame or None
        Differences to the other scores, if there were any.
    cases : DataFrame of shape (n, columns)
        The truth's records with a score each.
    threshold : float or None
        Operating point of the measures that need one; None if neither the user nor the scores
        name one, so that the best F1 chose it.
    threshold_rule : str or None
        How the operating point was chosen, as "for 90 % sensitivity"; None if the user named it.
    content : dict
        What metrics.json holds.
    paths : tuple of Path
        Files written: metrics.csv, metrics.json, metrics.png, then the others.
    warnings : tuple of str
        What a user should know.
    diagnoses : DataFrame of shape (m, 4)
        Which diagnoses of the scored images counted as malignant and which as benign: columns
        ``diagnosis, side, n_rows, words``, see `hybridlesion.metadata.count_diagnoses`.
    """

    metrics: pd.DataFrame
    operating_points: pd.DataFrame
    subgroups: pd.DataFrame
    comparison: pd.DataFrame | None
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
    n_bootstrap: int = 2000,
    random_state: int = 0,
) -> ScoreReport:
    """Measure a table of scores against the truth, and write measures and figures.

    Parameters
    ----------
    scores : str or path-like
        CSV or Parquet with an image id and ``score``; ``hybridlesion score`` writes one. Its
        ``patient_id``, ``lesion_id`` and ``duplicate_cluster`` stand in where the truth has none.
    truth : sequence of str or path-like
        Tables in any ISIC layout that say which lesions are malignant. With a feature table among
        them, scores are measured by estimated skin tone, hair and dark corners, too.
    out : str or path-like
        Folder for the files.
    against : str or path-like, default=None
        Another table of scores of the same images, to compare with.
    threshold : float, default=None
        Operating point; None takes the one in the column ``threshold`` of `scores`.
    cost_ratio : float, default=None
        Cost of one missed malignant lesion in needless calls, for thresholds that mind it.
    id_column : str, default=None
        Column of the truth that names the image; None finds it.
    columns : mapping of str to str, default=None
        Names that the truth uses, by the record column that each stands for.
    target : str, default=None
        Column of the truth that says which are malignant; None finds it.
    malignant : sequence of str, default=None
        Diagnoses that count as malignant where the truth gives diagnoses only.
    benign : sequence of str, default=None
        Words that count as benign though they are no known diagnosis.
    n_bootstrap : int, default=2000
        Draws behind each interval, which weigh whole patients where these are known.
    random_state : int, default=0
        Seed of the draws.

    Returns
    -------
    ScoreReport
        Measures, cases and the files written.

    Raises
    ------
    TableError
        If scores cannot be read, no image has a truth, a scored image has a diagnosis that is not
        known, or only one class occurs.
    SourceError
        If the folder cannot be written, or a file to be written is one of the tables.
    """
    paths = check_outputs(out, against is not None)
    check_apart(paths.values(), [scores, against, *truth])
    table, rival = read_scores(scores), None if against is None else read_scores(against)
    rule = None
    if threshold is None:
        threshold = table.threshold
        rule = "for the highest F1 here" if threshold is None else table.rule or "of the scores"
    records = read_records(
        list(truth),
        id_column=id_column,
        target_column=target,
        malignant=malignant,
        columns=columns,
        benign=benign,
    )
    scored = records.frame[records.frame["image_id"].isin(table.frame["image_id"])]
    cases, notes = join_truth(table.frame, records.frame)
    draw = {"n_bootstrap": n_bootstrap, "random_state": random_state}
    tables = _measure(cases, threshold, cost_ratio, draw)
    both, comparison, more = _compare(cases, rival, threshold, draw)
    warnings = (
        *(*records.warnings, *table.warnings, *notes, *more, *_note_unit(cases)),
        *interval_caveats(tables["metrics"]),
    )
    diagnoses = count_diagnoses(scored, records.diagnoses)
    facts = {
        "scores": Path(scores).name,
        "against": None if against is None else Path(against).name,
        "threshold": threshold,
        "threshold_rule": rule,
        "n_bootstrap": n_bootstrap,
        "unit": _unit(cases),
        "diagnoses": diagnoses.to_dict("records"),
    }
    report = ScoreReport(
        **tables,
        comparison=comparison,
        cases=cases,
        threshold=threshold,
        threshold_rule=rule,
        content=facts | describe_tables(**tables, comparison=comparison, warnings=warnings),
        paths=tuple(paths.values()),
        warnings=warnings,
        diagnoses=diagnoses,
    )
    write_tables(report, paths)
    draw_figures(report, both, paths, draw)
    return report


def _measure(
    cases: pd.DataFrame, threshold: float | None, cost_ratio: float | None, draw: dict
) -> dict[str, pd.DataFrame]:
    y, score = cases["target"].to_numpy(dtype=int), cases["score"].to_numpy()
    options = {"groups": grouping(cases).to_numpy(), **draw}
    metrics = evaluate(y, score, threshold=threshold, **options)
    cut = float(metrics.set_index("metric").loc["threshold", "value"])
    points = operating_points(y, score, threshold=threshold, cost_ratio=cost_ratio, **options)
    subgroups = evaluate_subgroups(y, score, attributes_of(cases), threshold=cut, **options)
    return {"metrics": metrics, "operating_points": points, "subgroups": subgroups}


def _compare(
    cases: pd.DataFrame, rival: ScoreTable | None, threshold: float | None, draw: dict
) -> tuple[pd.DataFrame, pd.DataFrame | None, list[str]]:
    """Return the cases with both scores, the differences, and what a user should know."""
    if rival is None:
        return cases, None, []
    both, notes = add_rival(cases, rival.frame)
    comparison = compare_scores(
        both["target"].to_numpy(dtype=int),
        both["score"].to_numpy(),
        both["against"].to_numpy(),
        groups=grouping(both).to_numpy(),
        threshold=threshold,
        threshold_against=rival.threshold,
        **draw,
    )
    return both, comparison, [*rival.warnings, *notes]


def _unit(cases: pd.DataFrame) -> str:
    """Name what the intervals are over."""
    if "patient_id" in cases and cases["patient_id"].notna().any():
        return "patients"
    others = [name for name in GROUP_COLUMNS if name in cases and cases[name].notna().any()]
    return "lesions" if others else "images"


def _note_unit(cases: pd.DataFrame) -> list[str]:
    unit = _unit(cases)
    if unit == "patients":
        return []
    return [f"no patient_id: intervals are over {unit}, and narrower than over patients."]
