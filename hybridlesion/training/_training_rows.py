"""Training rows for a classifier: features, groups, folds and leakage audit of joined tables."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from hybridlesion import leakage, model_selection
from hybridlesion._formatting import count_words, shorten
from hybridlesion._validation import missing_column
from hybridlesion.batch import read_features
from hybridlesion.exceptions import TableError
from hybridlesion.featurizer import FEATURE_VERSION, LesionFeaturizer, encode_metadata
from hybridlesion.leakage import Finding, LeakAudit
from hybridlesion.metadata import (
    MEASURED,
    ColumnUse,
    Records,
    count_diagnoses,
    list_diagnoses,
    refuse_unknown,
)
from hybridlesion.model import FAMILIES, make_folds
from hybridlesion.segmentation import segmenter_digest

_MEASUREMENT = "meta__tbp_lv_", "meta__clin_size_"

# Near-duplicates only join groups if at least this fraction of the groups remains. If more groups
# would merge, the photographs are probably similar because of the camera.
_LEAST_LEFT = 0.9


def read_configuration(tables: Sequence[str | os.PathLike]) -> dict | None:
    """Read the featurizer's configuration from feature tables.

    Parameters
    ----------
    tables : sequence of str or path-like
        Tables of any kind.

    Returns
    -------
    dict or None
        Configuration of the featurizer, or None if no table was extracted from images.

    Raises
    ------
    TableError
        If two tables were measured differently.
    """
    parquet = [path for path in tables if Path(path).suffix.lower() in (".parquet", ".pq")]
    found = [read_features(path)[1] for path in parquet]
    known = [configuration for configuration in found if configuration is not None]
    for other in known[1:]:
        keys = sorted({*known[0], *other})
        differing = [key for key in keys if known[0].get(key) != other.get(key)]
        if differing:
            raise TableError(
                f"the feature tables were measured differently: {', '.join(differing)}. Extract "
                "them again with the same options."
            )
    return known[-1] if known else None


def complete_features(records: pd.DataFrame) -> pd.DataFrame:
    """Encode the metadata of joined records, and drop features that are missing in all rows.

    Parameters
    ----------
    records : DataFrame of shape (n, columns)
        Records, with any feature families from the joined tables.

    Returns
    -------
    DataFrame of shape (n, columns)
        Records with ``meta__`` columns.
    """
    metadata = known_metadata(records)
    table = pd.concat([records.drop(columns=metadata.columns, errors="ignore"), metadata], axis=1)
    features = [name for name in table.columns if "__" in str(name)]
    return table.drop(columns=[name for name in features if table[name].isna().all()])


def known_metadata(records: pd.DataFrame, extra: Sequence[str] | None = None) -> pd.DataFrame:
    """Encode the metadata of each row from the record or, if missing, from the feature table.

    Parameters
    ----------
    records : DataFrame of shape (n, columns)
        Records, possibly with ``meta__`` columns from an earlier extraction.
    extra : sequence of str, default=None
        Additional measurements to encode, as in `hybridlesion.featurizer.encode_metadata`.

    Returns
    -------
    DataFrame of shape (n, metadata columns), float32
        ``meta__`` columns with the index of `records`, and NaN for unknown values.

    Examples
    --------
    >>> records = pd.DataFrame({"age": [50.0, None], "meta__age": [40.0, 60.0]})
    >>> known_metadata(records)["meta__age"].tolist()
    [50.0, 60.0]
    """
    metadata = encode_metadata(records, extra)
    for name in metadata.columns.intersection(records.columns):
        former = pd.to_numeric(records[name], errors="coerce").astype(np.float32)
        metadata[name] = metadata[name].fillna(former)
    return metadata


def keep_measured(table: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Drop rows of a metadata table that have no measured image.

    Parameters
    ----------
    table : DataFrame of shape (n, columns)
        Joined tables. If they lack measured columns, all rows are kept.

    Returns
    -------
    table : DataFrame of shape (m, columns)
        Rows with at least one measurement.
    notes : tuple of str
        Note on the number of dropped rows, if any.

    Examples
    --------
    >>> table = pd.DataFrame({"image_id": ["a", "b"], "abcd__area_share": [0.2, None]})
    >>> keep_measured(table)[1]
    ('1 of 2 records have no measured image; left out.',)
    """
    measured = [name for name in table if str(name).startswith(MEASURED)]
    known = table[measured].notna().any(axis=1) if measured else pd.Series(True, table.index)
    if known.all():
        return table, ()
    note = f"{(~known).sum():,} of {len(table):,} records have no measured image; left out."
    return table.loc[known].reset_index(drop=True), (note,)


