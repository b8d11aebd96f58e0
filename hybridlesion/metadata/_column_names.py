"""Column names of hospital tables in several languages, and the roles they suggest."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from types import MappingProxyType

from hybridlesion.exceptions import TableError
from hybridlesion.metadata._layouts import FACTS, LAYOUTS, ROLE_COLUMNS, Role, column_key
from hybridlesion.metadata._vocabulary import load_words

__all__ = [
    "ALIASES",
    "RECORDS",
    "candidates",
    "explain_unknown",
    "find_role",
    "guess_roles",
    "identify_layout",
    "loose_key",
]

_NAMES = load_words("column_names.toml")
ALIASES: Mapping[Role, tuple[str, ...]] = MappingProxyType(
    {Role(role): names for role, names in _NAMES["aliases"].items()}
)
_BRACKETS = re.compile(r"[(\[{]([^)\]}]*)[)\]}]")


def loose_key(column: object) -> str:
    """Convert a column name to the form in which `ALIASES` are compared.

    Parameters
    ----------
    column : object
        A column's name.

    Returns
    -------
    str
        Lower case, without accents, blanks, punctuation and harmless brackets such as a unit.

    Examples
    --------
    >>> loose_key("Age (years)"), loose_key("Patienten-Nr."), loose_key("Age (months)")
    ('age', 'patientennr', 'agemonths')
    """
    text = _plain(column)
    text = _BRACKETS.sub(
        lambda m: " " if _squeeze(m[1]) in _NAMES["harmless_brackets"] else m[0], text
    )
    return _squeeze(text)


def candidates(role: Role, by_loose: Mapping[str, str]) -> list[str]:
    """List the columns that may hold a role by an alias, the best first.

    Parameters
    ----------
    role : Role
        The role.
    by_loose : mapping of str to str
        Loose key -> column.

    Returns
    -------
    list of str
        Columns.
    """
    return [by_loose[name] for name in ALIASES[role] if name in by_loose]


def find_role(column: object) -> Role | None:
    """Name the role that a column has by its name.

    Parameters
    ----------
    column : object
        A column's name.

    Returns
    -------
    Role or None
        The role; None if the name is not known.

    Examples
    --------
    >>> find_role("Sex at birth"), find_role("Ward") is None
    (<Role.SEX: 'sex'>, True)
    """
    return _ROLE_OF.get(column_key(column)) or _ROLE_OF_ALIAS.get(loose_key(column))


def guess_roles(column: object) -> list[Role]:
    """List the roles that a name suggests without settling it.

    Parameters
    ----------
    column : object
        A column's name.

    Returns
    -------
    list of Role
        Roles, the likeliest first.

    Examples
    --------
    >>> guess_roles("Clinical diagnosis"), guess_roles("patinet_id"), guess_roles("Ward")
    ([<Role.DIAGNOSIS: 'diagnosis'>], [<Role.PATIENT_ID: 'patient_id'>], [])
    """
    known = find_role(column)
    if known is not None:
        return [known]
    tokens = _tokens(column)
    key = loose_key(column)
    roles = [role for token in tokens for role, words in _HINTS.items() if token in words]
    roles += [
        role
        for role, words in _HINTS.items()
        if any(len(word) > 5 and word in key for word in words)
    ]
    close = get_close_matches(key, _ROLE_OF_ALIAS, n=1, cutoff=0.85) if len(key) > 4 else []
    roles += [_ROLE_OF_ALIAS[name] for name in close]
    if not set(tokens).isdisjoint(_NAMES["not_years"]):
        roles = [role for role in roles if role is not Role.AGE]
    return list(dict.fromkeys(roles))


def _plain(text: object) -> str:
    decomposed = unicodedata.normalize("NFKD", str(text)).casefold()
    return "".join(c for c in decomposed if not unicodedata.combining(c))


def _squeeze(text: str) -> str:
    return re.sub(r"[\W_]+", "", text)


def _tokens(column: object) -> list[str]:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", str(column))
    return [token for token in re.split(r"[\W_]+", _plain(spaced)) if token]


_HINTS = {Role(role): words for role, words in _NAMES["hints"].items()}
_ROLE_OF = {name: role for role, names in ROLE_COLUMNS.items() for name in names}
_ROLE_OF_ALIAS = {
    **{name: role for role, names in ALIASES.items() for name in names},
    **{_squeeze(name): role for name, role in _ROLE_OF.items()},
}


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
        "  Or name the columns with `id_column`, `target_column` and `columns`.",
        *_hints(columns),
    ]
    return "\n".join(lines)


def _hints(columns: list[str]) -> list[str]:
    return [
        f"  {column!r} may be {role}: `columns` {role}={column}."
        for column in columns
        for role in guess_roles(column)[:1]
        if column_key(column) not in ROLE_COLUMNS[role]
    ]
