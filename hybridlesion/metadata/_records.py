"""Records from any number of metadata tables."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import pandas as pd

from hybridlesion._formatting import count_words
from hybridlesion._validation import as_pandas, did_you_mean
from hybridlesion.exceptions import TableError
from hybridlesion.metadata._columns import ColumnUse, Options, check_named, check_options, list_uses
from hybridlesion.metadata._image_id import add_paths
from hybridlesion.metadata._joining import add_splits, find_pairs, join_tables, mark_duplicates
from hybridlesion.metadata._normalisation import TableRecords, normalise_table
from hybridlesion.metadata._reading import Findings, read_source
from hybridlesion.metadata._table_files import SourceTable
from hybridlesion.metadata._targets import COLUMNS, count_diagnoses, list_diagnoses, list_unknown
from hybridlesion.metadata._vocabulary import FACTS, Role, column_key, explain_unknown

Table: TypeAlias = str | os.PathLike | pd.DataFrame

_LEADING = (*(role.value for role in Role), "duplicate_cluster", "age_raw", "sex_raw", "site_raw")


@dataclass(frozen=True)
class Records:
    """Records, and a report on how they were read.

    Parameters
    ----------
    frame : DataFrame of shape (n, columns)
        One row per image, with the known columns among ``image_id, path, patient_id, lesion_id,
        age, sex, site, diagnosis, target, duplicate_cluster``, then ``age_raw, sex_raw,
        site_raw`` as written, then all other columns that are not known to leak. ``age`` is in
        years (float, up to 85), ``target`` is 0 or 1 (float), and missing values are NaN.
    layout : tuple of str
        Layout of each table, as named by `identify_layout`.
    set_aside : dict of str to str
        Column of the tables -> reason why no model may use it. A diagnosis column is listed here,
        but is still available as ``diagnosis`` in the records.
    warnings : tuple of str
        Messages about values taken as missing, merged or left out, with row numbers; and a list of
        columns whose names are not used by published tables, if there are any.
    columns : tuple of ColumnUse, default=()
        How each column of the tables, except features, was used.
    diagnoses : DataFrame of shape (m, 4), optional
        Diagnoses that count as malignant and as benign, with columns ``diagnosis, side, n_rows,
        words``; see `count_diagnoses`. Empty if the records have no diagnoses.
    target_notes : tuple of str, default=()
        The `warnings` that concern the target, which are irrelevant for scoring.
    """

    frame: pd.DataFrame
    layout: tuple[str, ...]
    set_aside: dict[str, str]
    warnings: tuple[str, ...]
    columns: tuple[ColumnUse, ...] = ()
    diagnoses: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(COLUMNS)))
    target_notes: tuple[str, ...] = ()


def read_records(
    tables: Table | Sequence[Table],
    *,
    images: pd.DataFrame | None = None,
    id_column: str | None = None,
    target_column: str | None = None,
    malignant: Sequence[str] | None = None,
    benign: Sequence[str] | None = None,
    columns: Mapping[str, str] | None = None,
    duplicates: Table | None = None,
    drop_duplicates: bool = False,
) -> Records:
    """Read ISIC tables of any layout into records.

    Parameters
    ----------
    tables : str, path-like, DataFrame or sequence of them
        CSV, Parquet or Excel files (``FILE.xlsx`` or ``FILE.xlsx#SHEET``), or DataFrames of pandas
        or polars. Several tables are joined on the image id, whatever its column is called and
        ignoring folder, extension and ``_downsampled``; tables without image ids are joined on the
        lesion or patient id. The ``*_indexes.csv`` files of Derm7pt may be included: they become
        the column ``split``.
    images : DataFrame or None, default=None
        Images as returned by `hybridlesion.io.list_images` (``image_id, path``). Records
        without an image and images without a record are left out and counted in the warnings.
    id_column : str or None, default=None
        Column with the image id. If None, the known names are tried.
    target_column : str or None, default=None
        Column with 1 (or malignant, yes, a malignant diagnosis) and 0 (or benign, no, a benign
        diagnosis). If None, the target is derived, see Notes. With `malignant` or `benign`, the
        column that is searched for their words.
    malignant : sequence of str or None, default=None
        Diagnoses that count as malignant, as words or codes, such as ``["mel", "bcc"]``; all other
        known diagnoses count as benign.
    benign : sequence of str or None, default=None
        Words that count as benign although they are not known diagnoses, such as ``["other"]``.
    columns : mapping of str to str or None, default=None
        Record column -> name in the table, for tables with other names, such as
        ``{"age": "Alter"}``.
    duplicates : str, path-like, DataFrame or None, default=None
        Pairs of images known to be duplicates (``image_name_1, image_name_2``). Adds the column
        ``duplicate_cluster``: one id for all copies, missing for images without copies.
    drop_duplicates : bool, default=False
        Whether to keep only the first-listed image of each cluster that is in the tables.

    Returns
    -------
    Records
        The records, the layouts, the excluded columns and the warnings.

    Raises
    ------
    SourceError
        If a file cannot be opened.
    TableError
        If a table is not recognised or has problems, or no row has a diagnosis named in `malignant`
        or `benign`. All problems of all tables are listed, with row numbers in the file (the header
        is row 1).
    OptionError
        If options are unknown or contradict each other.

    Notes
    -----
    The target is taken from the first of these that applies: diagnoses in `malignant`;
    `target_column`, ``target`` or ``malignant``; ``benign_malignant``; ``diagnosis_1`` or
    ``iddx_1`` (Indeterminate is missing); melanoma against the rest for ISIC 2017, 2018, 2019,
    HAM10000, BCN20000, MILK10k, Derm7pt and PAD-UFES-20, which agrees with ISIC 2020, where all
    malignant lesions are melanomas; diagnoses that only say malignant or benign. A written
    diagnosis is read as the known diagnosis that it contains: "melanoma (in situ)" is a melanoma,
    "clark nevus" a nevus. An unknown or doubtful diagnosis ("melanoma?") leaves the target missing,
    and a warning lists it.

    Unknown sexes and sites become missing, with a warning. Ages outside 0 to 120, targets other
    than 0 and 1, contradictory rows of one image, contradictory tables, and lesions that belong to
    several patients are reported as problems.

    Examples
    --------
    >>> table = pd.DataFrame({"image_id": ["ISIC_1.jpg"], "dx": ["mel"], "age": [90.0],
    ...                       "sex": ["male"], "localization": ["scalp"], "dx_type": ["histo"]})
    >>> records = read_records(table)
    >>> records.frame[["image_id", "age", "site", "target"]].to_dict("list")
    {'image_id': ['ISIC_1'], 'age': [85.0], 'site': ['head/neck'], 'target': [1.0]}
    >>> sorted(records.set_aside)
    ['dx', 'dx_type']
    """
    options = check_options(id_column, target_column, malignant, benign, columns)
    sources, pair_lists, split_lists = _open_tables(tables, duplicates, options)
    unknown = check_named([source.frame for source in sources], options)
    if unknown:
        raise TableError("the options name columns that do not exist:", unknown)
    findings = Findings()
    parts = [normalise_table(source, options, findings) for source in sources]
    parts = add_splits(parts, split_lists)
    if all(part.layout.name == FACTS for part in parts):
        reason = explain_unknown(use.column for use in parts[0].uses)
        only = f"{parts[0].name}: only the image id was recognised"
        raise TableError(f"{only}; {reason}", uses=parts[0].uses)
    findings.problems += _check_diagnoses(parts, options, findings)
    frame = join_tables(parts, findings)
    if findings.problems:
        count = count_words(len(findings.problems), "problem")
        uses = [use for part in parts for use in part.uses]
        names = ", ".join(part.name for part in parts)
        raise TableError(f"{count} in {names}:", findings.problems, uses)
    if images is not None:
        frame = add_paths(frame, as_pandas(images), findings)
    if pair_lists:
        frame = mark_duplicates(frame, pd.concat(pair_lists), drop_duplicates, findings)
    target_notes = _note_diagnoses(frame, findings)
    uses = tuple(use for part in parts for use in part.uses)
    findings.warnings += [*target_notes, *list_uses(uses)]
    arranged = [name for name in _LEADING if name in frame]
    arranged += [name for name in frame.columns if name not in _LEADING]
    return Records(
        frame[arranged].reset_index(drop=True),
        tuple(part.layout.name for part in parts),
        {column: why for part in parts for column, why in part.set_aside.items()},
        tuple(findings.warnings),
        uses,
        count_diagnoses(frame, findings.words),
        target_notes,
    )


def _open_tables(
    tables: Table | Sequence[Table], duplicates: Table | None, options: Options
) -> tuple[list[SourceTable], list[pd.DataFrame], list[SourceTable]]:
    """Open all tables, and separate lists of duplicates and of row positions from the others."""
    tables = as_pandas(tables)
    if isinstance(tables, (str, os.PathLike, pd.DataFrame)):
        tables = [tables]
    sources, lists, splits = [], [], []
    for position, table in enumerate(tables, start=1):
        source = read_source(table, options.named.values(), position)
        keys = set(map(column_key, source.frame.columns))
        if keys >= {"image_name_1", "image_name_2"}:
            lists.append(source)
        else:
            (splits if keys == {"indexes"} else sources).append(source)
    if not sources:
        raise TableError("no table with records was given. Name at least one metadata table.")
    if duplicates is not None:
        lists.append(read_source(duplicates))
    return sources, list(map(find_pairs, lists)), splits


def _check_diagnoses(
    parts: Sequence[TableRecords], options: Options, findings: Findings
) -> list[str]:
    """Report diagnoses that the user named but that do not occur in any row."""
    named = dict.fromkeys(options.malignant, "malignant") | dict.fromkeys(options.benign, "benign")
    columns = [part.frame["diagnosis"].dropna() for part in parts if "diagnosis" in part.frame]
    diagnosis = pd.concat(columns) if columns else pd.Series(dtype=object)
    found = diagnosis.unique().tolist()
    if not named:
        return []
    if not found:
        option = " and ".join(f"`{name}`" for name in dict.fromkeys(named.values()))
        return [
            f"{option} needs a diagnosis, but no table has one. Pass its column in `columns`, or "
            "call it diagnosis in the table."
        ]
    have = list_diagnoses(diagnosis, findings.words)
    return [
        f"no row has the diagnosis {word!r}, named as {side}. The tables have {have}."
        f"{did_you_mean(word, found)}"
        for word, side in named.items()
        if word not in found
    ]


def _note_diagnoses(frame: pd.DataFrame, findings: Findings) -> tuple[str, ...]:
    if "diagnosis" in frame and "target" not in frame:
        found = list_diagnoses(frame["diagnosis"], findings.words)
        return (
            f"no column of targets was found. The diagnoses are {found}: pass the malignant ones "
            "as `malignant`, or the column of targets as `target_column`.",
        )
    if unknown := list_unknown(frame):
        what = f"unknown diagnoses, so without a target: {unknown}"
        return (f"{what}. List them in `malignant` or `benign`.",)
    return ()
