"""What became of each column of a table, as data and in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

from hybridlesion.metadata._aliases import find_role, guess_roles
from hybridlesion.metadata._layouts import FAMILIES, KNOWN_COLUMNS, ROLE_COLUMNS, Role, column_key
from hybridlesion.metadata._numbers import is_measurement
from hybridlesion.metadata._reading import SourceTable
from hybridlesion.metadata._roles import Columns, holds_role

__all__ = ["ColumnFate", "ColumnUse", "describe_uses", "format_uses"]

# Names of rows, of which a table may have several.
_NAMES = (Role.IMAGE_ID, Role.PATH, Role.PATIENT_ID, Role.LESION_ID)


class ColumnFate(StrEnum):
    """What became of a column."""

    READ = "read"
    PROPOSED = "proposed"
    KEPT = "kept"
    SET_ASIDE = "set aside"
    UNKNOWN = "not understood"


@dataclass(frozen=True)
class ColumnUse:
    """One column of a table and what became of it.

    Parameters
    ----------
    table : str
        Name of the table.
    column : str
        Name of the column.
    field : str
        The record column that it was read as, or may be, or the measurement that it is; empty if
        there is none.
    fate : ColumnFate
        Read; proposed (it may be `field`, but was not read); kept as an extra column, which no
        model reads; set aside as a leak; or not understood, and kept as an extra column.
    detail : str
        Reason, or how to have it read.
    guessed : bool, default=False
        Whether it was read although no published table uses the name.
    """

    table: str
    column: str
    field: str
    fate: ColumnFate
    detail: str
    guessed: bool = False


def describe_uses(
    source: SourceTable, columns: Columns, extras: Sequence[str], set_aside: Mapping[str, str]
) -> tuple[ColumnUse, ...]:
    """Say what became of the columns of a table, features apart.

    Parameters
    ----------
    source : SourceTable
        The table.
    columns : Columns
        What was found in it.
    extras : sequence of str
        Columns kept as they are.
    set_aside : mapping of str to str
        Column -> why no model may see it.

    Returns
    -------
    tuple of ColumnUse
        In the order of the table.
    """
    roles = {column: role for role, column in columns.by_role.items()}
    quiet = (*KNOWN_COLUMNS, *columns.layout.extras, *columns.layout.one_hot)
    uses = []
    for column in source.frame.columns:
        if column.startswith(FAMILIES):
            continue
        key, role = column_key(column), roles.get(column)
        if role is not None and not (role.value in columns.layout.set_aside and key == role.value):
            use = (role.value, ColumnFate.READ, "", role in columns.guessed)
        elif column in set_aside:
            use = ("", ColumnFate.SET_ASIDE, set_aside[column])
        elif column in extras and is_measurement(column):
            use = (column, ColumnFate.READ, "")
        elif column not in extras or any(fnmatchcase(key, name) for name in quiet):
            use = ("", ColumnFate.KEPT, "")
        else:
            use = _judge(source, columns, column)
        uses.append(ColumnUse(source.name, column, *use))
    return tuple(uses)


def _judge(source: SourceTable, columns: Columns, column: str) -> tuple[str, ColumnFate, str]:
    """Propose a role for an unknown column, if its name and its values suggest one."""
    key = column_key(column)
    # A feature table carries what an earlier run has spoken of.
    if columns.layout.name == "features" and find_role(column) is None:
        return "", ColumnFate.KEPT, ""
    for role in guess_roles(column):
        other = columns.by_role.get(role)
        if key in ROLE_COLUMNS[role]:
            return "", ColumnFate.KEPT, ""
        if other is not None:
            if find_role(column) is role and role not in _NAMES:
                return "", ColumnFate.KEPT, f"{role} is read from {other!r}"
        elif not (role is Role.TARGET and Role.DIAGNOSIS in columns.by_role) and holds_role(
            role, source.frame[column], source.rows, columns.by_role, source.frame
        ):
            option = f"--column {_quoted(f'{role}={column}')}"
            if role is Role.TARGET:
                option = f"--target {_quoted(column)}"
            return role.value, ColumnFate.PROPOSED, f"columns={{'{role}': {column!r}}} ({option})"
    return "", ColumnFate.UNKNOWN, ""


def format_uses(uses: Sequence[ColumnUse]) -> list[str]:
    """Write one table for the columns of all tables that a user should check.

    Parameters
    ----------
    uses : sequence of ColumnUse
        Columns.

    Returns
    -------
    list of str
        One text of several lines; nothing if every column has a name that is known.
    """
    lines = []
    for table in dict.fromkeys(use.table for use in uses):
        own = [use for use in uses if use.table == table]
        told = [
            (use.column, use.field, "read")
            for use in own
            if use.guessed and use.fate is ColumnFate.READ
        ]
        told += [
            (use.column, f"{use.field}?", f"not read; to read it, give {use.detail}")
            for use in own
            if use.fate is ColumnFate.PROPOSED
        ]
        told += [
            (use.column, "-", f"kept, no model reads it; {use.detail}")
            for use in own
            if use.fate is ColumnFate.KEPT and use.detail
        ]
        unknown = [use.column for use in own if use.fate is ColumnFate.UNKNOWN]
        if not told and not unknown:
            continue
        lines.append(f"columns of {table}:")
        if told:
            lines += _aligned([("your column", "our field", "what became of it"), *told])
        if unknown:
            lines.append(f"  not understood, kept, and read by no model: {', '.join(unknown)}")
    return ["\n".join(lines)] if lines else []


def _aligned(rows: Sequence[tuple[str, str, str]]) -> list[str]:
    first, second = (max(len(row[place]) for row in rows) for place in (0, 1))
    return [f"  {a:<{min(first, 40)}}  {b:<{second}}  {c}" for a, b, c in rows]


def _quoted(text: str) -> str:
    return text if text.replace("=", "").replace("_", "").isalnum() else f'"{text}"'
