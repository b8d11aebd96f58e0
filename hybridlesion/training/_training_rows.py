"""From tables on disk to the rows, groups and folds of a fit, audited."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
import pandas as pd

from hybridlesion._formatting import count_words
from hybridlesion.exceptions import TableError
from hybridlesion.leakage import (
    GROUP_KEYS,
    Finding,
    LeakAudit,
    acquisition_facts,
    cluster_near_duplicates,
    find_acquisition_leaks,
    find_constant_columns,
    find_named_leaks,
    find_split_groups,
    find_suspicious_columns,
    find_target_leaks,
    read_hashes,
    treat_in_sample_scores,
)
from hybridlesion.metadata import (
    ColumnUse,
    count_diagnoses,
    list_diagnoses,
    read_records,
    refuse_unknown,
)
from hybridlesion.model import FAMILIES, make_folds
from hybridlesion.model_selection import (
    GROUP_COLUMNS,
    Splits,
    connected_groups,
    grouping,
    read_splits,
)
from hybridlesion.training._tables import complete_features, keep_measured

__all__ = [
    "TrainingRows",
    "add_near_duplicates",
    "choose_groups",
    "find_near_duplicates",
    "keep_labelled",
    "leave_out_test",
    "read_training_rows",
]

# Near-duplicates tie patients together as long as this share of the groups remains; where more
# would merge, it is the camera that is alike.
_LEAST_LEFT = 0.9


def keep_labelled(
    frame: pd.DataFrame, columns: Sequence[ColumnUse] = ()
) -> tuple[pd.DataFrame, list[str]]:
    """Leave out rows without a target.

    Parameters
    ----------
    frame : DataFrame of shape (n, columns)
        Records.
    columns : sequence of ColumnUse, default=()
        Columns of their tables, features apart.

    Returns
    -------
    table : DataFrame of shape (m, columns)
        Those with a target.
    notes : list of str
        How many were left out, if any were.

    Raises
    ------
    TableError
        If there is no target, one class only, or a diagnosis that is not known.
    """
    if "target" not in frame or frame["target"].isna().all():
        if "diagnosis" in frame and frame["diagnosis"].notna().any():
            raise TableError(
                "no table says which lesions are malignant. Pass the malignant diagnoses as "
                f"`malignant`; found are {list_diagnoses(frame['diagnosis'])}."
            )
        raise TableError(
            "no table says which lesions are malignant. Add a metadata table with target, "
            "benign_malignant or a diagnosis to the feature table, or pass the column as "
            f"`target`. Columns found: {', '.join([use.column for use in columns[:20]])}."
        )
    refuse_unknown(frame)
    known = frame["target"].notna()
    if frame.loc[known, "target"].nunique() < 2:
        value = frame.loc[known, "target"].iloc[0]
        raise TableError(
            f"all {known.sum()} rows have target {value:g}; learning needs benign and malignant "
            "lesions. Pass another `target`, or the `malignant` diagnoses."
        )
    notes = [] if known.all() else [f"{(~known).sum()} rows without a target were left out."]
    return frame.loc[known].reset_index(drop=True), notes


def find_near_duplicates(table: pd.DataFrame) -> pd.Series | None:
    """Number the clusters of near-duplicate photographs.

    Parameters
    ----------
    table : DataFrame of shape (n, columns)
        Joined tables.

    Returns
    -------
    Series of shape (n,), float, or None
        Cluster of each image that has a near-duplicate, else NaN, indexed by image id; None if the
        table has no perceptual hashes.
    """
    hashes = read_hashes(table)
    return None if hashes is None else cluster_near_duplicates(hashes).set_axis(table["image_id"])


def choose_groups(
    table: pd.DataFrame, column: str | None, near_duplicates: pd.Series | None = None
) -> tuple[np.ndarray, list[str]]:
    """Number the groups that folds must not split.

    Parameters
    ----------
    table : DataFrame of shape (n, columns)
        Training table with ``image_id``.
    column : str or None
        Column whose values are the groups; None and ``"patient_id"`` take patient, lesion, known
        duplicate and near-duplicate together, whichever are known.
    near_duplicates : Series, default=None
        Cluster by image id, from `find_near_duplicates`.

    Returns
    -------
    groups : ndarray of shape (n,), int
        Group numbers; a row without any id forms a separate group.
    notes : list of str
        Notes for the user.

    Raises
    ------
    TableError
        If the table lacks the column.
    """
    if column is not None and column != "patient_id":
        if column not in table:
            near = get_close_matches(column, map(str, table.columns), n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise TableError(
                f"`groups` names the column {column!r}, which the tables lack.{hint} "
                f"Columns found: {', '.join(map(str, table.columns[:12]))}."
            )
        return grouping(table, [column]).to_numpy(), []
    known = [name for name in ("patient_id", "lesion_id") if name in table]
    notes = [] if known else ["no patient_id or lesion_id: every image is its own group."]
    groups = grouping(table).to_numpy()
    if near_duplicates is None:
        return groups, notes
    clusters = table["image_id"].map(near_duplicates)
    tied = connected_groups(groups, clusters)
    before, after = len(np.unique(groups)), len(np.unique(tied))
    if after == before or after < _LEAST_LEFT * before:
        return groups, notes
    notes.append(
        f"{count_words(clusters.nunique(), 'cluster')} of near-duplicate images: "
        f"{count_words(before - after, 'group')} joined another, so that no fold splits them."
    )
    return tied, notes


def leave_out_test(
    table: pd.DataFrame, splits: Splits, near_duplicates: pd.Series | None = None
) -> tuple[pd.DataFrame, list[Finding], list[str]]:
    """Leave out the test rows of saved parts, and look what lies on both sides.

    Parameters
    ----------
    table : DataFrame of shape (n, columns)
        Joined tables.
    splits : Splits
        Parts, or folds: these leave out nothing.
    near_duplicates : Series, default=None
        Cluster by image id, from `find_near_duplicates`.

    Returns
    -------
    kept : DataFrame of shape (m, columns)
        Rows of train and validation.
    findings : list of Finding
        Patients, lesions and copies in several parts.
    notes : list of str
        What was left out, and images of the splits that the table lacks.

    Raises
    ------
    TableError
        If an image has no fold or part, or none is left to learn from.
    """
    labels, notes = splits.of(table["image_id"]), []
    unused = splits.unused(table["image_id"])
    if unused:
        shown = ", ".join(unused[:6]) + (" ..." if len(unused) > 6 else "")
        notes.append(
            f"{len(unused):,} of {len(splits.image_id):,} images of the splits are not in the "
            f"tables: {shown}."
        )
    if not splits.are_parts:
        return table, [], notes
    findings = find_split_groups(
        add_near_duplicates(table, near_duplicates), labels, where="parts", given=True
    )
    test = labels[:, 0] == "test"
    if test.all():
        raise TableError("the splits put every image into test; none is left to learn from.")
    notes.append(f"{count_words(int(test.sum()), 'row')} of the test part were left out.")
    return table[~test].reset_index(drop=True), findings, notes


def add_near_duplicates(table: pd.DataFrame, near_duplicates: pd.Series | None) -> pd.DataFrame:
    """Add the column ``near_duplicate`` to the columns that tie rows together.

    Parameters
    ----------
    table : DataFrame of shape (n, columns)
        Training table.
    near_duplicates : Series or None
        Cluster by image id, from `find_near_duplicates`; None adds nothing.

    Returns
    -------
    DataFrame of shape (n, columns)
        ``image_id`` and the columns of bonds that are known.
    """
    bonds = table[[name for name in ("image_id", *GROUP_COLUMNS) if name in table]]
    if near_duplicates is None:
        return bonds
    return bonds.assign(near_duplicate=table["image_id"].map(near_duplicates))


@dataclass(frozen=True)
class TrainingRows:
    """Training data of a classifier.

    Parameters
    ----------
    table : DataFrame of shape (n, columns)
        Training table.
    y : ndarray of shape (n,), int
        Target.
    groups : ndarray of shape (n,), int
        Groups that folds do not split.
    folds : ndarray of shape (n, r), int
        Folds of each draw.
    audit : LeakAudit
        Leakage audit.
    set_aside : mapping of str to str
        Excluded columns, each with the reason.
    notes : tuple of str
        Notes for the user.
    columns : tuple of ColumnUse
        Use of the columns of the tables.
    diagnoses : DataFrame of shape (m, 4)
        Which diagnoses count as malignant and which as benign, see `count_diagnoses`.
    """

    table: pd.DataFrame
    y: np.ndarray
    groups: np.ndarray
    folds: np.ndarray
    audit: LeakAudit
    set_aside: Mapping[str, str]
    notes: tuple[str, ...]
    columns: tuple[ColumnUse, ...]
    diagnoses: pd.DataFrame


def read_training_rows(
    tables: Sequence[str | os.PathLike],
    *,
    target: str | None,
    groups: str | None,
    malignant: Sequence[str] | None,
    benign: Sequence[str] | None,
    id_column: str | None,
    columns: Mapping[str, str] | None,
    n_splits: int,
    n_seeds: int,
    random_state: int,
    cnn_seen: str,
    splits: str | os.PathLike | None,
) -> TrainingRows:
    """Join tables, choose rows, groups and folds, and audit them.

    Parameters
    ----------
    tables : sequence of str or path-like
        As `fit_tables` takes them, and so are all that follow.
    target, groups : str or None
        Columns.
    malignant, benign : sequence of str or None
        Diagnoses that count as malignant, and further words that count as benign.
    id_column : str or None
        Column.
    columns : mapping of str to str or None
        Names that the tables use, by record column.
    n_splits, n_seeds, random_state : int
        Folds, draws and seed.
    cnn_seen : str
        What happens to scores of a network that learned from the row.
    splits : str, path-like or None
        File of saved folds or parts.

    Returns
    -------
    TrainingRows
        Rows, with whatever the audit found; nothing is refused for that yet.

    Raises
    ------
    TableError
        If no model can be fitted on the tables.
    """
    records = read_records(
        list(tables),
        id_column=id_column,
        target_column=target,
        malignant=malignant,
        columns=columns,
        benign=benign,
    )
    measured, unmeasured = keep_measured(records.frame)
    rows, unlabelled = keep_labelled(measured, records.columns)
    near_duplicates = find_near_duplicates(rows)
    saved = None if splits is None else read_splits(splits)
    findings, left_out = [], []
    if saved is not None:
        rows, findings, left_out = leave_out_test(rows, saved, near_duplicates)
    rows, overlap = treat_in_sample_scores(rows, cnn_seen)
    table = complete_features(rows)
    y = table["target"].to_numpy(dtype=int)
    numbers, lonely = choose_groups(table, groups, near_duplicates)
    folds = _choose_folds(table, y, numbers, saved, (n_splits, n_seeds, random_state))
    bonds = add_near_duplicates(table, near_duplicates)
    given = saved is not None and not saved.are_parts
    findings += find_split_groups(bonds, folds, where="folds", given=given)
    facts = acquisition_facts(table, tables, records.set_aside, id_column)
    findings += [
        *_find_in_columns(table, y, numbers),
        *find_acquisition_leaks(facts, y, numbers, folds[:, 0]),
        *overlap,
    ]
    checks = (
        *(noun for column, noun in GROUP_KEYS.items() if column in bonds),
        *("column", "acquisition", "CNN overlap"),
    )
    return TrainingRows(
        table,
        y,
        numbers,
        folds,
        LeakAudit(len(table), checks, tuple(findings)),
        dict(records.set_aside),
        (*records.warnings, *unmeasured, *unlabelled, *left_out, *lonely),
        records.columns,
        count_diagnoses(measured, records.diagnoses),
    )


def _choose_folds(
    table: pd.DataFrame,
    y: np.ndarray,
    groups: np.ndarray,
    saved: Splits | None,
    dealing: tuple[int, int, int],
) -> np.ndarray:
    if saved is not None and not saved.are_parts:
        return saved.of(table["image_id"])
    has_embedding = any(str(name).startswith("emb__") for name in table)
    try:
        return make_folds(y == 1, groups, *dealing, has_embedding=has_embedding)
    except ValueError as error:
        # Too few patients of a class: the tables' fault.
        raise TableError(str(error)) from error


def _find_in_columns(table: pd.DataFrame, y: np.ndarray, groups: np.ndarray) -> list[Finding]:
    names = [name for name in table.columns if str(name).startswith(FAMILIES)]
    leaks = [*find_target_leaks(table, y, names, groups), *find_named_leaks(names)]
    named = {column for finding in leaks for column in finding.columns}
    others = [name for name in names if name not in named]
    return [
        *leaks,
        *find_suspicious_columns(table, y, others, groups),
        *find_constant_columns(table, names),
    ]
