"""Fit a model on feature tables and metadata tables."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from hybridlesion._validation import check_choice
from hybridlesion.evaluation import interval_caveats
from hybridlesion.exceptions import TableError
from hybridlesion.metadata import read_records
from hybridlesion.model import HybridLesionClassifier
from hybridlesion.splits import GROUP_COLUMNS, grouping
from hybridlesion.training._cnn_leaks import CNN_SEEN, without_optimistic_scores
from hybridlesion.training._facts import describe_training
from hybridlesion.training._tables import (
    complete_features,
    featurizer_of,
    keep_measured,
    read_configuration,
)

__all__ = ["TrainedModel", "fit_tables"]


@dataclass(frozen=True)
class TrainedModel:
    """A fitted model and what is known about its fit.

    Parameters
    ----------
    model : Pipeline or HybridLesionClassifier
        Scores raw images and feature tables; a bare classifier if no table came from images.
    out_of_fold : DataFrame of shape (n, columns)
        Columns image_id, patient_id, lesion_id and duplicate_cluster where known, target, score
        and fold: every score from members that never saw the group. `report_scores` reads it.
    metrics : DataFrame
        Columns metric, value, low, high, of the out-of-fold scores.
    facts : dict
        Digest and counts of the training rows, tables, columns set aside.
    set_aside : dict of str to str
        Columns of the tables that the model must not see, each with the reason.
    warnings : tuple of str
        What a user should know.
    """

    model: BaseEstimator
    out_of_fold: pd.DataFrame
    metrics: pd.DataFrame
    facts: dict
    set_aside: Mapping[str, str]
    warnings: tuple[str, ...]


def fit_tables(
    tables: Sequence[str | os.PathLike],
    *,
    target: str | None = None,
    groups: str | None = None,
    malignant: Sequence[str] | None = None,
    id_column: str | None = None,
    n_splits: int = 5,
    n_seeds: int = 1,
    n_jobs: int = 1,
    random_state: int = 0,
    cnn_seen: str = "blank",
) -> TrainedModel:
    """Join tables on the image id and fit a calibrated classifier.

    Parameters
    ----------
    tables : sequence of str or path-like
        Feature tables of `extract_features` and metadata tables in any ISIC layout, in any order.
    target : str, default=None
        Column that holds the truth; None finds it.
    groups : str, default=None
        Column whose values must not be split between folds; None takes patient, lesion and
        near-duplicate together, whichever are known.
    malignant : sequence of str, default=None
        Diagnoses that count as malignant where the table gives diagnoses only.
    id_column : str, default=None
        Column that names the image; None finds it.
    n_splits : int, default=5
        Folds.
    n_seeds : int, default=1
        How often the folds are drawn anew.
    n_jobs : int, default=1
        Threads; -1 takes every core.
    random_state : int, default=0
        Seed.
    cnn_seen : {"blank", "drop", "keep"}, default="blank"
        What happens to rows whose ``cnn__score`` comes from a network that learned from them: the
        score is left out, or the row, or neither. Out-of-fold scores are always kept.

    Returns
    -------
    TrainedModel
        The model, its out-of-fold scores and their measures.

    Raises
    ------
    TableError
        If the tables cannot be joined, lack a target or a named column, or hold one class only.
    """
    check_choice("cnn_seen", cnn_seen, CNN_SEEN)
    configuration = read_configuration(tables)
    records = read_records(
        list(tables),
        id_column=id_column,
        target_column=target,
        malignant=malignant,
    )
    measured, unmeasured = keep_measured(records.frame)
    labelled, notes = _keep_labelled(measured)
    honest, leaks = without_optimistic_scores(labelled, cnn_seen)
    table = complete_features(honest)
    y = table["target"].to_numpy(dtype=int)
    fold_groups, note = _choose_groups(table, groups)
    classifier = HybridLesionClassifier(
        n_splits=n_splits,
        n_seeds=n_seeds,
        n_jobs=n_jobs,
        random_state=random_state,
    )
    try:
        classifier.fit(table, y, groups=fold_groups)
    except ValueError as error:
        # Too few patients of a class, or a column that cannot be learned from: the tables' fault.
        raise TableError(str(error)) from error
    known = [name for name in ("image_id", *GROUP_COLUMNS) if name in table]
    out_of_fold = table[known].assign(
        target=y, score=np.asarray(classifier.oof_score_), fold=classifier.folds_
    )
    facts = describe_training(table, y) | {
        "n_groups": int(pd.Series(fold_groups).nunique()),
        "tables": [Path(path).name for path in tables],
        "set_aside": dict(records.set_aside),
    }
    return TrainedModel(
        model=_with_featurizer(classifier, configuration, table),
        out_of_fold=out_of_fold,
        metrics=classifier.metrics_,
        facts=facts,
        set_aside=dict(records.set_aside),
        warnings=(
            *(*records.warnings, *unmeasured, *notes, *leaks, *note),
            *interval_caveats(classifier.metrics_),
        ),
    )


def _with_featurizer(
    classifier: HybridLesionClassifier, configuration: dict | None, table: pd.DataFrame
) -> BaseEstimator:
    """Put the featurizer that measured the table before the classifier, if there was one."""
    if configuration is None:
        return classifier
    return Pipeline([("features", featurizer_of(configuration, table)), ("model", classifier)])


def _keep_labelled(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    if "target" not in frame or frame["target"].isna().all():
        raise TableError(
            "no table says which lesions are malignant. Give a metadata table with target, "
            "benign_malignant or a diagnosis beside the feature table, or name the column with "
            f"--target. Columns found: {', '.join(map(str, frame.columns[:12]))}."
        )
    known = frame["target"].notna()
    if frame.loc[known, "target"].nunique() < 2:
        value = frame.loc[known, "target"].iloc[0]
        raise TableError(
            f"all {known.sum()} rows have target {value:g}; learning needs benign and malignant "
            "lesions. Name another --target, or the --malignant diagnoses."
        )
    notes = [] if known.all() else [f"{(~known).sum()} rows without a target were left out."]
    return frame.loc[known].reset_index(drop=True), notes


def _choose_groups(table: pd.DataFrame, column: str | None) -> tuple[np.ndarray, list[str]]:
    if column is None or column not in table:
        if column not in (None, "patient_id"):
            raise TableError(
                f"--groups names the column {column!r}, which the tables lack. Columns found: "
                f"{', '.join(map(str, table.columns[:12]))}."
            )
        known = [name for name in ("patient_id", "lesion_id") if name in table]
        note = [] if known else ["no patient_id or lesion_id: every image is its own group."]
        return grouping(table).to_numpy(), note
    if column == "patient_id":
        return grouping(table).to_numpy(), []
    own = "image " + table["image_id"].astype(str)
    return table[column].astype(object).where(table[column].notna(), own).astype(str).to_numpy(), []
