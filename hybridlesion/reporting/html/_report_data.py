"""Contents of a report: model file, out-of-fold scores, and scores of further lesions."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from hybridlesion import metrics
from hybridlesion.batch import count_errors
from hybridlesion.featurizer import LesionFeaturizer
from hybridlesion.leakage import in_sample_mask
from hybridlesion.metadata import read_records, read_sources
from hybridlesion.model_selection import grouping
from hybridlesion.persistence import load_artifact, read_manifest
from hybridlesion.pipeline import split_steps, threshold_rule
from hybridlesion.reporting._score_table import (
    TRAINED_ON,
    ScoreTable,
    add_baseline,
    group_unit,
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


@dataclass
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
    threshold : float or None
        Lowest score that is classified as malignant.
    rule : str or None
        How the threshold was chosen.
    evaluations : list of Evaluation, optional
        Evaluation of the out-of-fold scores first, then of further lesions.
    cases : DataFrame, default=None
        Scored lesions, with truth, metadata and reasons if known.
    of_cases : Evaluation, default=None
        Evaluation of `cases`; None without truth.
    out_of_fold : bool, default=False
        Whether the cases are the training lesions with their out-of-fold scores.
    notes : list of str, optional
        Notes on the tables.
    comparisons : list of Comparison, optional
        The CNN alone if its scores are known, then the other scores that were given, and the
        baselines of the training lesions.
    n_scored, n_failed : int, default=0
        Number of scored images, and of images that could not be scored or on which the model
        abstained.
    sources : mapping, default=None
        Metrics of the cases by source, in the form of
        `hybridlesion.training.SourceValidation.facts`, if a column of sources is given.
    """

    name: str
    manifest: Mapping
    featurizer: LesionFeaturizer | None
    classifier: BaseEstimator
    threshold: float | None
    rule: str | None
    evaluations: list[Evaluation] = field(default_factory=list)
    cases: pd.DataFrame | None = None
    of_cases: Evaluation | None = None
    out_of_fold: bool = False
    notes: list[str] = field(default_factory=list)
    comparisons: list[Comparison] = field(default_factory=list)
    n_scored: int = 0
    n_failed: int = 0
    sources: Mapping | None = None


