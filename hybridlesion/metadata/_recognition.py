"""Which layout a table has, and what to tell who brings one that nobody knows."""

from __future__ import annotations

from collections.abc import Iterable

from hybridlesion.exceptions import TableError
from hybridlesion.metadata._aliases import find_role, guess_roles
from hybridlesion.metadata._layouts import FACTS, LAYOUTS, ROLE_COLUMNS, Role, column_key

__all__ = ["RECORDS", "explain_unknown", "identify_layout"]

RECORDS = "records"
# What may name the rows of a table.
_KEYS = frozenset({Role.IMAGE_ID, Role.PATH, Role.LESION_ID, Role.PATIENT_ID})


def identify_layout(columns: Iterable[str]) -> str:
    """Name the layout that a table with these columns has.

    Parameters
    ----------
    columns : iterable of str
        The table's column names; case and outer blanks do not matter.

    Returns
    -------
    str
        A name among `LAYOUTS`; ``"records"`` for other tables with an image, lesion or patient id
        and at least one column that a record has; ``"image-facts"`` for an id with columns that
        are all unknown, which can only be joined to another table.

    Raises
    ------
    TableError
        If no column names images, lesions or patients; the message lists what was found, what is
        accepted and how to name columns.

    Examples
    --------
    >>> identify_layout(["image_name", "patient_id", "sex", "age_approx", "target"])
    'isic2020'
    >>> identify_layout(["lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization"])
    'ham10000'
    """
    columns = list(columns)
    keys = {column_key(column) for column in columns}
    roles = {find_role(column) for column in columns} - {None}
    for layout in LAYOUTS:
        if layout.matches(keys) and (roles & _KEYS or not layout.one_hot):
            return layout.name
    if not roles & _KEYS:
        raise TableError(explain_unknown(columns))
    return RECORDS if Role.PATH in roles or len(roles) > 1 else FACTS


def explain_unknown(columns: Iterable[str]) -> str:
    """Write what is known about a table that no layout fits.

    Parameters
    ----------
    columns : iterable of str
        The table's column names.

    Returns
    -------
    str
        What was found, which layouts are accepted and which options name a column.
    """
    columns = [str(column) for column in columns]
    shown = ", ".join(columns[:20]) + (f" and {len(columns) - 20} more" if columns[20:] else "")
    accepted = [
        f"    {layout.name}: {', '.join(layout.required)}"
        + (f", and any of {', '.join(layout.any_of)}" if layout.any_of else "")
        for layout in LAYOUTS
    ]
    lines = [
        f"no known layout has the columns {shown}.",
        "  Accepted are tables that name the image and have these columns among others:",
        *accepted,
        f"    records: one of {', '.join(ROLE_COLUMNS[Role.IMAGE_ID])}, and any of "
        f"{', '.join(role for role in Role if role is not Role.IMAGE_ID)}",
        "  Or name the columns, with id_column, target_column and columns (on the command line "
        "--id-column, --target and --column age=COLUMN).",
        *_hints(columns),
    ]
    return "\n".join(lines)


def _hints(columns: list[str]) -> list[str]:
    return [
        f"  {column!r} may be {role}: columns={{{str(role)!r}: {column!r}}} "
        f"(--column {role}={column})."
        for column in columns
        for role in guess_roles(column)[:1]
        if column_key(column) not in ROLE_COLUMNS[role]
    ]
