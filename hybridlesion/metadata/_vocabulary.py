"""Vocabulary of metadata tables: words, roles of columns, and layouts of published tables."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum
from fnmatch import filter as matching
from fnmatch import fnmatchcase
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias, TypeVar

from hybridlesion.exceptions import TableError

Name = TypeVar("Name")
WordLists: TypeAlias = dict[str, tuple[str, ...]]


def split_list(text: str) -> tuple[str, ...]:
    """Split a list of words separated by commas.

    Parameters
    ----------
    text : str
        The list.

    Returns
    -------
    tuple of str
        The words.

    Examples
    --------
    >>> split_list("melanoma, nevus")
    ('melanoma', 'nevus')
    """
    return tuple(word.strip() for word in text.split(","))


def load_toml(name: str) -> dict[str, Any]:
    """Load a TOML file of this package.

    Parameters
    ----------
    name : str
        File name.

    Returns
    -------
    dict of str to object
        Its content.
    """
    return tomllib.loads(Path(__file__).with_name(name).read_text(encoding="utf-8"))


def load_words(name: str) -> tuple[WordLists, dict[str, WordLists]]:
    """Load lists of words from a TOML file of this package.

    Parameters
    ----------
    name : str
        File name. Each value in the file is a comma-separated list of words, or a table of these.

    Returns
    -------
    lists : dict of str to tuple of str
        The lists.
    tables : dict of str to dict
        The tables of lists.
    """
    values = load_toml(name)
    lists = {key: split_list(text) for key, text in values.items() if isinstance(text, str)}
    tables = {key: table for key, table in values.items() if key not in lists}
    for table in tables.values():
        table.update({name: split_list(text) for name, text in table.items()})
    return lists, tables


def invert(groups: Mapping[Name, Iterable[str]]) -> Mapping[str, Name]:
    """Invert a mapping from names to words.

    Parameters
    ----------
    groups : mapping of name to iterable of str
        Name -> its words.

    Returns
    -------
    mapping of str to name
        Word -> name.

    Examples
    --------
    >>> dict(invert({"male": ("m", "man")}))
    {'m': 'male', 'man': 'male'}
    """
    return MappingProxyType({word: name for name, words in groups.items() for word in words})


WORDS, GROUPS = load_words("vocabulary.toml")
MISSING_WORDS: frozenset[str] = frozenset({"", *WORDS["missing"]})
MISSING_NUMBERS: frozenset[str] = MISSING_WORDS | {*WORDS["missing_number"]}


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
# Roles that may identify the rows of a table, the most specific first.
KEYS = (Role.IMAGE_ID, Role.PATH, Role.LESION_ID, Role.PATIENT_ID)
_ALIASES = {Role(role): names for role, names in _TABLES["aliases"].items()}
_HINTS = [(word, Role(role)) for role, words in _TABLES["hints"].items() for word in words]
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


def columns_by_key(
    columns: Iterable[str], key: Callable[[str], str] = column_key
) -> dict[str, str]:
    """Map normalised names to the first columns that have them.

    Parameters
    ----------
    columns : iterable of str
        Column names.
    key : callable, default=column_key
        Normalises a name.

    Returns
    -------
    dict of str to str
        Normalised name -> column, the last column first.
    """
    return {key(column): column for column in reversed(list(columns))}


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

    def keep(bracket: re.Match[str]) -> str:
        return " " if _squeeze(bracket[1]) in _LISTS["harmless_brackets"] else bracket[0]

    return _squeeze(_BRACKETS.sub(keep, _plain(column)))


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
    roles = [role for token in tokens for word, role in _HINTS if token == word]
    roles += [role for word, role in _HINTS if len(word) > 5 and word in key]
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
    reasons = (why for name, why in LEAK_COLUMNS.items() if fnmatchcase(key, name))
    return LEAK_COLUMNS.get(key) or next(reasons, None)


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


# Layouts of tables that match no entry of layouts.toml: tables with image ids but without any other
# record column, and all other tables.
FACTS, RECORDS = "image-facts", "records"

# Column families of a feature table.
FAMILIES: tuple[str, ...] = ("abcd__", "perceived__", "emb__", "cnn__", "meta__", "ctx__", "qa__")
# Families that are measured from the pixels of an image.
MEASURED: tuple[str, ...] = ("abcd__", "perceived__", "emb__", "cnn__")


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
        0/1 column, or column marked X -> diagnosis that it stands for.
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
        if self.exact:
            return keys == set(self.required)
        any_found = not self.any_of or any(matching(keys, name) for name in self.any_of)
        return any_found and all(matching(keys, name) for name in self.required)


def _read_layout(name: str, entry: dict[str, Any]) -> Layout:
    lists = ("required", "any_of", "malignant", "extras")
    entry = {"required": ", ".join(entry.get("one_hot", ())), **entry}
    entry |= {key: split_list(entry[key]) for key in lists if key in entry}
    entry["roles"] = {Role(role): column for role, column in entry.get("roles", {}).items()}
    entry["note"] = " ".join(entry.get("note", "").split())
    return Layout(name, **entry)


# The first matching layout wins.
LAYOUTS: tuple[Layout, ...] = tuple(
    _read_layout(name, entry) for name, entry in load_toml("layouts.toml").items()
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
    more = f" and {len(columns) - 20} more" if columns[20:] else ""
    lines = [f"no known layout has the columns {', '.join(columns[:20])}{more}."]
    lines.append("  Accepted are tables with image ids and these columns, among others:")
    for layout in LAYOUTS:
        any_of = f", and any of {', '.join(layout.any_of)}" if layout.any_of else ""
        lines.append(f"    {layout.name}: {', '.join(layout.required)}{any_of}")
    ids, others = ROLE_COLUMNS[Role.IMAGE_ID], [role for role in Role if role is not Role.IMAGE_ID]
    lines.append(f"    records: one of {', '.join(ids)}, and any of {', '.join(others)}")
    lines.append("  Or name the columns with `id_column`, `target_column` and `columns`.")
    lines += [
        f"  {column!r} may be {role}: `columns` {role}={column}."
        for column in columns
        for role in guess_roles(column)[:1]
        if column_key(column) not in ROLE_COLUMNS[role]
    ]
    return "\n".join(lines)