def featurizer_of(configuration: Mapping[str, object], table: pd.DataFrame) -> LesionFeaturizer:
    """Recreate the fitted featurizer of a feature table.

    Parameters
    ----------
    configuration : mapping
        Configuration from `read_configuration`.
    table : DataFrame of shape (n, columns)
        Training table.

    Returns
    -------
    LesionFeaturizer
        Fitted featurizer, which measures new images in the same way as those in the table.

    Raises
    ------
    TableError
        If a weight file has changed since the table was extracted.

    Warns
    -----
    UserWarning
        If the features are those of another version, so that the model can only score tables.
    """
    known = LesionFeaturizer().get_params()
    parameters = {name: value for name, value in configuration.items() if name in known}
    measured = table[[name for name in table if str(name).startswith(_MEASUREMENT)]]
    measured = measured.rename(columns=lambda name: name.removeprefix("meta__"))
    carried = table.drop(columns=measured.columns, errors="ignore")
    records = pd.concat([carried, measured], axis=1)
    # The classifier needs ids for patient context.
    featurizer = LesionFeaturizer(**parameters, passthrough="ids").fit(records)
    version = configuration.get("feature_version", 3)
    if version != FEATURE_VERSION:
        featurizer.feature_version_ = version
        warnings.warn(
            f"the feature table has version {version} of the features, and this release measures "
            f"version {FEATURE_VERSION}: the model will score tables of that version, but no "
            "images. Extract the features again to score images.",
            stacklevel=2,
        )
        return featurizer
    if configuration.get("segmenter_digest") != segmenter_digest(featurizer.segmenter):
        raise TableError(
            f"the weights of the segmenter {featurizer.segmenter} are not those used for the "
            "feature table. Restore them, or extract the features again."
        )
    digest = configuration.get("weights_digest")
    if digest is not None and featurizer.embedder_.weights_digest_ != digest:
        raise TableError(
            f"the weight file {featurizer.weights} is not the one used for the feature table. "
            "Restore that one, or extract the features again."
        )
    return featurizer


def keep_labelled(
    frame: pd.DataFrame, columns: Sequence[ColumnUse] = ()
) -> tuple[pd.DataFrame, list[str]]:
    """Drop rows without a target.

    Parameters
    ----------
    frame : DataFrame of shape (n, columns)
        Records.
    columns : sequence of ColumnUse, default=()
        Columns of the tables other than features.

    Returns
    -------
    table : DataFrame of shape (m, columns)
        Rows with a target.
    notes : list of str
        Note on the number of dropped rows, if any.

    Raises
    ------
    TableError
        If there is no target, a single class, or an unknown diagnosis.
    """
    if "target" not in frame or frame["target"].isna().all():
        advice = (
            "Add a metadata table with target, benign_malignant or a diagnosis to the feature "
            "table, or pass the column as `target`. Columns found: "
            f"{', '.join([use.column for use in columns[:20]])}."
        )
        if "diagnosis" in frame and frame["diagnosis"].notna().any():
            found = list_diagnoses(frame["diagnosis"])
            advice = f"Pass the malignant diagnoses as `malignant`; found were {found}."
        raise TableError(f"no targets for the lesions were found. {advice}")
    refuse_unknown(frame)
    known = frame["target"].notna()
    if frame.loc[known, "target"].nunique() < 2:
        value = frame.loc[known, "target"].iloc[0]
        raise TableError(
            f"all {known.sum()} rows have target {value:g}; training needs benign and malignant "
            "lesions. Pass another `target`, or the `malignant` diagnoses."
        )
    notes = [] if known.all() else [f"{(~known).sum()} rows without a target were left out."]
    return frame.loc[known].reset_index(drop=True), notes


