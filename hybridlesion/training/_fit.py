"""Fit a classifier to feature tables and metadata tables."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from hybridlesion._formatting import count_words
from hybridlesion._validation import as_pandas, check_choice
from hybridlesion.batch import count_errors
from hybridlesion.cnn import name_classes
from hybridlesion.exceptions import TableError
from hybridlesion.leakage import CNN_SEEN, LeakAudit, hash_training_ids
from hybridlesion.metadata import ColumnUse, read_records, read_sources
from hybridlesion.metrics import evaluate_diagnoses, interval_caveats, paired_bootstrap
from hybridlesion.model import SENSITIVITY, HybridLesionClassifier, check_decision
from hybridlesion.model_selection import GROUP_COLUMNS, Splits
from hybridlesion.pipeline import threshold_rule
from hybridlesion.training._sources import (
    SourceValidation,
    check_sources,
    leave_one_source_out,
)
from hybridlesion.training._training_rows import choose_rows, featurizer_of, read_configuration

# Minimum number of diagnosis classes for which probabilities are more informative than the score.
_FEWEST_DIAGNOSES = 3


@dataclass(frozen=True)
class TrainedModel:
    """Fitted model with its out-of-fold scores and a description of the fit.

    Parameters
    ----------
    model : Pipeline or HybridLesionClassifier
        Pipeline that scores raw images and feature tables, or a bare classifier if no table was
        extracted from images.
    out_of_fold : DataFrame of shape (n, columns)
        Table for `report_scores`, with the columns image_id, patient_id, lesion_id and
        duplicate_cluster (if known), target, out-of-fold score, fold, threshold and
        threshold_rule, out-of-fold probabilities of diagnoses if the model learned any, and, if
        sources were named, source and score_left_out, by the model without that source.
    metrics : DataFrame
        Metrics for the out-of-fold scores, with columns metric, value, low and high.
    facts : dict
        Digest and counts of the training rows, names of the tables, and excluded columns.
    set_aside : dict of str to str
        Columns excluded from the model, with the reasons.
    warnings : tuple of str
        Notes for the user.
    audit : LeakAudit
        Leakage audit.
    splits : Splits
        Folds used in the fit, which can be saved with `write_splits`.
    diagnoses : DataFrame of shape (m, 4)
        Diagnoses that were counted as malignant or benign, with columns ``diagnosis, side,
        n_rows, words``; see `hybridlesion.metadata.count_diagnoses`.
    columns : tuple of ColumnUse, default=()
        Use of each column of the tables.
    sources : SourceValidation, default=None
        Leave-one-source-out results, if sources were named.
    baselines : DataFrame of shape (b, 7), default=None
        Out-of-fold AUC, and that of simple models in the same folds: ``baseline`` (see
        `HybridLesionClassifier.fit_baselines`), ``n_rows`` that both score, ``auc``,
        ``auc_baseline`` and their paired ``difference`` with its 95 % interval ``low, high``.
    """

    model: BaseEstimator
    out_of_fold: pd.DataFrame
    metrics: pd.DataFrame
    facts: dict
    set_aside: Mapping[str, str]
    warnings: tuple[str, ...]
    audit: LeakAudit
    splits: Splits
    diagnoses: pd.DataFrame
    columns: tuple[ColumnUse, ...] = ()
    sources: SourceValidation | None = None
    baselines: pd.DataFrame | None = None


def fit_tables(
    tables: Sequence[str | os.PathLike],
    *,
    target: str | None = None,
    groups: str | None = None,
    malignant: Sequence[str] | None = None,
    benign: Sequence[str] | None = None,
    id_column: str | None = None,
    columns: Mapping[str, str] | None = None,
    n_splits: int = 5,
    n_seeds: int = 1,
    n_jobs: int = 1,
    random_state: int = 0,
    cnn_seen: str = "blank",
    splits: str | os.PathLike | None = None,
    sensitivity: float = SENSITIVITY,
    threshold: str | float | None = None,
    cost_ratio: float | None = None,
    allow_leaks: bool = False,
    audit: str | os.PathLike | None = None,
    source: str | None = None,
) -> TrainedModel:
    """Join tables on the image id, audit them for leaks and fit a calibrated classifier.

    Parameters
    ----------
    tables : sequence of str or path-like
        Feature tables from `extract_features` and metadata tables in any ISIC layout, in any order.
    target : str, default=None
        Column of the target. If None, it is detected automatically.
    groups : str, default=None
        Column whose values must not be split between folds. If None, images that share a patient,
        lesion, known duplicate or near-duplicate are grouped, as far as these are known.
    malignant : sequence of str, default=None
        Diagnoses to count as malignant if the table only contains diagnoses.
    benign : sequence of str, default=None
        Unknown diagnoses to count as benign.
    id_column : str, default=None
        Column that contains the image ids. If None, it is detected automatically.
    columns : mapping of str to str, default=None
        Mapping from record columns to the column names in the tables.
    n_splits : int, default=5
        Number of folds.
    n_seeds : int, default=1
        Number of repetitions with different folds.
    n_jobs : int, default=1
        Number of threads; -1 means using all cores.
    random_state : int, default=0
        Seed of the random number generator.
    cnn_seen : {"blank", "drop", "keep"}, default="blank"
        Treatment of rows whose ``cnn__score`` comes from a network that was trained on them: blank
        the score, drop the row, or keep both. Out-of-fold scores are always kept.
    splits : str or path-like, default=None
        File for `hybridlesion.model_selection.read_splits`. Folds in the file replace `n_splits`
        and `n_seeds`. If it contains parts, train and validation are used and test is left out.
    sensitivity : float, default=0.9
        Out-of-fold sensitivity at the model's threshold. Ignored if `threshold` or `cost_ratio` is
        given.
    threshold : {"f1", "youden"} or float, default=None
        Alternative rule for the model's threshold, or the threshold itself.
    cost_ratio : float, default=None
        Cost of a missed malignant lesion relative to a false positive, which determines the model's
        threshold.
    allow_leaks : bool, default=False
        Whether to fit even if the leakage audit fails.
    audit : str or path-like, default=None
        JSON file for the audit, which is written even if the audit fails.
    source : str, default=None
        Column of the tables that names the hospital, device or data set of each image, to fit a
        model without each source and to evaluate it there; see `SourceValidation`. The column may
        be one that no model reads, such as ``attribution``.

    Returns
    -------
    TrainedModel
        Fitted model, out-of-fold scores and their metrics.

    Raises
    ------
    OptionError
        If an option is out of range, or more than one of `sensitivity`, `threshold` and
        `cost_ratio` is set.
    TableError
        If the tables cannot be joined, lack a target or a specified column, or contain a single
        class, an unknown diagnosis, fewer than two sources or more than 20; if the splits lack an
        image; or if the audit finds target leakage, or a patient, lesion or known duplicate in
        several of the given splits.
    """
    check_choice("cnn_seen", cnn_seen, CNN_SEEN)
    decision = {"sensitivity": sensitivity, "threshold": threshold, "cost_ratio": cost_ratio}
    check_decision(**decision)
    configuration = read_configuration(tables)
    labels = {"target_column": target, "malignant": malignant, "benign": benign}
    records = read_records(list(tables), id_column=id_column, columns=columns, **labels)
    drawing = n_splits, n_seeds, random_state
    rows = choose_rows(records, tables, id_column, groups, cnn_seen, splits, drawing)
    sources = None
    if source is not None:
        sources = read_sources(tables, source, rows.table["image_id"], id_column, records)
        check_sources(sources, rows.y)
    if audit is not None:
        rows.audit.write(audit)
    if not allow_leaks:
        rows.audit.refuse()
    classifier = HybridLesionClassifier(
        n_splits=int(rows.folds.max()) + 1,
        n_seeds=rows.folds.shape[1],
        leading=_choose_leading(rows.table, rows.y),
        n_jobs=n_jobs,
        random_state=random_state,
        **decision,
    )
    try:
        classifier.fit(rows.table, rows.y, groups=rows.groups, folds=rows.folds)
    except ValueError as error:
        # Unusable columns and folds that lack a class are errors in the tables.
        raise TableError(str(error)) from error
    baselines = _compare_baselines(classifier.fit_baselines(rows.table))
    learned = _learn_diagnoses(classifier, rows.table)
    model: BaseEstimator = classifier
    if configuration is not None:
        featurizer = featurizer_of(configuration, rows.table)
        model = Pipeline([("features", featurizer), ("model", classifier)])
    out_of_fold = rows.table.filter(items=["image_id", *GROUP_COLUMNS]).assign(
        target=rows.y,
        score=np.asarray(classifier.oof_score_),
        fold=rows.folds[:, 0],
        threshold=classifier.threshold_,
        threshold_rule=threshold_rule(classifier),
    )
    if classifier.diagnosis_ is not None:
        out_of_fold = out_of_fold.join(classifier.oof_diagnoses_)
    validation, more = None, ()
    if sources is not None:
        data = (rows.table, rows.y, rows.groups, sources)
        validation = leave_one_source_out(classifier, *data, column=source)
        out_of_fold = out_of_fold.assign(source=sources, score_left_out=validation.score)
        more = validation.notes
    used = Splits(rows.table["image_id"].to_numpy(), rows.folds, rows.groups, random_state)
    facts = describe_training(rows.table, rows.y) | {
        "n_groups": int(pd.Series(rows.groups).nunique()),
        "flow": rows.flow,
        "n_failed": sum(map(count_errors, tables)),
        "tables": [Path(path).name for path in tables],
        "set_aside": dict(records.set_aside),
        "splits": used.digest,
        "audit": rows.audit.facts(),
        "leading_score": classifier.leading_,
        "baselines": baselines.to_dict("records"),
        **({} if validation is None else {"sources": validation.facts()}),
    }
    return TrainedModel(
        model=model,
        out_of_fold=out_of_fold,
        metrics=classifier.metrics_,
        facts=facts,
        set_aside=dict(records.set_aside),
        warnings=(*rows.notes, *learned, *more, *interval_caveats(classifier.metrics_)),
        audit=rows.audit,
        splits=used,
        diagnoses=rows.diagnoses,
        columns=records.columns,
        sources=validation,
        baselines=baselines,
    )


def _compare_baselines(classifier: HybridLesionClassifier) -> pd.DataFrame:
    """Compare the out-of-fold AUC with those of the baselines, where both classes have a score."""
    y, score, groups = classifier.target_, np.asarray(classifier.oof_score_), classifier.groups_
    rows = []
    for name, against in classifier.oof_baselines_.items():
        known = against.notna().to_numpy()
        if len(np.unique(y[known])) < 2:
            continue
        pair = (y[known], against[known].to_numpy(), score[known])
        found = paired_bootstrap(*pair, groups=groups[known], n_bootstrap=200)
        ends = (found.difference, found.low, found.high)
        rows.append((name, int(known.sum()), found.value_b, found.value_a, *ends))
    names = ["baseline", "n_rows", "auc", "auc_baseline", "difference", "low", "high"]
    return pd.DataFrame(rows, columns=names)


def _learn_diagnoses(classifier: HybridLesionClassifier, table: pd.DataFrame) -> list[str]:
    """Learn the diagnoses of a table with at least three classes, and return notes on them."""
    named = name_classes(table["diagnosis"]) if "diagnosis" in table else pd.Series(dtype=object)
    if named.nunique() < _FEWEST_DIAGNOSES:
        return []
    try:
        classifier.fit_diagnoses(table, named)
    except ValueError as error:
        return [f"no diagnoses were learned: {error}"]
    diagnosis = classifier.diagnosis_
    known = named.isin(diagnosis.classes_).to_numpy()
    proba, classes = diagnosis.oof_proba_[known], diagnosis.classes_
    guess = diagnosis.decide(proba)
    found = evaluate_diagnoses(named[known], proba, classes, predicted=guess, n_bootstrap=0)
    found = found.set_index("metric")["value"]
    notes = [
        f"{len(classes)} diagnoses were learned from {count_words(known.sum(), 'row')}: "
        f"out-of-fold balanced accuracy {found['balanced_accuracy']:.3f}, macro AUC "
        f"{found['macro_auc']:.3f}."
    ]
    if diagnosis.left_out_:
        rare = ", ".join(f"{name} ({n})" for name, n in diagnosis.left_out_.items())
        few = f"fewer than {diagnosis.min_rows} rows"
        notes.append(f"diagnoses with {few} get the probability 0: {rare}.")
    return notes


def _choose_leading(table: pd.DataFrame, y: np.ndarray) -> str:
    """Choose the network score according to the diagnoses that count as malignant."""
    known = table["diagnosis"][y == 1].dropna() if "diagnosis" in table else ()
    return "cnn__melanoma" if set(known) <= {"melanoma"} else "cnn__score"


def describe_training(
    X: pd.DataFrame, y: np.ndarray, *, patients: np.ndarray | None = None
) -> dict[str, object]:
    """Compute counts and a digest of the rows that a model was fitted on.

    Parameters
    ----------
    X : DataFrame of shape (n, columns)
        Training table.
    y : array-like of shape (n,), 0 or 1
        Target, 1 for malignant.
    patients : array-like of shape (n,), default=None
        Patient of each row. If None, the column ``patient_id`` is used if present.

    Returns
    -------
    dict
        ``digest`` (SHA-256 of ids, columns, values and target, in row order), ``n_rows``,
        ``n_positive``, ``n_patients`` (None if the patients are unknown), and ``seen`` (salted
        hashes of image and patient ids, used in scoring to recognise training rows).

    Examples
    --------
    >>> table = pd.DataFrame({"patient_id": ["a", "a", "b"], "meta__age": [40.0, 41.0, 60.0]})
    >>> facts = describe_training(table, [0, 0, 1])
    >>> facts["n_rows"], facts["n_positive"], facts["n_patients"]
    (3, 1, 2)
    """
    X, y = as_pandas(X), np.asarray(y)
    if patients is None and "patient_id" in X:
        patients = X["patient_id"].to_numpy(dtype=object)
    ids = X.filter(items=["image_id"])
    ids = ids if patients is None else ids.assign(patient_id=np.asarray(patients, dtype=object))
    digest = hashlib.sha256("\n".join(map(str, X.columns)).encode())
    digest.update(pd.util.hash_pandas_object(X, index=False).to_numpy("<u8").tobytes())
    digest.update(y.astype("<i8").tobytes())
    return {
        "seen": hash_training_ids(ids, digest.hexdigest()[:16]),
        "digest": digest.hexdigest(),
        "n_rows": len(X),
        "n_positive": int(y.sum()),
        "n_patients": None if patients is None else int(pd.Series(patients).nunique()),
    }
