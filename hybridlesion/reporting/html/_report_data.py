"""Contents of a report: model file, out-of-fold scores, and scores of further lesions."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from hybridlesion.batch import count_errors
from hybridlesion.featurizer import LesionFeaturizer
from hybridlesion.leakage import in_sample_mask
from hybridlesion.metadata import read_records, read_sources
from hybridlesion.metrics import (
    compare_scores,
    describe_sources,
    evaluate,
    evaluate_subgroups,
    summarize_sources,
)
from hybridlesion.model_selection import grouping
from hybridlesion.persistence import load_artifact, read_manifest
from hybridlesion.pipeline import split_steps, threshold_rule
from hybridlesion.reporting._score_table import (
    TRAINED_ON,
    add_baseline,
    join_truth,
    read_scores,
    risk_curves,
)

_OUT_OF_FOLD = "Training lesions, out-of-fold scores"


@dataclass(frozen=True)
class Evaluation:
    """Scores and truth of a set of lesions.

    Parameters
    ----------
    key : str
        Prefix of ids on the page.
    title : str
        Title of the set.
    y : ndarray of shape (n,), int
        Truth, 1 for malignant.
    score : ndarray of shape (n,), 0 to 1
        Probabilities.
    groups : ndarray of shape (n,), int
        Patient of each row.
    threshold : float
        Threshold.
    rule : str or None
        How the threshold was chosen; see `hybridlesion._formatting.threshold_words`.
    metrics : DataFrame
        Columns metric, value, low, high.
    unit : str
        What the groups are: "patients" if these are known.
    risk : DataFrame, default=None
        Result of `hybridlesion.reporting._score_table.risk_curves`.
    """

    key: str
    title: str
    y: np.ndarray
    score: np.ndarray
    groups: np.ndarray
    threshold: float
    rule: str | None
    metrics: pd.DataFrame
    unit: str
    risk: pd.DataFrame | None = None


@dataclass(frozen=True)
class Comparison:
    """Scores of the model and other scores of the same lesions.

    Parameters
    ----------
    name : str
        Name of the other scores; may contain external text.
    y : ndarray of shape (n,), int
        Truth, 1 for malignant.
    score, against : ndarray of shape (n,)
        Scores of the model, and the others.
    differences : DataFrame
        Result of `hybridlesion.metrics.compare_scores`.
    """

    name: str
    y: np.ndarray
    score: np.ndarray
    against: np.ndarray
    differences: pd.DataFrame


@dataclass(frozen=True)
class ReportData:
    """Contents of the page.

    Parameters
    ----------
    name : str
        Name of the model file.
    manifest : mapping
        Manifest of the file.
    featurizer : LesionFeaturizer or None
        Featurizer of the model; None if the model scores only feature tables.
    classifier : estimator
        The fitted classifier.
    evaluations : tuple of Evaluation
        Evaluation of the out-of-fold scores first, then of further lesions.
    cases : DataFrame or None
        Scored lesions, with truth, metadata and reasons if known.
    of_cases : Evaluation or None
        Evaluation of `cases`; None without truth.
    out_of_fold : bool
        Whether the cases are the training lesions with their out-of-fold scores.
    threshold : float or None
        Lowest score that is classified as malignant.
    rule : str or None
        How the threshold was chosen.
    notes : tuple of str
        Notes on the tables.
    comparisons : tuple of Comparison
        The CNN alone if its scores are known, then the other scores that were given, and the
        baselines of the training lesions.
    n_scored, n_failed : int
        Number of scored images, and of images that could not be scored.
    sources : mapping, default=None
        Metrics of the cases by source, in the form of
        `hybridlesion.training.SourceValidation.facts`, if a column of sources is given.
    """

    name: str
    manifest: Mapping
    featurizer: LesionFeaturizer | None
    classifier: BaseEstimator
    evaluations: tuple[Evaluation, ...]
    cases: pd.DataFrame | None
    of_cases: Evaluation | None
    out_of_fold: bool
    threshold: float | None
    rule: str | None
    notes: tuple[str, ...]
    comparisons: tuple[Comparison, ...]
    n_scored: int
    n_failed: int
    sources: Mapping | None = None


def collect_report_data(
    model: str | os.PathLike,
    scores: str | os.PathLike | None,
    truth: Sequence[str | os.PathLike],
    against: Sequence[str | os.PathLike],
    options: Mapping[str, object],
    source: str | None = None,
) -> ReportData:
    """Read a model file and, if given, scores and truth of further lesions.

    Parameters
    ----------
    model : str or path-like
        Model file.
    scores : str, path-like or None
        Table written by ``hybridlesion score``, with reasons if these were requested.
    truth : sequence of str or path-like
        Tables in any ISIC layout, and feature tables; joined on the image id.
    against : sequence of str or path-like
        Tables of other scores of the same lesions.
    options : mapping
        Options of `hybridlesion.metadata.read_records` for the truth.
    source : str, default=None
        Column of the truth or the scores that names the source of each lesion.

    Returns
    -------
    ReportData
        Contents of the report.

    Raises
    ------
    ArtifactError
        If the model file cannot be used.
    TableError
        If a table cannot be used.
    """
    manifest = read_manifest(model)
    featurizer, classifier = split_steps(load_artifact(model))
    threshold, rule = getattr(classifier, "threshold_", None), threshold_rule(classifier)
    evaluations, cases, of_cases, notes, out_of_fold = [], None, None, [], False
    compared, counts, sources = [], (0, 0), None
    baselines = compare_baselines(classifier)
    if hasattr(classifier, "target_"):
        known = (manifest.get("training") or {}).get("n_patients")
        evaluations.append(_out_of_fold(classifier, "patients" if known else "groups"))
    if scores is not None:
        scored = read_scores(scores)
        cases, notes = scored.frame, list(scored.warnings)
        counts = len(cases), count_errors(scores)
        out_of_fold = _are_out_of_fold(cases["score"], classifier)
        # A number read from text may differ in the last digit.
        known = scored.threshold is not None
        if known and (threshold is None or not math.isclose(scored.threshold, threshold)):
            threshold, rule = scored.threshold, scored.rule
        if truth:
            records = read_records(list(truth), **options)
            cases, left_out = join_truth(cases, records.frame)
            notes += [*records.warnings, *left_out]
            of_cases = _scored(cases, threshold, rule, Path(scores).name, out_of_fold=out_of_fold)
            # Do not report the same scores twice.
            evaluations = [of_cases] if out_of_fold else [*evaluations, of_cases]
            # Out of fold, the CNN alone is one of the baselines.
            network = (
                None if out_of_fold and baselines else getattr(classifier, "leading_", "cnn__score")
            )
            compared, more = _compare(cases, against, network, of_cases.threshold)
            notes += more
            if source is not None:
                tables, ids = [*truth, scores], options.get("id_column")
                named = read_sources(tables, source, cases["image_id"], ids)
                sources = _by_source(source, named, of_cases, out_of_fold=out_of_fold)
        own = [name for name in scored.reasons if name == "image_id" or name not in cases]
        cases = cases.merge(scored.reasons[own], on="image_id", how="left")
    compared += baselines
    file = (Path(model).name, manifest, featurizer, classifier)
    found = (tuple(evaluations), cases, of_cases, out_of_fold)
    return ReportData(
        *file, *found, threshold, rule, tuple(notes), tuple(compared), *counts, sources
    )


_BASELINES = {
    "metadata": "Metadata alone (age, sex, site)",
    "logistic": "Logistic regression on all columns",
    "cnn": "CNN alone",
}


def compare_baselines(classifier: BaseEstimator) -> list[Comparison]:
    """Compare the out-of-fold scores of a model with those of its baselines.

    Parameters
    ----------
    classifier : HybridLesionClassifier
        Fitted classifier; of an earlier release, or without feature table, it has no baselines.

    Returns
    -------
    list of Comparison
        One per baseline, on the rows that it scores.
    """
    scores = getattr(classifier, "oof_baselines_", None)
    found = []
    for key, column in () if scores is None else scores.items():
        rows = column.notna().to_numpy()
        y = np.asarray(classifier.target_, dtype=int)[rows]
        if len(np.unique(y)) < 2:
            continue
        score, against = np.asarray(classifier.oof_score_)[rows], column.to_numpy()[rows]
        # Fewer draws than for other scores: intervals use only their standard deviation.
        table = compare_scores(y, score, against, groups=classifier.groups_[rows], n_bootstrap=200)
        found.append(Comparison(f"{_BASELINES[key]}, out of fold", y, score, against, table))
    return found


def _compare(
    cases: pd.DataFrame, against: Sequence[str | os.PathLike], network: str | None, threshold: float
) -> tuple[list[Comparison], list[str]]:
    """Compare the scores with those of the CNN alone and with other tables."""
    found, notes = [], []
    if network in cases:
        # Scores of images that the network was trained on would be optimistic.
        rows = cases[cases[network].notna() & ~in_sample_mask(cases)]
        if rows["target"].nunique() == 2:
            found.append(("CNN alone", rows.assign(against=rows[network]), None))
    for path in against:
        table = read_scores(path)
        both, more = add_baseline(cases, table.frame)
        notes += [*table.warnings, *more]
        found.append((Path(path).stem.replace("_", " "), both, table.threshold))
    compared = []
    for name, both, cut in found:
        y, groups = both["target"].to_numpy(dtype=int), grouping(both).to_numpy()
        score, others = (both[column].to_numpy(dtype=float) for column in ("score", "against"))
        cuts = {"threshold": threshold, "threshold_against": cut}
        table = compare_scores(y, score, others, groups=groups, n_bootstrap=1000, **cuts)
        compared.append(Comparison(name, y, score, others, table))
    return compared, notes


def _out_of_fold(classifier: BaseEstimator, unit: str) -> Evaluation:
    y, score = np.asarray(classifier.target_, dtype=int), np.asarray(classifier.oof_score_)
    groups, rule = np.asarray(classifier.groups_), threshold_rule(classifier)
    recalibration, metrics = classifier.recalibration_, classifier.metrics_
    # Out-of-fold scores are those before recalibration.
    threshold = classifier.threshold_ if recalibration is None else recalibration.threshold
    return Evaluation("oof", _OUT_OF_FOLD, y, score, groups, float(threshold), rule, metrics, unit)


def _scored(
    cases: pd.DataFrame, threshold: float | None, rule: str | None, name: str, *, out_of_fold: bool
) -> Evaluation:
    y, score = cases["target"].to_numpy(dtype=int), cases["score"].to_numpy(dtype=float)
    groups = grouping(cases).to_numpy()
    metrics = evaluate(y, score, groups=groups, threshold=threshold)
    used = float(metrics.set_index("metric")["value"]["threshold"])
    key, title = ("oof", _OUT_OF_FOLD) if out_of_fold else ("scored", f"Lesions of {name}")
    rule = "for the highest F1 here" if threshold is None else rule
    known = "patient_id" in cases and cases["patient_id"].notna().any()
    unit = "patients" if known else "groups"
    risk = risk_curves(cases, used)
    return Evaluation(key, title, y, score, groups, used, rule, metrics, unit, risk)


def _by_source(
    column: str, named: pd.Series, scored: Evaluation, *, out_of_fold: bool
) -> dict[str, object]:
    """Evaluate scored lesions by source, and predict the metrics at a new one."""
    attributes = pd.DataFrame({"source": named})
    options = {"threshold": scored.threshold, "groups": scored.groups, "n_bootstrap": 1000}
    found = evaluate_subgroups(scored.y, scored.score, attributes, **options)
    known = (found["attribute"] == "source") & (found["group"] != "unknown")
    table = found[known].rename(columns={"group": "source"})
    summary = summarize_sources(table)
    return {
        "column": column,
        "table": table,
        "summary": summary,
        "gains": (),
        "notes": [TRAINED_ON] if out_of_fold else [],
        "new_source": describe_sources(summary),
    }


def _are_out_of_fold(scores: pd.Series, classifier: BaseEstimator) -> bool:
    """Return whether scores are the out-of-fold scores of the model, in any order."""
    kept = np.sort(np.asarray(getattr(classifier, "oof_score_", ())))
    return len(kept) == len(scores) and np.allclose(kept, np.sort(scores), rtol=0, atol=1e-5)
