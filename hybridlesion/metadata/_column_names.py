"""Column names in several languages, the roles that they suggest, and columns that leak."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from difflib import get_close_matches
from enum import StrEnum
from fnmatch import fnmatchcase
from types import MappingProxyType

from hybridlesion.metadata._vocabulary import invert, load_words


class Role(StrEnum):
    """Role of a column; the value is the name of the column in the records."""

    IMAGE_ID = "image_id"
    PATH = "path"
    PATIENT_ID = "patient_id"
    LESION_ID = "lesion_id"
    AGE = "age"
    SEX = "sex"
    SITE = "site"
    DIAGNOSIS = "diagnosis"
    TARGET = "target"


_LISTS, _TABLES = load_words("column_names.toml")
# Names of each role in published tables, of which the first one present is used, and aliases.
ROLE_COLUMNS: Mapping[Role, tuple[str, ...]] = MappingProxyType(
    {Role(role): names for role, names in _TABLES["published"].items()}
)
_ALIASES = {Role(role): names for role, names in _TABLES["aliases"].items()}
_HINTS = {Role(role): words for role, words in _TABLES["hints"].items()}
_BRACKETS = re.compile(r"[(\[{]([^)\]}]*)[)\]}]")


def column_key(column: object) -> str:
    """Normalise a column name for comparison.

    Parameters
    ----------
    column : object
        Column name.

    Returns
    -------
    str
        The name in lower case, stripped, with inner spaces replaced by underscores.

    Examples
    --------
    >>> column_key(" Image Name")
    'image_name'
    """
    return str(column).strip().lower().replace(" ", "_")


def loose_key(column: object) -> str:
    """Normalise a column name for comparison with aliases.

    Parameters
    ----------
    column : object
        Column name.

    Returns
    -------
    str
        The name in lower case, without accents, spaces, punctuation or brackets such as a unit.

    Examples
    --------
    >>> loose_key("Age (years)"), loose_key("Patienten-Nr."), loose_key("Age (months)")
    ('age', 'patientennr', 'agemonths')
    """
    text = _plain(column)
    text = _BRACKETS.sub(
        lambda m: " " if _squeeze(m[1]) in _LISTS["harmless_brackets"] else m[0], text
    )
    return _squeeze(text)


def candidates(role: Role, by_loose: Mapping[str, str]) -> list[str]:
    """List the columns whose alias suggests a role, the best first.

    Parameters
    ----------
    role : Role
        The role.
    by_loose : mapping of str to str
        Loose key -> column.

    Returns
    -------
    list of str
        Names of the columns.
    """
    return [by_loose[name] for name in _ALIASES[role] if name in by_loose]


def find_role(column: object) -> Role | None:
    """Find the role of a column from its name.

    Parameters
    ----------
    column : object
        Column name.

    Returns
    -------
    Role or None
        The role, or None if the name is not known.

    Examples
    --------
    >>> find_role("Sex at birth"), find_role("Ward") is None
    (<Role.SEX: 'sex'>, True)
    """
    return _ROLE_OF.get(column_key(column)) or _ROLE_OF_ALIAS.get(loose_key(column))


def guess_roles(column: object) -> list[Role]:
    """List the roles that a name suggests.

    Parameters
    ----------
    column : object
        Column name.

    Returns
    -------
    list of Role
        Roles, the most likely first.

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
    if not set(tokens).isdisjoint(_LISTS["not_years"]):
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


_ROLE_OF = invert(ROLE_COLUMNS)
_ROLE_OF_ALIAS = {**invert(_ALIASES), **{_squeeze(name): role for name, role in _ROLE_OF.items()}}

_ACQUISITION = invert(_TABLES["acquisition"])
LEAK_COLUMNS: Mapping[str, str] = MappingProxyType({**invert(_TABLES["leaks"]), **_ACQUISITION})


def leak_reason(column: str) -> str | None:
    """Explain why a column must not reach a model.

    Parameters
    ----------
    column : str
        Column name, as spelt in the table.

    Returns
    -------
    str or None
        The reason, or None if the name is not known to leak.

    Examples
    --------
    >>> leak_reason("iddx_full")
    'it encodes the diagnosis (target leakage)'
    >>> leak_reason("tbp_lv_areaMM2") is None
    True
    """
    key = column_key(column)
    if key in LEAK_COLUMNS:
        return LEAK_COLUMNS[key]
    return next((why for name, why in LEAK_COLUMNS.items() if fnmatchcase(key, name)), None)


def is_acquisition(column: str) -> bool:
    """Whether a column describes how or where an image was taken or stored.

    Parameters
    ----------
    column : str
        Column name, as spelt in the table.

    Returns
    -------
    bool
        True for sizes, cameras, archives and splits; False for all other columns, even leaks.

    Examples
    --------
    >>> is_acquisition("file_size"), is_acquisition("iddx_full"), is_acquisition("sex")
    (True, False, False)
    """
    return leak_reason(column) in _ACQUISITION.values()
