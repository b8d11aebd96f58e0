"""From tables on disk to the rows, groups and folds of a fit, audited."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hybridlesion.exceptions import TableError
from hybridlesion.metadata import ColumnUse, count_diagnoses, read_records
from hybridlesion.model._columns import FAMILIES
from hybridlesion.model._groups import deal_folds
from hybridlesion.splits import Splits, read_splits
from hybridlesion.training._acquisition import acquisition_facts, find_acquisition
from hybridlesion.training._audit import Finding, LeakAudit
from hybridlesion.training._audit_bonds import BONDS, find_parted
from hybridlesion.training._audit_columns import (
    find_answers,
    find_idle,
    find_named_leaks,
    find_suspicious,
)
from hybridlesion.training._cnn_leaks import without_optimistic_scores
from hybridlesion.training._rows import (
    choose_groups,
    find_lookalikes,
    keep_labelled,
    leave_out_test,
    with_lookalikes,
)
from hybridlesion.training._tables import complete_features, keep_measured

__all__ = ["TrainingRows", "read_training_rows"]


@dataclass(frozen=True)
class TrainingRows:
    """What a classifier is fitted on.

    Parameters
    ----------
    table : DataFrame of shape (n, columns)
        Training table.
    y : ndarray of shape (n,), int
        Target.
    groups : ndarray of shape (n,), int
        Groups that dealt folds keep whole.
    folds : ndarray of shape (n, r), int
        Folds of each draw.
    audit : LeakAudit
        What was looked for and found.
    set_aside : mapping of str to str
        Columns of the tables that no model may see, each with the reason.
    notes : tuple of str
        What a user should know.
    columns : tuple of ColumnUse
        What became of the columns of the tables.
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
    lookalikes = find_lookalikes(rows)
    saved = None if splits is None else read_splits(splits)
    findings, left_out = [], []
    if saved is not None:
        rows, findings, left_out = leave_out_test(rows, saved, lookalikes)
    rows, overlap = without_optimistic_scores(rows, cnn_seen)
    table = complete_features(rows)
    y = table["target"].to_numpy(dtype=int)
    numbers, lonely = choose_groups(table, groups, lookalikes)
    folds = _choose_folds(table, y, numbers, saved, (n_splits, n_seeds, random_state))
    bonds = with_lookalikes(table, lookalikes)
    given = saved is not None and not saved.are_parts
    findings += find_parted(bonds, folds, where="folds", given=given)
    facts = acquisition_facts(table, tables, records.set_aside, id_column)
    findings += [
        *_find_in_columns(table, y, numbers),
        *find_acquisition(facts, y, numbers, folds[:, 0]),
        *overlap,
    ]
    checks = (
        *(noun for column, noun in BONDS.items() if column in bonds),
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
        return deal_folds(y == 1, groups, *dealing, has_embedding=has_embedding)
    except ValueError as error:
        # Too few patients of a class: the tables' fault.
        raise TableError(str(error)) from error


def _find_in_columns(table: pd.DataFrame, y: np.ndarray, groups: np.ndarray) -> list[Finding]:
    names = [name for name in table.columns if str(name).startswith(FAMILIES)]
    leaks = [*find_answers(table, y, names, groups), *find_named_leaks(names)]
    named = {column for finding in leaks for column in finding.columns}
    others = [name for name in names if name not in named]
    return [*leaks, *find_suspicious(table, y, others, groups), *find_idle(table, names)]
