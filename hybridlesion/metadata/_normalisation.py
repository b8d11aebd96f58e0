"""Records from one table or DataFrame, in a common vocabulary."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hybridlesion._formatting import count_words, shorten
from hybridlesion._validation import as_pandas
from hybridlesion.exceptions import TableError
from hybridlesion.metadata._columns import (
    ColumnUse,
    Options,
    RecognisedTable,
    describe_uses,
    recognise_table,
    take_alias,
)
from hybridlesion.metadata._image_id import image_ids, path_ids, whole_ids
from hybridlesion.metadata._reading import MOST_FAULTS, Findings, describe_rows, read_numbers
from hybridlesion.metadata._table_files import SourceTable
from hybridlesion.metadata._targets import derive_diagnosis, derive_target
from hybridlesion.metadata._values import PARSERS, normalise_site
from hybridlesion.metadata._vocabulary import (
    FAMILIES,
    GROUPS,
    MISSING_WORDS,
    ROLE_COLUMNS,
    Layout,
    Role,
    column_key,
    columns_by_key,
    leak_reason,
    loose_key,
)

_RAW = {Role.AGE: "age_raw", Role.SEX: "sex_raw", Role.SITE: "site_raw"}
# Forms of ids that a program has mistaken for numbers.
_DECIMALS = re.compile(r"\d+[.,]\d+")
_WHOLE = re.compile(r"\d+[.,]0+")
_ROUNDED = re.compile(r"\d[.,]\d+e\+?\d+", re.IGNORECASE)


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
        One row per image: ``image_id``, record columns, raw values and other columns. A table of
        facts about lesions or patients has one row for each of these instead, and their ids as
        ``image_id``.
    set_aside : dict of str to str
        Column -> reason why no model may use it.
    key : Role
        What the rows represent: images, lesions or patients.
    uses : tuple of ColumnUse
        How the columns were used.
    """

    name: str
    layout: Layout
    frame: pd.DataFrame
    set_aside: dict[str, str]
    key: Role
    uses: tuple[ColumnUse, ...]


def normalise_table(source: SourceTable, options: Options, findings: Findings) -> TableRecords:
    """Convert a table to records.

    Parameters
    ----------
    source : SourceTable
        The table.
    options : Options
        Columns and diagnoses named by the user.
    findings : Findings
        Receives the problems and warnings, with the name of the table, and spellings of diagnoses.

    Returns
    -------
    TableRecords
        Records; values with problems are missing.

    Raises
    ------
    TableError
        If the table has no known layout.
    """
    table = recognise_table(source, options)
    records = _record_columns(table, options)
    extras, set_aside = _sort_columns(table)
    overshadowed = [name for name in extras if name in records]
    set_aside |= dict.fromkeys(overshadowed, "another column was named for its role")
    uses = describe_uses(table, extras, set_aside)
    _note_layout(table)
    others = table.frame[extras].drop(columns=overshadowed)
    frame = pd.concat([pd.DataFrame(records), others], axis=1)
    own = table.findings
    report_shared_lesions(frame, table.rows, own)
    key = Role.IMAGE_ID if table.key is Role.PATH else table.key
    frame = _merge_repeated(frame, table.rows, own, key)
    findings.problems += [*source.faults, *(f"{source.name}, {one}" for one in own.problems)]
    findings.warnings += [*source.notes, *(f"{source.name}, {one}" for one in own.warnings)]
    for name, words in own.words.items():
        findings.add_words(name, words)
    return TableRecords(source.name, table.layout, frame, set_aside, key, uses)


def _note_layout(table: RecognisedTable) -> None:
    """Add the note of the layout, and warn if a table lists several kinds of images."""
    if table.layout.note:
        table.findings.warnings.append(f"{table.layout.note}.")
    if "image_type" in table.by_key:
        kinds = table.frame[table.by_key["image_type"]].value_counts()
        if len(kinds) > 1:
            counts = ", ".join(f"{count:,} {kind}" for kind, count in kinds.items())
            table.findings.warnings.append(
                f"images of several kinds: {counts}. The features and the shipped network are made "
                "for dermoscopic images; to keep one kind, filter the table by image_type."
            )