def choose_groups(
    table: pd.DataFrame, column: str | None, near_duplicates: pd.Series | None = None
) -> tuple[np.ndarray, list[str]]:
    """Number the groups that folds must not split.

    Parameters
    ----------
    table : DataFrame of shape (n, columns)
        Training table with ``image_id``.
    column : str or None
        Column whose values are the groups. If None or ``"patient_id"``, images that share a
        patient, lesion, known duplicate or near-duplicate are grouped, as far as these are known.
    near_duplicates : Series, default=None
        Cluster of each image that has a near-duplicate, by image id.

    Returns
    -------
    groups : ndarray of shape (n,), int
        Group numbers. A row without any id forms a separate group.
    notes : list of str
        Notes for the user.

    Raises
    ------
    TableError
        If the table lacks the column.
    """
    if column is not None and column != "patient_id":
        if column not in table:
            raise missing_column("groups", column, table.columns)
        return model_selection.grouping(table, [column]).to_numpy(), []
    known = [name for name in ("patient_id", "lesion_id") if name in table]
    notes = [] if known else ["no patient_id or lesion_id: every image is its own group."]
    notes += model_selection.note_ungrouped(table)
    groups = model_selection.grouping(table).to_numpy()
    if near_duplicates is None:
        return groups, notes
    clusters = table["image_id"].map(near_duplicates)
    tied = model_selection.connected_groups(groups, clusters)
    before, after = len(np.unique(groups)), len(np.unique(tied))
    if after == before or after < _LEAST_LEFT * before:
        return groups, notes
    notes.append(
        f"{count_words(clusters.nunique(), 'cluster')} of near-duplicate images: "
        f"{count_words(before - after, 'group')} joined another, so that no fold splits them."
    )
    return tied, notes


def leave_out_test(
    table: pd.DataFrame, splits: model_selection.Splits, near_duplicates: pd.Series | None = None
) -> tuple[pd.DataFrame, list[Finding], list[str]]:
    """Drop the test rows of saved parts, and find groups that occur in several parts.

    Parameters
    ----------
    table : DataFrame of shape (n, columns)
        Joined tables.
    splits : Splits
        Parts or folds. With folds, no rows are dropped.
    near_duplicates : Series, default=None
        Cluster of each image that has a near-duplicate, by image id.

    Returns
    -------
    kept : DataFrame of shape (m, columns)
        Rows of the train and validation parts.
    findings : list of Finding
        Patients, lesions and duplicates that occur in several parts.
    notes : list of str
        Notes on the number of dropped rows, and on images in the splits but not in the table.

    Raises
    ------
    TableError
        If an image has no fold or part, or all images are in the test part.
    """
    labels, notes = splits.of(table["image_id"]), []
    unused = splits.unused(table["image_id"])
    if unused:
        count = f"{len(unused):,} of {len(splits.image_id):,} images of the splits"
        notes.append(f"{count} are not in the tables: {shorten(unused)}.")
    if not splits.are_parts:
        return table, [], notes
    bonds = _bonds(table, near_duplicates)
    findings = leakage.find_split_groups(bonds, labels, where="parts", given=True)
    test = labels[:, 0] == "test"
    if test.all():
        raise TableError("the splits put every image into test; none is left for training.")
    notes.append(f"{count_words(int(test.sum()), 'row')} of the test part were left out.")
    return table[~test].reset_index(drop=True), findings, notes


@dataclass(frozen=True)
class TrainingRows:
    """Training data for a classifier.

    Parameters
    ----------
    table : DataFrame of shape (n, columns)
        Training table.
    y : ndarray of shape (n,), int
        Target.
    groups : ndarray of shape (n,), int
        Groups that folds do not split.
    folds : ndarray of shape (n, r), int
        Folds in each repetition.
    audit : LeakAudit
        Leakage audit.
    notes : tuple of str
        Notes for the user.
    diagnoses : DataFrame of shape (m, 4)
        Diagnoses that count as malignant or benign; see `count_diagnoses`.
    flow : dict of str to int
        Rows that remain after each step, from those read to those used.
    """

    table: pd.DataFrame
    y: np.ndarray
    groups: np.ndarray
    folds: np.ndarray
    audit: LeakAudit
    notes: tuple[str, ...]
    diagnoses: pd.DataFrame
    flow: dict[str, int]


