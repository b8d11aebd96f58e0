"""Known table layouts, and the recognition of the layout that a table has."""

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

# Layouts of tables that no entry of layouts.toml fits: one that knows the images, but nothing that
# a record holds, and any other.
FACTS, RECORDS = "image-facts", "records"

# Column families of a feature table.
FAMILIES: tuple[str, ...] = ("abcd__", "emb__", "cnn__", "meta__", "ctx__", "qa__")
# Those of them that come from the pixels of an image.
MEASURED: tuple[str, ...] = ("abcd__", "emb__", "cnn__")

# What may name the rows of a table, the most specific first.
KEYS = (Role.IMAGE_ID, Role.PATH, Role.LESION_ID, Role.PATIENT_ID)

# Further columns of the published tables, which no model reads and which need no note.
KNOWN_COLUMNS: tuple[str, ...] = (
    *(f"{family}*" for family in FAMILIES),
    *("tbp_*", "clin_size_*", "anatom_site_*", "*_raw", "duplicate_cluster"),
    *("fitzpatrick_skin_type", "family_hx_mm", "personal_hx_mm"),
)


@dataclass(frozen=True)
class Layout:
    """One table layout: how it is recognised and what it means.

    Parameters
    ----------
    name : str
        Short name, such as ``"isic2020"``.
    title : str
        Common name of the table.
    required : tuple of str
        Required columns, in addition to one that names the image, lesion or patient; ``*``
        and ``[..]`` match as in file names.
    any_of : tuple of str, default=()
        Columns of which one at least must be there.
    exact : bool, default=False
        Whether no other column may be there.
    roles : mapping of Role to str, optional
        Columns that hold a record's values under names of this layout only.
    one_hot : mapping of str to str, optional
        0/1 column -> diagnosis it stands for.
    otherwise : str or None, default=None
        Diagnosis where every 0/1 column is 0; None leaves it missing.
    words : mapping of str to mapping, optional
        Column -> its codes, in lower case -> the word that each stands for.
    malignant : tuple of str, default=()
        Diagnoses that make the target 1 where the table has no target.
    set_aside : mapping of str to str, optional
        Columns that leak in this layout only -> reason.
    extras : tuple of str, default=()
        Its further columns, which no model reads; ``*`` and ``[..]`` match as in file names.
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
        """Whether columns with these keys have this layout.

        Parameters
        ----------
        keys : set of str
            Column names in lower case, blanks as underscores.

        Returns
        -------
        bool
            Whether they do.
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


# The first that matches wins.
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
        The table's column names.

    Returns
    -------
    str
        What was found, which layouts are accepted and which parameters name a column.
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
        "  Or name the columns with `id_column`, `target_column` and `columns`.",
    ]
    lines += [
        f"  {column!r} may be {role}: `columns` {role}={column}."
        for column in columns
        for role in guess_roles(column)[:1]
        if column_key(column) not in ROLE_COLUMNS[role]
    ]
    return "\n".join(lines)