def _record_columns(table: RecognisedTable, options: Options) -> dict[str, pd.Series]:
    frame, found = table.frame, table.by_role
    records = {"image_id": _row_ids(table)}

    for role in (Role.PATH, Role.PATIENT_ID, Role.LESION_ID):
        own = table.layout.set_aside.get(role.value)
        if role in found and role is not table.key and not own:
            ids = records[role.value] = normalise_ids(frame[found[role]])
            # Such as 1.23E+11, as which different ids look the same.
            rounded = ids.astype(str).str.fullmatch(_ROUNDED).to_numpy()
            if rounded.any():
                where = f"{describe_rows(table.rows[rounded])}: {found[role]}"
                what = f"{where} {ids[rounded].iloc[0]!r} was rounded by a spreadsheet"
                cure = "so different ids may look the same. Export the column as text."
                table.findings.warnings.append(f"{what}, {cure}")
    if table.key is Role.PATH:
        records["path"] = normalise_ids(frame[found[Role.PATH]])
    for role, raw in _RAW.items():
        if role in found:
            records[role.value] = _parse(frame[found[role]], role, table.rows, table.findings)
            records[raw] = frame[table.by_key.get(raw, found[role])]
    if "site" in records:
        records["site"] = _refine_site(frame, records["site"])
    records["diagnosis"] = derive_diagnosis(table, options)
    records["target"] = derive_target(table, records["diagnosis"], options)
    return {name: values for name, values in records.items() if values is not None}


def _row_ids(table: RecognisedTable) -> pd.Series:
    column = table.by_role[table.key]
    written = normalise_ids(table.frame[column]).fillna("")
    if table.key in (Role.LESION_ID, Role.PATIENT_ID):
        return written
    blank = (written == "").to_numpy()
    if blank.any():
        where = describe_rows(table.rows[blank])
        table.findings.problems.append(f"{where}: {column} is blank. Every row needs an image id.")
    read_ids = image_ids if table.key is Role.IMAGE_ID else path_ids
    return pd.Series(read_ids(written.tolist()), index=table.frame.index)


def normalise_ids(column: pd.Series) -> pd.Series:
    """Convert ids to text, including ids stored as numbers.

    Parameters
    ----------
    column : Series of shape (n,)
        Ids of images, lesions or patients.

    Returns
    -------
    Series of shape (n,)
        Stripped text; missing if the cell is blank or a word for a missing value. 12, 12.0 and
        "12.0" (or "12,0") are the same id, unless another id in the column has other decimals,
        such as 12.1. Leading zeros are kept.

    Examples
    --------
    >>> normalise_ids(pd.Series(["12.0", "012", 12, " P1 ", "unknown"])).tolist()
    ['12', '012', '12', 'P1', nan]
    """
    column = whole_ids(column)
    text = column.astype(object).where(column.notna(), None)
    text = text.map(lambda name: str(name).strip(), na_action="ignore")
    missing = text.map(lambda name: name.lower() in MISSING_WORDS, na_action="ignore")
    text = text.mask(missing.fillna(True).astype(bool), np.nan).infer_objects()
    decimals = text[text.astype(str).str.fullmatch(_DECIMALS)]
    if len(decimals) and decimals.astype(str).str.fullmatch(_WHOLE).all():
        text = text.copy()
        text[decimals.index] = decimals.astype(str).str.split(r"[.,]", regex=True).str[0]
    return text


def _parse(column: pd.Series, role: Role, rows: np.ndarray, findings: Findings) -> pd.Series:
    """Parse ages, sexes or sites; an unknown word becomes missing, an impossible age a problem.

    An impossible number indicates a damaged table or the wrong column, whereas unknown words for
    sexes and sites are common in real tables, and the model accepts missing values.
    """
    parsed = PARSERS[role](column, rows)
    findings.warnings += parsed.notes
    if role is Role.AGE:
        findings.problems += parsed.faults
        return parsed.values.astype(float)
    none = "" if parsed.values.notna().any() else " (no value of this column was understood)"
    findings.warnings += [f"{fault}; taken as missing{none}" for fault in parsed.faults]
    return parsed.values


def _refine_site(frame: pd.DataFrame, site: pd.Series) -> pd.Series:
    """Let the finer columns of the ISIC archive override the general site."""
    by_key = columns_by_key(frame.columns)
    for key, words in GROUPS["site_refinements"].items():
        if key in by_key:
            cells = frame[by_key[key]]
            decisive = cells.astype(str).str.strip().str.lower().isin(words)
            finer = normalise_site(cells.where(decisive), frame.index.to_numpy()).values
            site = finer.where(finer.notna(), site)
    return site