def choose_rows(
    records: Records,
    tables: Sequence[str | os.PathLike],
    id_column: str | None,
    groups: str | None,
    cnn_seen: str,
    splits: str | os.PathLike | None,
    drawing: tuple[int, int, int],
) -> TrainingRows:
    """Choose the rows, groups and folds for a fit, and audit them.

    Parameters
    ----------
    records : Records
        Joined tables.
    tables : sequence of str or path-like
        Files of the tables, for facts about the acquisition that the records lack.
    id_column, groups, cnn_seen, splits : object
        As in `fit_tables`.
    drawing : tuple of int
        ``(n_splits, n_seeds, random_state)`` for new folds.

    Returns
    -------
    TrainingRows
        Training data with all findings of the audit, which does not raise an error here.

    Raises
    ------
    TableError
        If no model can be fitted on the tables.
    """
    measured, unmeasured = keep_measured(records.frame)
    rows, unlabelled = keep_labelled(measured, records.columns)
    flow = {"rows of the tables": len(records.frame), "with measurements": len(measured)}
    flow["with a known outcome"] = len(rows)
    hashes, near_duplicates = leakage.read_hashes(rows), None
    if hashes is not None:
        near_duplicates = leakage.cluster_near_duplicates(hashes).set_axis(rows["image_id"])
    saved = None if splits is None else model_selection.read_splits(splits)
    findings, left_out = [], []
    if saved is not None:
        rows, findings, left_out = leave_out_test(rows, saved, near_duplicates)
        flow["outside the test part"] = len(rows)
    rows, overlap = leakage.treat_in_sample_scores(rows, cnn_seen)
    flow["used for the model"] = len(rows)
    table = complete_features(rows)
    y = table["target"].to_numpy(dtype=int)
    numbers, lonely = choose_groups(table, groups, near_duplicates)
    given = saved is not None and not saved.are_parts
    if given:
        folds = saved.of(table["image_id"])
    else:
        has_embedding = any(str(name).startswith("emb__") for name in table)
        try:
            folds = make_folds(y == 1, numbers, *drawing, has_embedding=has_embedding)
        except ValueError as error:
            # There are too few patients of a class in the tables.
            raise TableError(str(error)) from error
    bonds = _bonds(table, near_duplicates)
    findings += leakage.find_split_groups(bonds, folds, where="folds", given=given)
    findings += _find_in_columns(table, y, numbers)
    facts = leakage.acquisition_facts(table, tables, records.set_aside, id_column)
    findings += [*leakage.find_acquisition_leaks(facts, y, numbers, folds[:, 0]), *overlap]
    kinds = [noun for column, noun in leakage.GROUP_KEYS.items() if column in bonds]
    checks = (*kinds, "column", "acquisition", "CNN overlap")
    audit = LeakAudit(len(table), checks, tuple(findings))
    notes = (*records.warnings, *unmeasured, *unlabelled, *left_out, *lonely)
    if not any(str(name).startswith(MEASURED) for name in table):
        notes += (
            "the tables have neither image features nor a network score: the model uses metadata "
            "alone. `hybridlesion features` measures images.",
        )
    diagnoses = count_diagnoses(measured, records.diagnoses)
    return TrainingRows(table, y, numbers, folds, audit, notes, diagnoses, flow)


def _bonds(table: pd.DataFrame, near_duplicates: pd.Series | None) -> pd.DataFrame:
    """Select the image ids and the columns of known groups, including near-duplicates."""
    bonds = table.filter(items=["image_id", *model_selection.GROUP_COLUMNS])
    if near_duplicates is None:
        return bonds
    return bonds.assign(near_duplicate=table["image_id"].map(near_duplicates))


def _find_in_columns(table: pd.DataFrame, y: np.ndarray, groups: np.ndarray) -> list[Finding]:
    names = [name for name in table.columns if str(name).startswith(FAMILIES)]
    leaks = leakage.find_target_leaks(table, y, names, groups)
    leaks = [*leaks, *leakage.find_named_leaks(names)]
    named = {column for finding in leaks for column in finding.columns}
    others = [name for name in names if name not in named]
    leaks += leakage.find_suspicious_columns(table, y, others, groups)
    return [*leaks, *leakage.find_constant_columns(table, names)]
