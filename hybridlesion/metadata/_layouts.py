"""Known table layouts, and recognition of the layout of a table."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import filter as matching
from pathlib import Path
from typing import Any

from hybridlesion.exceptions import TableError
from hybridlesion.metadata._column_names import (
    ROLE_COLUMNS,
    Role,
    column_key,
    find_role,
    guess_roles,
)
from hybridlesion.metadata._vocabulary import split_list

# Layouts of tables that match no entry of layouts.toml: tables with image ids but without any other
# record column, and all other tables.
FACTS, RECORDS = "image-facts", "records"

# Column families of a feature table.
FAMILIES: tuple[str, ...] = ("abcd__", "emb__", "cnn__", "meta__", "ctx__", "qa__")
# Families that are measured from the pixels of an image.
MEASURED: tuple[str, ...] = ("abcd__", "emb__", "cnn__")

# Roles that may identify the rows of a table, the most specific first.
KEYS = (Role.IMAGE_ID, Role.PATH, Role.LESION_ID, Role.PATIENT_ID)

# Other columns of published tables, which no model reads and which are not reported.
KNOWN_COLUMNS: tuple[str, ...] = (
    *(f"{family}*" for family in FAMILIES),
    *("tbp_*", "clin_size_*", "anatom_site_*", "*_raw", "duplicate_cluster"),
    *("fitzpatrick_skin_type", "family_hx_mm", "personal_hx_mm"),
)


@dataclass(frozen=True)
class Layout:
    """Table layout: how it is recognised and what its columns mean.

    Parameters
    ----------
    name : str
        Short name, such as ``"isic2020"``.
    title : str
        Common name of the table.
    required : tuple of str
        Required columns, in addition to an image, lesion or patient id; ``*`` and ``[..]`` match
        as in file names.
    any_of : tuple of str, default=()
        Columns of which at least one must be present.
    exact : bool, default=False
        Whether other columns are forbidden.
    roles : mapping of Role to str, optional
        Role -> column name that has this role only in this layout.
    one_hot : mapping of str to str, optional
        0/1 column -> diagnosis that it stands for.
    otherwise : str or None, default=None
        Diagnosis of rows in which every 0/1 column is 0. If None, it is missing.
    words : mapping of str to mapping, optional
        Column -> code in lower case -> word that it stands for.
    malignant : tuple of str, default=()
        Diagnoses for which the target is 1 if the table has no target column.
    set_aside : mapping of str to str, optional
        Columns that leak in this layout only -> reason.
    extras : tuple of str, default=()
        Other columns, which no model reads; ``*`` and ``[..]`` match as in file names.
    note : str, default=""
        What users of the data set should know.
    """

    name: str
    title: str
    required: tuple[str, ...]
    any_of: tuple[str, ...] = ()
    exact: bool = False
    roles: Mapping[Role, str] = field(default_factory=dict)
    one_hot: Mapping[str, str] = field(default_factory=dict)
    otherwise: str | None = None
    words: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    malignant: tuple[str, ...] = ()
    set_aside: Mapping[str, str] = field(default_factory=dict)
    extras: tuple[str, ...] = ()
    note: str = ""

    def matches(self, keys: set[str]) -> bool:
        """Whether columns with these names have this layout.

        Parameters
        ----------
        keys : set of str
            Column names in lower case, with underscores instead of spaces.

        Returns
        -------
        bool
            True if they match.
        """
        if self.exact and keys != set(self.required):
            return False
        return all(matching(keys, name) for name in self.required) and (
            not self.any_of or any(matching(keys, name) for name in self.any_of)
        )


def _read_layout(name: str, entry: dict[str, Any]) -> Layout:
    lists = ("required", "any_of", "malignant", "extras")
    entry = {"required": ", ".join(entry.get("one_hot", ())), **entry}
    entry |= {key: split_list(entry[key]) for key in lists if key in entry}
    entry["roles"] = {Role(role): column for role, column in entry.get("roles", {}).items()}
    entry["note"] = " ".join(entry.get("note", "").split())
    return Layout(name, **entry)


# The first matching layout wins.
LAYOUTS: tuple[Layout, ...] = tuple(
    _read_layout(name, entry)
    for name, entry in tomllib.loads(
        Path(__file__).with_name("layouts.toml").read_text(encoding="utf-8")
    ).items()
)


def identify_layout(columns: Iterable[str]) -> str:
    """Identify the layout of a table by its columns.

    Parameters
    ----------
    columns : iterable of str
        Column names of the table; case and surrounding spaces are ignored.

    Returns
    -------
    str
        Name of one of `LAYOUTS`; ``"records"`` for other tables with an image, lesion or patient id
        and at least one record column; ``"image-facts"`` for tables with an id and only unknown
        columns, which can only be joined to another table.

    Raises
    ------
    TableError
        If no column identifies images, lesions or patients; the message lists the columns found,
        the layouts accepted and how to name columns.

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
    named = not roles.isdisjoint(KEYS)
    for layout in LAYOUTS:
        if layout.matches(keys) and (named or not layout.one_hot):
            return layout.name
    if not named:
        raise TableError(explain_unknown(columns))
    return RECORDS if Role.PATH in roles or len(roles) > 1 else FACTS


def explain_unknown(columns: Iterable[str]) -> str:
    """Explain why no layout fits a table.

    Parameters
    ----------
    columns : iterable of str
        Column names of the table.

    Returns
    -------
    str
        The columns found, the layouts accepted and the parameters that name a column.
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
        "  Accepted are tables with image ids and these columns, among others:",
        *accepted,
        f"    records: one of {', '.join(ROLE_COLUMNS[Role.IMAGE_ID])}, and any of "
        f"{', '.join(role for role in Role if role is not Role.IMAGE_ID)}",
        "  Or name the columns with `id_column`, `target_column` and `columns`.",
    ]
    lines += [
        f"  {column!r} may be {role}: `columns` {role}={column}."
        for column in columns
        for role in guess_roles(column)[:1]
        if column_key(column) not in ROLE_COLUMNS[role]
    ]
    return "\n".join(lines)