def _sort_columns(table: RecognisedTable) -> tuple[list[str], dict[str, str]]:
    """Divide the other columns into kept and excluded ones."""
    used = set(table.by_role.values()) | {table.by_key.get(raw) for raw in _RAW.values()}
    extras, set_aside = [], {}
    for column in table.frame.columns:
        reason = table.layout.set_aside.get(column_key(column)) or leak_reason(column)
        if column == table.by_role.get(Role.DIAGNOSIS):
            reason = reason or leak_reason("diagnosis")
        own = column.startswith(FAMILIES) or column == table.by_role.get(Role.TARGET)
        if reason and not own:
            set_aside[column] = reason
        elif column not in used:
            extras.append(column)
    return extras, set_aside


def report_shared_lesions(table: pd.DataFrame, labels: np.ndarray, findings: Findings) -> None:
    """Report lesions that belong to more than one patient.

    Parameters
    ----------
    table : DataFrame of shape (n, columns)
        Records.
    labels : ndarray of shape (n,)
        Label of each row.
    findings : Findings
        Receives one problem per such lesion.
    """
    if not {"lesion_id", "patient_id"} <= set(table.columns):
        return
    known = table[["lesion_id", "patient_id"]].dropna()
    pairs = known.drop_duplicates()
    shared = pairs.loc[pairs["lesion_id"].duplicated(), "lesion_id"].unique()
    for lesion in shared[:MOST_FAULTS]:
        where = describe_rows(labels[known.index[known["lesion_id"] == lesion]])
        patients = shorten(pairs.loc[pairs["lesion_id"] == lesion, "patient_id"])
        what = f"{where}: lesion {lesion} belongs to several patients ({patients})"
        findings.problems.append(f"{what}. Correct the patient_id, or leave lesion_id out.")
    if len(shared) > MOST_FAULTS:
        more = len(shared) - MOST_FAULTS
        findings.problems.append(f"{more:,} more lesions with several patients.")


def _merge_repeated(
    table: pd.DataFrame, rows: np.ndarray, findings: Findings, key: Role
) -> pd.DataFrame:
    """Merge rows of the same image, lesion or patient, and report rows that differ."""
    noun = key.value.removesuffix("_id")
    if key is not Role.IMAGE_ID:
        blank = (table["image_id"] == "").to_numpy()
        table, rows = table[~blank].reset_index(drop=True), rows[~blank]
        if blank.any():
            findings.warnings.append(f"{blank.sum():,} rows without a {key}; left out")
    ids = table["image_id"]
    repeated = (ids.duplicated(keep=False) & (ids != "")).to_numpy()
    if not repeated.any():
        return table
    # A blank does not contradict a value, since nunique ignores blanks.
    groups = table[repeated].groupby("image_id", sort=False)
    compared = [name for name in table.columns if name not in {"image_id", *_RAW.values()}]
    differing = groups[compared].nunique().gt(1)
    differing = differing[differing.any(axis=1)]
    for image_id, differs in differing.head(MOST_FAULTS).iterrows():
        where = describe_rows(rows[(ids == image_id).to_numpy()])
        columns = ", ".join(differs.index[differs])
        what = f"{where}: {noun} {image_id} appears more than once with different {columns}"
        findings.problems.append(f"{what}. Keep one row of it.")
    if len(differing) > MOST_FAULTS:
        findings.problems.append(f"{len(differing) - MOST_FAULTS:,} more such {noun}s.")
    again = (ids.duplicated() & (ids != "")).to_numpy()
    where = describe_rows(rows[again])
    findings.warnings.append(f"{where}: {noun}s repeated from an earlier row; merged with it")
    merged = groups.first().reset_index().set_index(table.index[repeated & ~again])
    return pd.concat([table[~repeated], merged]).sort_index(ignore_index=True)


# Measurements of total-body photography (ISIC 2024) that are also available for new lesions.
MEASUREMENT_PREFIXES = ("tbp_lv_", "clin_size_")
# Columns of ISIC 2024 with these prefixes that contain words by design.
_WORDS = frozenset({"tbp_lv_location", "tbp_lv_location_simple"})

# Diagnosis and target are not features, and stay unchanged.
_ROLES = (Role.IMAGE_ID, Role.PATH, Role.PATIENT_ID, Role.LESION_ID, Role.AGE, Role.SEX, Role.SITE)


