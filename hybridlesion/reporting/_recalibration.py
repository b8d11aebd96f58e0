"""Recalibrate a model file on scores of lesions whose diagnoses are known."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from hybridlesion._atomic import check_apart, check_writable
from hybridlesion.exceptions import TableError
from hybridlesion.leakage import membership_warning
from hybridlesion.metadata import count_diagnoses, read_records
from hybridlesion.model import HybridLesionClassifier, recalibrate
from hybridlesion.model_selection import grouping, note_ungrouped
from hybridlesion.persistence import load_artifact, read_manifest, save_artifact
from hybridlesion.pipeline import split_steps
from hybridlesion.reporting._score_table import ScoreTable, join_truth, read_scores


@dataclass(frozen=True)
class RecalibratedModel:
    """Result of `recalibrate_model`.

    Parameters
    ----------
    path : Path
        File of the recalibrated model.
    model : Pipeline or HybridLesionClassifier
        The recalibrated model.
    cases : DataFrame of shape (n, columns)
        Records of the lesions used, with their scores.
    warnings : tuple of str
        Notes for the user.
    diagnoses : DataFrame of shape (m, 4)
        Which diagnoses counted as malignant and which as benign; see
        `hybridlesion.metadata.count_diagnoses`.
    """

    path: Path
    model: BaseEstimator
    cases: pd.DataFrame
    warnings: tuple[str, ...]
    diagnoses: pd.DataFrame


def recalibrate_model(
    model: str | os.PathLike,
    scores: str | os.PathLike,
    truth: Sequence[str | os.PathLike],
    out: str | os.PathLike,
    *,
    id_column: str | None = None,
    columns: Mapping[str, str] | None = None,
    target: str | None = None,
    malignant: Sequence[str] | None = None,
    benign: Sequence[str] | None = None,
    key: bytes | None = None,
    sign: bytes | None = None,
) -> RecalibratedModel:
    """Recalibrate a model file on lesions of another site, and write the result to a new file.

    Parameters
    ----------
    model : str or path-like
        Model file, which is not changed. If it was recalibrated before, that is undone first.
    scores : str or path-like
        Scores of the lesions by this model, written by ``hybridlesion score``.
    truth : sequence of str or path-like
        Tables in any ISIC layout with the diagnoses.
    out : str or path-like
        Model file to write.
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
    key : bytes, default=None
        Key that `model` must be signed with. If None, unsigned files are accepted, too.
    sign : bytes, default=None
        Key to sign `out` with. If None, it is not signed.

    Returns
    -------
    RecalibratedModel
        The model and the lesions used. See `hybridlesion.model.recalibrate` for the method.

    Raises
    ------
    ArtifactError
        If the model file cannot be used.
    OptionError
        If the model is not a `HybridLesionClassifier`.
    TableError
        If the scores are of another model or adjusted to a prevalence; if scores and truth cannot
        be read or joined, or contain too few lesions.
    SourceError
        If `out` cannot be written, or is one of the other files.

    Warns
    -----
    UserWarning
        If recalibration is unreliable, because there are few lesions.
    """
    path = check_writable(out)
    check_apart([path], [model, scores, *truth])
    fitted, manifest = load_artifact(model, key=key), read_manifest(model, key=key)
    classifier = split_steps(fitted)[1]
    table = read_scores(scores)
    labels = {"target_column": target, "malignant": malignant, "benign": benign}
    records = read_records(list(truth), id_column=id_column, columns=columns, **labels)
    cases, notes = join_truth(table.frame, records.frame)
    notes += _check_origin(table, scores, classifier)
    name = "score_original" if "score_original" in cases else "score"
    moved = recalibrate(
        classifier,
        cases[name].to_numpy(),
        cases["target"].to_numpy(dtype=int),
        groups=grouping(cases).to_numpy(),
    )
    result = moved
    if isinstance(fitted, Pipeline):
        result = Pipeline([*fitted.steps[:-1], (fitted.steps[-1][0], moved)])
    training, metrics = manifest.get("training") or {}, manifest.get("metrics")
    metrics = pd.DataFrame(metrics) if metrics else None
    save_artifact(path, result, training=training, metrics=metrics, key=sign)
    if "patient_id" not in cases or cases["patient_id"].isna().all():
        notes.append("no patient_id: each lesion counts as a patient of its own.")
    notes += note_ungrouped(cases)
    notes += membership_warning(training, cases)
    scored = records.frame[records.frame["image_id"].isin(cases["image_id"])]
    diagnoses = count_diagnoses(scored, records.diagnoses)
    warnings = (*records.warnings, *table.warnings, *notes)
    return RecalibratedModel(path, result, cases, warnings, diagnoses)


def _check_origin(
    table: ScoreTable, path: str | os.PathLike, classifier: BaseEstimator
) -> list[str]:
    """Refuse scores that are known not to be those of the model; note if that is unknown."""
    if "prevalence" in table.frame:
        raise TableError(
            f"{path}: the scores are adjusted to a prevalence. Score the images again as they are; "
            "the recalibrated model can adjust its scores."
        )
    if not isinstance(classifier, HybridLesionClassifier):
        return []
    if table.threshold is None:
        return [f"{path} has no threshold, so that it is unknown which model wrote it."]
    earlier = classifier.recalibration_
    recalibrated = "score_original" in table.frame
    if recalibrated and earlier is None:
        unknown = "it is unknown whether that was made from this one"
        return [f"the scores of {path} are of a recalibrated model; {unknown}."]
    threshold = classifier.threshold_
    if earlier is not None and not recalibrated:
        threshold = earlier.threshold
    # A number read from text may differ in the last digit.
    if not math.isclose(table.threshold, threshold):
        raise TableError(
            f"{path}: the scores are of another model: their threshold is {table.threshold:.6g}, "
            f"that of this model is {threshold:.6g}. Score the images with this model."
        )
    return []