def collect_report_data(
    model: str | os.PathLike,
    scores: str | os.PathLike | None,
    truth: Sequence[str | os.PathLike],
    against: Sequence[str | os.PathLike],
    options: Mapping[str, object],
    source: str | None = None,
    *,
    key: bytes | None = None,
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
    key : bytes, default=None
        Key that must have signed the model file. If None, signatures are not checked.

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
    manifest = read_manifest(model, key=key)
    featurizer, classifier = split_steps(load_artifact(model, key=key))
    cut = getattr(classifier, "threshold_", None), threshold_rule(classifier)
    data = ReportData(Path(model).name, manifest, featurizer, classifier, *cut)
    if hasattr(classifier, "target_"):
        known = (manifest.get("training") or {}).get("n_patients")
        data.evaluations.append(_out_of_fold(classifier, "patients" if known else "groups"))
    baselines = compare_baselines(classifier)
    if scores is not None:
        scored = _add_scores(data, scores)
        if truth:
            records = read_records(list(truth), **options)
            data.cases, left_out = join_truth(data.cases, records.frame)
            data.notes += [*records.warnings, *left_out]
            data.of_cases = _evaluate(data, Path(scores).name)
            # Do not report the same scores twice.
            data.evaluations = [*([] if data.out_of_fold else data.evaluations), data.of_cases]
            # Out of fold, the CNN alone is one of the baselines.
            network = getattr(classifier, "leading_", "cnn__score")
            _compare(data, against, None if data.out_of_fold and baselines else network)
            if source is not None:
                tables, ids = [*truth, scores], options.get("id_column")
                named = read_sources(tables, source, data.cases["image_id"], ids, records)
                data.sources = _by_source(data, source, named)
        own = [name for name in scored.reasons if name == "image_id" or name not in data.cases]
        data.cases = data.cases.merge(scored.reasons[own], on="image_id", how="left")
    data.comparisons += baselines
    return data


def _add_scores(data: ReportData, path: str | os.PathLike) -> ScoreTable:
    """Read the scored lesions, and the threshold of the scores if it is another one."""
    scored = read_scores(path)
    data.cases, data.notes = scored.frame, list(scored.warnings)
    data.n_scored, data.n_failed = len(scored.frame), count_errors(path) + scored.n_unscored
    data.out_of_fold = _are_out_of_fold(scored.frame["score"], data.classifier)
    # A number read from text may differ in the last digit.
    known = scored.threshold is not None
    if known and (data.threshold is None or not math.isclose(scored.threshold, data.threshold)):
        former = getattr(data.classifier, "recalibration_", None)
        # Out-of-fold scores of a recalibrated model have the threshold from before.
        before = former is not None and math.isclose(scored.threshold, former.threshold)
        if data.threshold is not None and not before and "prevalence" not in scored.frame:
            data.notes.append(
                f"{Path(path).name} has the threshold {scored.threshold:.6g}, the model "
                f"{data.threshold:.6g}: are these scores of another model? Their threshold is used."
            )
        data.threshold, data.rule = scored.threshold, scored.rule
    return scored


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
        groups = classifier.groups_[rows]
        table = metrics.compare_scores(y, score, against, groups=groups, n_bootstrap=200)
        found.append(Comparison(f"{_BASELINES[key]}, out of fold", y, score, against, table))
    return found


def _compare(data: ReportData, against: Sequence[str | os.PathLike], network: str | None) -> None:
    """Compare the scores with those of the CNN alone and with other tables."""
    cases, found = data.cases, []
    if network in cases:
        # Scores of images that the network was trained on would be optimistic.
        rows = cases[cases[network].notna() & ~in_sample_mask(cases)]
        if rows["target"].nunique() == 2:
            found.append(("CNN alone", rows.assign(against=rows[network]), None))
    for path in against:
        table = read_scores(path)
        both, more = add_baseline(cases, table.frame)
        data.notes += [*table.warnings, *more]
        found.append((Path(path).stem.replace("_", " "), both, table.threshold))
    for name, both, cut in found:
        y, groups = both["target"].to_numpy(dtype=int), grouping(both).to_numpy()
        score, others = (both[column].to_numpy(dtype=float) for column in ("score", "against"))
        cuts = {"threshold": data.of_cases.threshold, "threshold_against": cut}
        table = metrics.compare_scores(y, score, others, groups=groups, n_bootstrap=1000, **cuts)
        data.comparisons.append(Comparison(name, y, score, others, table))


def _out_of_fold(classifier: BaseEstimator, unit: str) -> Evaluation:
    recalibration = classifier.recalibration_
    # Out-of-fold scores are those before recalibration.
    threshold = classifier.threshold_ if recalibration is None else recalibration.threshold
    return Evaluation(
        *("oof", _OUT_OF_FOLD),
        y=np.asarray(classifier.target_, dtype=int),
        score=np.asarray(classifier.oof_score_),
        groups=np.asarray(classifier.groups_),
        threshold=float(threshold),
        rule=threshold_rule(classifier),
        metrics=classifier.metrics_,
        unit=unit,
    )


def _evaluate(data: ReportData, name: str) -> Evaluation:
    """Evaluate the scored lesions of a table."""
    cases, threshold = data.cases, data.threshold
    y, score = cases["target"].to_numpy(dtype=int), cases["score"].to_numpy(dtype=float)
    groups = grouping(cases).to_numpy()
    found = metrics.evaluate(y, score, groups=groups, threshold=threshold)
    used = float(found.set_index("metric")["value"]["threshold"])
    key, title = ("oof", _OUT_OF_FOLD) if data.out_of_fold else ("scored", f"Lesions of {name}")
    rule = "for the highest F1 here" if threshold is None else data.rule
    risk = risk_curves(cases, used)
    return Evaluation(key, title, y, score, groups, used, rule, found, group_unit(cases), risk)


def _by_source(data: ReportData, column: str, named: pd.Series) -> dict[str, object]:
    """Evaluate the scored lesions by source, and predict the metrics at a new one."""
    scored, attributes = data.of_cases, pd.DataFrame({"source": named})
    options = {"threshold": scored.threshold, "groups": scored.groups, "n_bootstrap": 1000}
    found = metrics.evaluate_subgroups(scored.y, scored.score, attributes, **options)
    known = (found["attribute"] == "source") & (found["group"] != "unknown")
    table = found[known].rename(columns={"group": "source"})
    summary = metrics.summarize_sources(table)
    return {
        "column": column,
        "table": table,
        "summary": summary,
        "gains": (),
        "notes": [TRAINED_ON] if data.out_of_fold else [],
        "new_source": metrics.describe_sources(summary),
    }


def _are_out_of_fold(scores: pd.Series, classifier: BaseEstimator) -> bool:
    """Return whether scores are the out-of-fold scores of the model, in any order."""
    kept = np.sort(np.asarray(getattr(classifier, "oof_score_", ())))
    return len(kept) == len(scores) and np.allclose(kept, np.sort(scores), rtol=0, atol=1e-5)