def normalise_records(frame: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Convert the columns of a DataFrame to the names and values of records.

    Parameters
    ----------
    frame : DataFrame of shape (n, columns)
        One row per image, in pandas or polars. Ids, paths, age, sex and site may have any name
        that `read_records` recognises, such as ``age_approx`` or ``gender``.

    Returns
    -------
    frame : DataFrame of shape (n, columns)
        The same rows, with columns renamed to ``image_id, path, patient_id, lesion_id, age, sex,
        site``. ``age`` is in years (float, up to 85), ``sex`` and ``site`` contain values of the
        vocabulary, patients and lesions given as "unknown" are missing, and the measurements of
        ISIC 2024 (``tbp_lv_*``, ``clin_size_*``) are numbers. Everything else is unchanged, as are
        records from `read_records`.
    notes : tuple of str
        Cells that were not understood and count as missing, with their rows.

    Raises
    ------
    TableError
        If an age is impossible, a measurement contains a cell that is not a number, or two columns
        have the same name. All such cells are listed with the index labels of their rows.

    Examples
    --------
    >>> frame = pd.DataFrame({"age_approx": ["85+", "unknown"], "gender": ["F", "x"]})
    >>> records, notes = normalise_records(frame)
    >>> records[["age", "sex"]].to_dict("list")
    {'age': [85.0, nan], 'sex': ['female', nan]}
    >>> notes
    ("row 1: gender 'x' is not among male, female; taken as missing",)
    """
    frame = as_pandas(frame)
    rows, findings = frame.index.to_numpy(), Findings()
    named = _name_columns(frame, findings)
    # Messages use the user's names for the columns.
    found = {}
    for role in PARSERS:
        if role in named:
            found[role.value] = _parse(frame[named[role]], role, rows, findings)
    renamed = {column: role.value for role, column in named.items() if column != role.value}
    if renamed:
        frame = frame.rename(columns=renamed)
    if "site" in renamed.values():
        found["site"] = _refine_site(frame, found["site"])
    # Numeric ids are unambiguous; as text, an id may have two spellings or be given as unknown.
    for name in ("patient_id", "lesion_id"):
        if name in frame and not pd.api.types.is_numeric_dtype(frame[name]):
            found[name] = normalise_ids(frame[name])
    for column in frame.columns:
        if str(column).startswith(MEASUREMENT_PREFIXES) and column_key(column) not in _WORDS:
            found[column] = _read_numbers(frame[column], rows, findings)
    words = [column for column, values in found.items() if values is None]
    if findings.problems:
        count = count_words(len(findings.problems), "problem")
        raise TableError(f"{count} in the records:", findings.problems)
    changed = {name: values for name, values in found.items() if not frame[name].equals(values)}
    if changed:
        frame = frame.assign(**changed).drop(columns=words)
    return frame, tuple(findings.warnings)


def _name_columns(frame: pd.DataFrame, findings: Findings) -> dict[Role, str]:
    """Find the column of each role, as `read_records` does."""
    by_key = columns_by_key(frame.columns)
    named: dict[Role, str] = {}
    for role in _ROLES:
        key = next((name for name in ROLE_COLUMNS[role] if name in by_key), None)
        same = [column for column in frame.columns if column_key(column) == key]
        if len(same) > 1:
            what = f"the columns {', '.join(map(repr, same))} differ only in case or blanks"
            raise TableError(f"{what}. Rename or drop one of them.")
        if same:
            named[role] = same[0]
    free = {loose_key(name): name for name in frame.columns if name not in named.values()}
    for role in _ROLES:
        name = None if role in named else take_alias(role, free, frame, named)
        if name is not None:
            findings.warnings.append(f"column {name!r} is read as {role}")
    return named


def _read_numbers(column: pd.Series, rows: np.ndarray, findings: Findings) -> pd.Series | None:
    """Convert a measurement stored as text to numbers; None if all its cells are words."""
    found = read_numbers(column, rows)
    if not found.faults and not pd.api.types.is_numeric_dtype(found.values):
        word = found.values.dropna().iloc[0]
        what = f"{column.name} contains words, not numbers, such as {word!r}"
        findings.warnings.append(f"{what}; the column is left out")
        return None
    findings.warnings += found.notes
    findings.problems += found.faults
    return found.values
