"""What a table says about diagnosis and malignancy, whatever its way of saying it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hybridlesion.metadata._layouts import Role
from hybridlesion.metadata._problems import Findings, describe_rows
from hybridlesion.metadata._roles import Columns, Options
from hybridlesion.metadata._values import normalise, parse_diagnosis, parse_outcome

__all__ = ["derive_diagnosis", "derive_target"]

# Hierarchical diagnoses of the ISIC archive and of ISIC 2024, the most telling level first;
# level 1 is the outcome.
_DIAGNOSIS_LEVELS = ("diagnosis_3", "iddx_3", "diagnosis_2", "iddx_2")
_OUTCOME_LEVELS = ("diagnosis_1", "iddx_1")


def derive_diagnosis(
    frame: pd.DataFrame, columns: Columns, rows: np.ndarray, findings: Findings
) -> pd.Series | None:
    """Find the diagnosis of every row.

    Parameters
    ----------
    frame : DataFrame of shape (n, columns)
        The table.
    columns : Columns
        Where it keeps what.
    rows : ndarray of shape (n,)
        Row labels.
    findings : Findings
        Receives the problems of 0/1 columns.

    Returns
    -------
    Series of shape (n,) or None
        Diagnoses in our words; None if the table has none.
    """
    if columns.layout.one_hot:
        return _read_one_hot(frame, columns, rows, findings)
    if Role.DIAGNOSIS in columns.by_role:
        names = [columns.by_role[Role.DIAGNOSIS]]
    else:
        names = [columns.by_key[key] for key in _DIAGNOSIS_LEVELS if key in columns.by_key]
    diagnosis = None
    for name in names:
        level = normalise(frame[name], parse_diagnosis, rows).values
        diagnosis = level if diagnosis is None else diagnosis.where(diagnosis.notna(), level)
    return diagnosis


def derive_target(
    frame: pd.DataFrame,
    diagnosis: pd.Series | None,
    columns: Columns,
    options: Options,
    rows: np.ndarray,
    findings: Findings,
) -> pd.Series | None:
    """Find out which rows are malignant.

    Parameters
    ----------
    frame : DataFrame of shape (n, columns)
        The table.
    diagnosis : Series of shape (n,) or None
        Its diagnoses, in our words.
    columns : Columns
        Where it keeps what.
    options : Options
        The diagnoses that the user calls malignant, if any.
    rows : ndarray of shape (n,)
        Row labels.
    findings : Findings
        Receives values other than 0 and 1, and contradictions.

    Returns
    -------
    Series of shape (n,), float or None
        1 malignant, 0 benign, NaN unknown; None if the table does not say.

    Notes
    -----
    The first that applies: the diagnoses given by ``malignant=``; a target column;
    ``benign_malignant``; the first level of a hierarchical diagnosis; the layout's default
    (melanoma against the rest for ISIC 2017, 2018, 2019 and HAM10000). With ``malignant=``, a
    row without a diagnosis counts as 0 where the table calls it benign, as most of ISIC 2020 is.
    """
    outcomes = [_read_outcome(frame, name, rows, findings) for name in _outcome_columns(columns)]
    for other in outcomes[1:]:
        _report_contradictions(outcomes[0], other, rows, findings)
    stated = outcomes[0] if outcomes else None
    malignant = options.malignant or (() if outcomes else columns.layout.malignant)
    if diagnosis is None or not malignant:
        return stated
    target = diagnosis.isin(malignant).astype(float).where(diagnosis.notna())
    if stated is not None:
        target = target.where(diagnosis.notna() | (stated != 0), 0.0)
    return target.rename("target")


def _outcome_columns(columns: Columns) -> list[str]:
    names = [columns.by_role.get(Role.TARGET), columns.by_key.get("benign_malignant")]
    names = [name for name in dict.fromkeys(names) if name is not None]
    if names:
        return names
    return [columns.by_key[key] for key in _OUTCOME_LEVELS if key in columns.by_key][:1]


def _read_outcome(
    frame: pd.DataFrame, name: str, rows: np.ndarray, findings: Findings
) -> pd.Series:
    outcome = normalise(frame[name], parse_outcome, rows)
    findings.problems.extend(outcome.faults)
    return outcome.values.astype(float).rename(name)


def _report_contradictions(
    one: pd.Series, other: pd.Series, rows: np.ndarray, findings: Findings
) -> None:
    bad = (one.notna() & other.notna() & (one != other)).to_numpy()
    if bad.any():
        findings.problems.append(
            f"{describe_rows(rows[bad])}: {one.name} and {other.name} contradict each other. "
            "Correct the table, or leave one column out."
        )


def _read_one_hot(
    frame: pd.DataFrame, columns: Columns, rows: np.ndarray, findings: Findings
) -> pd.Series:
    """Turn 0/1 columns into one diagnosis a row."""
    layout = columns.layout
    flags = {
        key: _read_outcome(frame, columns.by_key[key], rows, findings) for key in layout.one_hot
    }
    chosen = np.column_stack([flag.to_numpy() == 1 for flag in flags.values()])
    several = chosen.sum(axis=1) > 1
    if several.any():
        findings.problems.append(
            f"{describe_rows(rows[several])}: more than one of {', '.join(flags)} is 1. Each image "
            "has one diagnosis."
        )
    known = np.column_stack([flag.notna().to_numpy() for flag in flags.values()]).all(axis=1)
    words = np.array([*layout.one_hot.values()], dtype=object)
    rest = np.where(known, layout.otherwise, None) if layout.otherwise else None
    diagnosis = np.where(chosen.any(axis=1), words[chosen.argmax(axis=1)], rest)
    return pd.Series(diagnosis, index=frame.index).infer_objects()
