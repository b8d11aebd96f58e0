"""A DataFrame of the user's own -> records, in the words of `read_records`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from hybridlesion._validation import as_pandas
from hybridlesion.exceptions import TableError
from hybridlesion.metadata._aliases import candidates, loose_key
from hybridlesion.metadata._layouts import ROLE_COLUMNS, Role, column_key
from hybridlesion.metadata._numbers import read_numbers
from hybridlesion.metadata._one_table import normalise_ids
from hybridlesion.metadata._problems import Findings
from hybridlesion.metadata._roles import holds_role
from hybridlesion.metadata._values import Normalised, normalise_age, normalise_sex, normalise_site
from hybridlesion.metadata._vocabulary import SITE_REFINEMENTS

__all__ = ["MEASUREMENT_PREFIXES", "normalise_records"]

# Measurements of total-body photography (ISIC 2024) that exist for new lesions too.
MEASUREMENT_PREFIXES = ("tbp_lv_", "clin_size_")
# Columns of ISIC 2024 under these prefixes that are words by design.
_WORDS = frozenset({"tbp_lv_location", "tbp_lv_location_simple"})

# Diagnosis and target are no features, and are left as they are.
_ROLES = (Role.IMAGE_ID, Role.PATH, Role.PATIENT_ID, Role.LESION_ID, Role.AGE, Role.SEX, Role.SITE)
_NORMALISE: Mapping[Role, Callable[[pd.Series, np.ndarray], Normalised]] = {
    Role.AGE: normalise_age,
    Role.SEX: normalise_sex,
    Role.SITE: normalise_site,
}


def normalise_records(frame: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Bring the columns of a DataFrame to the names and words of records.

    Parameters
    ----------
    frame : DataFrame of shape (n, columns)
        One row per image, of pandas or polars. Ids, paths, age, sex and site may stand under any
        name that `read_records` knows, such as ``age_approx`` or ``gender``.

    Returns
    -------
    frame : DataFrame of shape (n, columns)
        The same rows, with the columns ``image_id, path, patient_id, lesion_id, age, sex, site``
        under these names. ``age`` is float years up to 85, ``sex`` and ``site`` hold values of the
        vocabulary, patients and lesions that are not known ("unknown") are missing, and the
        measurements of ISIC 2024 (``tbp_lv_*``, ``clin_size_*``) are numbers.
        All else stays as it is. Records of `read_records` come back unchanged.
    notes : tuple of str
        What was not understood and counts as missing, with rows and cells.

    Raises
    ------
    TableError
        If an age is impossible, a measurement holds a cell that is no number, or two columns have
        one name. All such cells are listed with the index labels of their rows.

    Examples
    --------
    >>> frame = pd.DataFrame({"age_approx": ["85+", "unknown"], "gender": ["F", "x"]})
    >>> records, notes = normalise_records(frame)
    >>> records[["age", "sex"]].to_dict("list")
    {'age': [85.0, nan], 'sex': ['female', nan]}
    >>> notes
    ("row 1: gender 'x' is not among male, female; counts as missing",)
    """
    frame = as_pandas(frame)
    rows, findings = frame.index.to_numpy(), Findings()
    named = _name_columns(frame, rows, findings)
    renamed = {column: role.value for role, column in named.items() if column != role.value}
    if renamed:
        frame = frame.rename(columns=renamed)
    found = {}
    for role, normalise in _NORMALISE.items():
        if role not in named:
            continue
        # Messages name the column as the user knows it.
        result = normalise(frame[role.value].rename(named[role]), rows)
        found[role.value] = result.values.astype(float) if role is Role.AGE else result.values
        findings.warnings.extend(result.notes)
        if role is Role.AGE:
            findings.problems.extend(result.faults)
        else:
            findings.warnings.extend(f"{fault}; counts as missing" for fault in result.faults)
    if "site" in renamed.values():
        found["site"] = _refine_site(frame, found["site"], rows)
    # Numbers are ids as they are; text may write one in two ways, or say that none is known.
    for name in ("patient_id", "lesion_id"):
        if name in frame and not pd.api.types.is_numeric_dtype(frame[name]):
            found[name] = normalise_ids(frame[name])
    for column in frame.columns:
        if str(column).startswith(MEASUREMENT_PREFIXES) and column_key(column) not in _WORDS:
            found[column] = _read_numbers(frame[column], rows, findings)
    if findings.problems:
        count = len(findings.problems)
        raise TableError(
            f"{count} problem{'s' if count > 1 else ''} in the records:", findings.problems
        )
    words = [name for name, values in found.items() if values is None]
    changed = {
        name: values
        for name, values in found.items()
        if name not in words and not values.equals(frame[name])
    }
    if words or changed:
        frame = frame.drop(columns=words).assign(**changed)
    return frame, tuple(findings.warnings)


def _name_columns(frame: pd.DataFrame, rows: np.ndarray, findings: Findings) -> dict[Role, str]:
    """Find the column of each role, as `read_records` does."""
    keys = pd.Index([column_key(column) for column in frame.columns])
    named = {}
    for role in _ROLES:
        key = next((name for name in ROLE_COLUMNS[role] if name in keys), None)
        if key is None:
            continue
        columns = frame.columns[keys == key]
        if len(columns) > 1:
            raise TableError(
                f"the columns {', '.join(map(repr, columns))} have the same name but for case and "
                "blanks. Rename or drop one of them."
            )
        named[role] = columns[0]
    free = {loose_key(name): name for name in frame.columns if name not in named.values()}
    for role in _ROLES:
        for name in candidates(role, free) if role not in named else ():
            if holds_role(role, frame[name], rows, named, frame):
                named[role] = name
                findings.warnings.append(f"column {name!r} is read as {role}")
                del free[loose_key(name)]
                break
    return named


def _refine_site(frame: pd.DataFrame, site: pd.Series, rows: np.ndarray) -> pd.Series:
    """Let the finer columns of the ISIC archive overrule the general site."""
    for column in frame.columns:
        words = SITE_REFINEMENTS.get(column_key(column))
        if words:
            cells = frame[column].astype(str).str.strip()
            finer = normalise_site(cells.where(cells.str.lower().isin(words)), rows).values
            site = finer.where(finer.notna(), site)
    return site


def _read_numbers(column: pd.Series, rows: np.ndarray, findings: Findings) -> pd.Series | None:
    """Read a measurement that is held as text; None if all its cells are words."""
    found = read_numbers(column, rows)
    if not found.faults and not pd.api.types.is_numeric_dtype(found.values):
        word = found.values.dropna().iloc[0]
        findings.warnings.append(
            f"{column.name} holds no numbers ({word!r} and the like); the column is left out"
        )
        return None
    findings.warnings.extend(found.notes)
    findings.problems.extend(found.faults)
    return found.values
