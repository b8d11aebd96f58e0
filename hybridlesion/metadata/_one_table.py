"""One table of a known layout -> records, with everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hybridlesion.metadata._image_id import normalise_image_id
from hybridlesion.metadata._layouts import FAMILIES, Layout, Role
from hybridlesion.metadata._leaks import leak_reason
from hybridlesion.metadata._problems import Findings, describe_rows, shorten
from hybridlesion.metadata._reading import SourceTable
from hybridlesion.metadata._roles import Columns, Options, find_columns
from hybridlesion.metadata._targets import derive_diagnosis, derive_target
from hybridlesion.metadata._values import (
    Normalised,
    normalise,
    normalise_age,
    normalise_sex,
    normalise_site,
    parse_site,
)
from hybridlesion.metadata._vocabulary import MISSING_WORDS, SITE_REFINEMENTS

__all__ = ["TableRecords", "normalise_table", "report_shared_lesions"]

_RAW = {Role.AGE: "age_raw", Role.SEX: "sex_raw", Role.SITE: "site_raw"}
# How many faults of one kind are told one by one.
_SHOWN = 20


@dataclass(frozen=True)
class TableRecords:
    """The records of one table.

    Parameters
    ----------
    name : str
        The table's name.
    layout : Layout
        Its layout.
    frame : DataFrame of shape (n, columns)
        One row per image, ``image_id`` first; record columns, raw values, other columns.
    set_aside : dict of str to str
        Column -> why no model may see it.
    findings : Findings
        Problems and warnings.
    """

    name: str
    layout: Layout
    frame: pd.DataFrame
    set_aside: dict[str, str]
    findings: Findings


def normalise_table(source: SourceTable, options: Options) -> TableRecords:
    """Turn one table into records.

    Parameters
    ----------
    source : SourceTable
        The table.
    options : Options
        What the user said about the columns.

    Returns
    -------
    TableRecords
        Records; where problems were found, the values concerned are missing.

    Raises
    ------
    TableError
        If the table has no known layout.
    """
    columns = find_columns(source, options)
    findings = Findings()
    frame, rows = source.frame.reset_index(drop=True), source.rows
    records = _record_columns(frame, columns, options, rows, findings)
    extras, set_aside = _sort_columns(frame, columns)
    overshadowed = [name for name in extras if name in records]
    set_aside |= dict.fromkeys(overshadowed, "another column was named for its role")
    table = pd.DataFrame(records)
    table = pd.concat([table, frame[[name for name in extras if name not in records]]], axis=1)
    report_shared_lesions(table, rows, findings)
    table = _merge_repeated(table, rows, findings)
    labelled = Findings(
        [f"{source.name}, {problem}" for problem in findings.problems],
        [f"{source.name}, {warning}" for warning in findings.warnings],
        findings.words,
    )
    return TableRecords(source.name, columns.layout, table, set_aside, labelled)


def _record_columns(
    frame: pd.DataFrame, columns: Columns, options: Options, rows: np.ndarray, findings: Findings
) -> dict[str, pd.Series]:
    found = columns.by_role
    records = {"image_id": _image_ids(frame, columns, rows, findings)}
    for role in (Role.PATH, Role.PATIENT_ID, Role.LESION_ID):
        if role in found and role.value not in columns.layout.set_aside:
            records[role.value] = _names(frame[found[role]])
    readers = {Role.AGE: normalise_age, Role.SEX: normalise_sex, Role.SITE: normalise_site}
    for role, read in readers.items():
        if role in found:
            values = _understood(frame[found[role]], read, rows, findings)
            records[role.value] = values.astype(float) if role is Role.AGE else values
    if "site" in records:
        records["site"] = _refine_site(frame, records["site"], columns, rows)
    diagnosis = derive_diagnosis(frame, columns, options, rows, findings)
    target = derive_target(frame, diagnosis, columns, options, rows, findings)
    optional = {"diagnosis": diagnosis, "target": target}
    records |= {name: values for name, values in optional.items() if values is not None}
    for role, raw in _RAW.items():
        if role in found:
            records[raw] = frame[columns.by_key.get(raw, found[role])]
    return records


def _image_ids(
    frame: pd.DataFrame, columns: Columns, rows: np.ndarray, findings: Findings
) -> pd.Series:
    column = columns.by_role.get(Role.IMAGE_ID, columns.by_role.get(Role.PATH))
    written = _names(frame[column])
    blank = written.isna().to_numpy()
    if blank.any():
        findings.problems.append(
            f"{describe_rows(rows[blank])}: {column} is blank. Every row needs an image id."
        )
    ids = [normalise_image_id(name) for name in written.fillna("")]
    return pd.Series(ids, index=frame.index)


def _names(column: pd.Series) -> pd.Series:
    """Read ids as text, also those that a file or a DataFrame holds as numbers."""
    if pd.api.types.is_float_dtype(column) and (column.dropna() % 1 == 0).all():
        column = column.astype("Int64")
    text = column.astype(object).where(column.notna(), None)
    text = text.map(lambda name: str(name).strip(), na_action="ignore")
    missing = text.map(lambda name: name.lower() in MISSING_WORDS, na_action="ignore")
    return text.mask(missing.fillna(True).astype(bool), np.nan).infer_objects()


def _understood(
    column: pd.Series,
    read: Callable[[pd.Series, np.ndarray], Normalised],
    rows: np.ndarray,
    findings: Findings,
) -> pd.Series:
    """Normalise a column; a word nobody knows becomes missing, an impossible age a problem.

    An impossible number is a damaged table or the wrong column; an unknown word for a sex or a
    site is how real tables look, and the model takes missing values.
    """
    result = read(column, rows)
    findings.warnings.extend(result.notes)
    if read is normalise_age:
        findings.problems.extend(result.faults)
    elif result.faults:
        none = "" if result.values.notna().any() else " (no value of this column was understood)"
        findings.warnings.extend(f"{fault}; taken as missing{none}" for fault in result.faults)
    return result.values


def _refine_site(
    frame: pd.DataFrame, site: pd.Series, columns: Columns, rows: np.ndarray
) -> pd.Series:
    for key, words in SITE_REFINEMENTS.items():
        if key in columns.by_key:
            column = frame[columns.by_key[key]]
            told = column.astype(str).str.strip().str.lower().isin(words)
            finer = normalise(column.where(told), parse_site, rows).values
            site = finer.where(finer.notna(), site)
    return site


def _sort_columns(frame: pd.DataFrame, columns: Columns) -> tuple[list[str], dict[str, str]]:
    """Divide the columns that are no record column into those kept and those set aside."""
    used = set(columns.by_role.values()) | {columns.by_key.get(raw) for raw in _RAW.values()}
    extras, set_aside = [], {}
    for key, column in columns.by_key.items():
        reason = columns.layout.set_aside.get(key) or leak_reason(column)
        own = column.startswith(FAMILIES) or column == columns.by_role.get(Role.TARGET)
        if reason and not own:
            set_aside[column] = reason
        elif column not in used:
            extras.append(column)
    order = {column: place for place, column in enumerate(frame.columns)}
    return sorted(extras, key=order.get), dict(
        sorted(set_aside.items(), key=lambda item: order[item[0]])
    )


def report_shared_lesions(table: pd.DataFrame, labels: np.ndarray, findings: Findings) -> None:
    """Report lesions that belong to more than one patient.

    Parameters
    ----------
    table : DataFrame of shape (n, columns)
        Records.
    labels : ndarray of shape (n,)
        What to call each row.
    findings : Findings
        Receives one problem per such lesion.
    """
    if not {"lesion_id", "patient_id"} <= set(table.columns):
        return
    known = table[["lesion_id", "patient_id"]].dropna()
    pairs = known.drop_duplicates()
    shared = pairs.loc[pairs["lesion_id"].duplicated(), "lesion_id"].unique()
    for lesion in shared[:_SHOWN]:
        rows = known.index[known["lesion_id"] == lesion]
        patients = pairs.loc[pairs["lesion_id"] == lesion, "patient_id"]
        findings.problems.append(
            f"{describe_rows(labels[rows])}: lesion {lesion} belongs to several patients "
            f"({shorten(list(patients))}). Correct the patient_id, or leave lesion_id out."
        )
    if len(shared) > _SHOWN:
        findings.problems.append(f"{len(shared) - _SHOWN:,} more lesions with several patients.")


def _merge_repeated(table: pd.DataFrame, rows: np.ndarray, findings: Findings) -> pd.DataFrame:
    """Merge rows of one image that agree, and report those that do not."""
    ids = table["image_id"]
    repeated = (ids.duplicated(keep=False) & (ids != "")).to_numpy()
    if not repeated.any():
        return table
    # A blank beside a value is no contradiction: nunique leaves blanks out.
    groups = table[repeated].groupby("image_id", sort=False)
    compared = [name for name in table.columns if name not in {"image_id", *_RAW.values()}]
    differing = groups[compared].nunique().gt(1) if compared else pd.DataFrame()
    differing = differing[differing.any(axis=1)]
    for image_id, differs in differing.head(_SHOWN).iterrows():
        where = describe_rows(rows[(ids == image_id).to_numpy()])
        findings.problems.append(
            f"{where}: image {image_id} appears more than once with different "
            f"{', '.join(differs.index[differs])}. Keep one row of it."
        )
    if len(differing) > _SHOWN:
        findings.problems.append(f"{len(differing) - _SHOWN:,} more images of that kind.")
    again = (ids.duplicated() & (ids != "")).to_numpy()
    findings.warnings.append(
        f"{describe_rows(rows[again])}: images that an earlier row already names; merged with it"
    )
    merged = groups.first().reset_index()
    return (
        pd.concat([table[~repeated], merged.set_index(table.index[repeated & ~again])])
        .sort_index()
        .reset_index(drop=True)
    )
