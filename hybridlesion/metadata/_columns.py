"""Recognition of the role of each column in a table, and a report on how it was used."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum
from fnmatch import fnmatchcase

import numpy as np
import pandas as pd

from hybridlesion._validation import check_choice
from hybridlesion.exceptions import OptionError, TableError
from hybridlesion.metadata._diagnosis import read_diagnosis, read_outcome, split_words
from hybridlesion.metadata._image_id import image_ids, is_image_name, normalise_image_id, whole_ids
from hybridlesion.metadata._reading import Findings, is_measurement
from hybridlesion.metadata._table_files import SourceTable
from hybridlesion.metadata._values import PARSERS, normalise
from hybridlesion.metadata._vocabulary import (
    FACTS,
    FAMILIES,
    KEYS,
    KNOWN_COLUMNS,
    LAYOUTS,
    MISSING_WORDS,
    RECORDS,
    ROLE_COLUMNS,
    Layout,
    Role,
    candidates,
    column_key,
    columns_by_key,
    explain_unknown,
    find_role,
    guess_roles,
    identify_layout,
    loose_key,
)

# Columns that carry the same information as the column of a role.
_SAID_BY: Mapping[Role, frozenset[str]] = {
    Role.DIAGNOSIS: frozenset({"diagnosis_2", "diagnosis_3", "iddx_2", "iddx_3"}),
    Role.TARGET: frozenset({"benign_malignant", "diagnosis_1", "iddx_1"}),
}


@dataclass(frozen=True)
class Options:
    """Columns and diagnoses named by the user.

    Parameters
    ----------
    named : mapping of Role to str, optional
        Role -> column named by the user.
    malignant : tuple of str, default=()
        Normalised diagnoses for which the target is 1. If empty, those of the layout are used.
    benign : tuple of str, default=()
        Additional words, not known as diagnoses, for which the target is 0.
    """

    named: Mapping[Role, str] = field(default_factory=dict)
    malignant: tuple[str, ...] = ()
    benign: tuple[str, ...] = ()


@dataclass(frozen=True)
class RecognisedTable:
    """A table whose layout and columns were recognised.

    Parameters
    ----------
    name : str
        Name of the table.
    frame : DataFrame of shape (n, columns)
        Its cells, with the codes of the layout spelt out.
    rows : ndarray of shape (n,)
        Row labels.
    layout : Layout
        Layout of the table.
    by_role : mapping of Role to str
        Role -> column, as spelt in the table.
    by_key : mapping of str to str
        Normalised name -> column, as spelt in the table.
    guessed : set of Role
        Roles whose column has a name that no published table uses.
    findings : Findings, optional
        Receives the problems and warnings found while the cells are read.
    """

    name: str
    frame: pd.DataFrame
    rows: np.ndarray
    layout: Layout
    by_role: Mapping[Role, str]
    by_key: Mapping[str, str]
    guessed: set[Role]
    findings: Findings = field(default_factory=Findings)

    @property
    def key(self) -> Role:
        """Role that identifies the rows: the image, else its path, the lesion or the patient."""
        return next(role for role in KEYS if role in self.by_role)


def check_options(
    id_column: str | None,
    target_column: str | None,
    malignant: Sequence[str] | None,
    benign: Sequence[str] | None,
    columns: Mapping[str, str] | None,
) -> Options:
    """Validate the naming options of `read_records`.

    Parameters
    ----------
    id_column, target_column : str or None
        Columns named by separate options.
    malignant, benign : sequence of str or None
        Diagnoses, in any wording.
    columns : mapping of str to str or None
        Role -> column.

    Returns
    -------
    Options
        The validated options.

    Raises
    ------
    OptionError
        If a key of `columns` is not a role, or options contradict each other.
    """
    named = {
        Role(check_choice("a key of `columns`", key, map(str, Role))): name
        for key, name in (columns or {}).items()
    }
    for role, name in ((Role.IMAGE_ID, id_column), (Role.TARGET, target_column)):
        if name is not None and named.setdefault(role, name) != name:
            both = f"`columns` gives {named[role]!r} as {role}, and another parameter {name!r}"
            raise OptionError(f"{both}. Pass one.")
    options = Options(named, _read_words("malignant", malignant), _read_words("benign", benign))
    if both := set(options.malignant) & set(options.benign):
        raise OptionError(f"{', '.join(sorted(both))} cannot be both malignant and benign.")
    if Role.TARGET in named and (options.malignant or options.benign):
        # The diagnoses are searched for in that column.
        column = named.pop(Role.TARGET)
        if named.setdefault(Role.DIAGNOSIS, column) != column:
            both = f"the target column {column!r} and the named diagnoses define what is malignant"
            raise OptionError(f"{both}. Pass one of `target_column` and `malignant`.")
    return options


def _read_words(option: str, words: Sequence[str] | None) -> tuple[str, ...]:
    if words is None:
        return ()
    if isinstance(words, str) or not words:
        raise OptionError(f'`{option}` must list diagnoses, such as ["mel", "bcc"], got {words!r}.')
    names = []
    for word in words:
        reading = read_diagnosis(str(word))
        if reading.name is None:
            raise OptionError(f"`{option}` names {word!r}, which is not a diagnosis.")
        # Naming one type of nevus must not select all nevi; a type of melanoma selects all.
        words_in = split_words(str(word))
        narrower = reading.malignant == 0 and len(words_in) > len(split_words(reading.name))
        names.append(" ".join(words_in) if narrower else reading.name)
    return tuple(dict.fromkeys(names))


def recognise_table(source: SourceTable, options: Options) -> RecognisedTable:
    """Recognise the layout of a table and find its columns.

    Parameters
    ----------
    source : SourceTable
        The table.
    options : Options
        Columns named by the user, which take precedence over known names.

    Returns
    -------
    RecognisedTable
        The recognised table.

    Raises
    ------
    TableError
        If no column identifies the images, or two column names differ only in case.
    """
    by_key = columns_by_key(source.frame.columns)
    if len(by_key) < source.frame.shape[1]:
        twins = ", ".join(name for name in source.frame.columns if name not in by_key.values())
        what = f"{source.name}: {twins} and another column differ only in case or blanks"
        raise TableError(f"{what}. Rename or drop one of them.")
    named = [role.value for role in options.named if column_key(options.named[role]) in by_key]
    try:
        name = identify_layout([*source.frame.columns, *named])
    except TableError as error:
        # The user may have meant another sheet.
        notes = "".join(f"\n  {note}" for note in source.notes[:1])
        raise TableError(f"{source.name}: {error}{notes}", uses=_propose(source)) from None
    # The generic layouts have no entry.
    layout = next((known for known in LAYOUTS if known.name == name), None)
    by_role, guessed = _find_roles(source.frame, by_key, layout, options)
    if by_role.keys().isdisjoint(KEYS):
        reason = explain_unknown(source.frame.columns)
        raise TableError(f"{source.name}: {reason}", uses=_propose(source))
    if layout is None:
        name = RECORDS if Role.PATH in by_role or len(by_role) > 1 else FACTS
        layout = Layout(name, name, ())
    frame = source.frame.reset_index(drop=True)
    for key, words in layout.words.items():
        # Codes of the layout, such as nev in PAD-UFES-20.
        column = frame[by_key[key]]
        found = column.astype(str).str.strip().str.lower().map(words)
        frame = frame.assign(**{by_key[key]: found.where(found.notna(), column)})
    return RecognisedTable(source.name, frame, source.rows, layout, by_role, by_key, guessed)


def _find_roles(
    frame: pd.DataFrame, by_key: Mapping[str, str], layout: Layout | None, options: Options
) -> tuple[dict[Role, str], set[Role]]:
    """Find columns by the user's names, then the layout's, then known names, then aliases."""
    own = {} if layout is None else layout.roles
    by_role: dict[Role, str] = {}
    guessed: set[Role] = set()
    for role, names in ROLE_COLUMNS.items():
        wanted = (column_key(options.named.get(role, "")), own.get(role, ""), *names)
        found = [by_key[name] for name in wanted if name in by_key]
        if found:
            by_role[role] = found[0]
    # A column named for one role is not a candidate for another.
    free = {loose_key(c): c for c in reversed(by_key.values()) if c not in by_role.values()}
    stated = layout is not None and (layout.one_hot or layout.name == "duplicates")
    for role in ROLE_COLUMNS:
        known = by_role.get(role)
        if role in options.named or (known is not None and column_key(known) != "id"):
            continue
        if role is Role.PATH and Role.IMAGE_ID in by_role and layout is not None:
            continue
        if _SAID_BY.get(role, frozenset()) & by_key.keys() or (role in _SAID_BY and stated):
            continue
        if take_alias(role, free, frame, by_role) is not None:
            guessed.add(role)
    files = [column for column in free.values() if _names_files(column, frame[column])]
    if layout is None and Role.PATH not in by_role and len(files) == 1 and by_role:
        by_role[Role.PATH] = files[0]
        guessed.add(Role.PATH)
    if Role.IMAGE_ID in by_role and Role.PATH not in by_role:
        names = frame[by_role[Role.IMAGE_ID]].dropna().astype(str).tolist()
        paths = [name for name in names if "/" in name or "\\" in name]
        if image_ids(paths) != list(map(normalise_image_id, paths)):
            by_role[Role.PATH] = by_role[Role.IMAGE_ID]
    return by_role, guessed


def take_alias(
    role: Role, free: dict[str, str], frame: pd.DataFrame, by_role: dict[Role, str]
) -> str | None:
    """Find a column for a role by its aliases.

    Parameters
    ----------
    role : Role
        The role.
    free : dict of str to str
        Loose key -> column, for columns without a role; the column found is removed.
    frame : DataFrame of shape (n, columns)
        The table.
    by_role : dict of Role to str
        Columns found so far; the new column is added.

    Returns
    -------
    str or None
        The column, or None if none is suitable.
    """
    for name in candidates(role, free):
        if _holds_role(role, name, frame, by_role):
            by_role[role] = name
            return free.pop(loose_key(name))
    return None


def _names_files(column: str, values: pd.Series) -> bool:
    """Whether a column with an unknown name contains names of image files.

    Parameters
    ----------
    column : str
        Name of the column.
    values : Series of shape (n,)
        Cells of the column.

    Returns
    -------
    bool
        True if the name mentions images or files but not masks, and all cells have an image suffix.
    """
    name, cells = loose_key(column), values.dropna()
    if not re.search("path|file|image|img|photo|picture|bild|foto", name) or "mask" in name:
        return False
    return len(cells) > 0 and all(is_image_name(str(cell)) for cell in cells)


def find_path_column(frame: pd.DataFrame) -> str | None:
    """Find the column with the image paths.

    Parameters
    ----------
    frame : DataFrame of shape (n, columns)
        A table.

    Returns
    -------
    str or None
        The column with the first known name, else with an alias, else the only column of image
        file names; None if there is none.
    """
    by_key = columns_by_key(frame.columns)
    named = [by_key[name] for name in ROLE_COLUMNS[Role.PATH] if name in by_key]
    named += candidates(Role.PATH, columns_by_key(frame.columns, loose_key))
    if named:
        return named[0]
    files = [column for column in frame if _names_files(column, frame[column])]
    return files[0] if len(files) == 1 else None


def read_image_ids(
    frame: pd.DataFrame, path_column: str, id_column: str | None = None
) -> list[str] | None:
    """Read the image ids of a table of paths.

    Parameters
    ----------
    frame : DataFrame of shape (n, columns)
        The table.
    path_column : str
        Column of paths.
    id_column : str or None, default=None
        Column of ids. If it is None or not in the table, the known names are tried.

    Returns
    -------
    list of str or None
        The ids, or None if the table has only paths.
    """
    by_key = columns_by_key(frame.columns)
    keys = [column_key(id_column or ""), *ROLE_COLUMNS[Role.IMAGE_ID]]
    column = next((by_key[key] for key in keys if key in by_key), None)
    if column is None or column == path_column or frame[column].isna().all():
        return None
    values = whole_ids(frame[column])
    return image_ids([str(one) for one in values.astype(object).where(values.notna(), "")])


def _holds_role(role: Role, name: str, frame: pd.DataFrame, by_role: Mapping[Role, str]) -> bool:
    """Whether the values of a column fit the role that its name suggests.

    Parameters
    ----------
    role : Role
        Role that the name suggests.
    name : str
        The column's name.
    frame : DataFrame of shape (n, columns)
        The table.
    by_role : mapping of Role to str
        Columns found so far.

    Returns
    -------
    bool
        True if at least half of the ages, at least one sex, site or diagnosis, or all outcomes are
        understood; for ids, if most images differ and no lesion belongs to two patients.
    """
    column, rows = frame[name], np.arange(len(frame))
    text = column.dropna().astype(str).str.strip()
    text = text[~text.str.lower().isin(MISSING_WORDS)]
    if text.empty:
        return True
    if role in (Role.IMAGE_ID, Role.PATH):
        return text.nunique() * 2 > len(text)
    if role is Role.LESION_ID and Role.PATIENT_ID in by_role:
        pairs = pd.DataFrame({"lesion": column, "patient": frame[by_role[Role.PATIENT_ID]]})
        return not pairs.dropna().drop_duplicates()["lesion"].duplicated().any()
    if role in (Role.PATIENT_ID, Role.LESION_ID):
        return True
    if role is Role.TARGET:
        return not normalise(column, read_outcome, rows).faults
    if role is Role.DIAGNOSIS:
        return any(read_diagnosis(cell).understood for cell in text.unique())
    understood = PARSERS[role](column, rows).values.notna().sum()
    return understood * 2 >= len(text) if role is Role.AGE else understood > 0


def check_named(frames: Sequence[pd.DataFrame], options: Options) -> list[str]:
    """List the columns named by the user that are in no table.

    Parameters
    ----------
    frames : sequence of DataFrame
        All tables.
    options : Options
        Columns named by the user.

    Returns
    -------
    list of str
        One message for each missing column, with the most similar name.
    """
    known = {column_key(column): column for frame in frames for column in frame.columns}
    problems = []
    for role, name in options.named.items():
        key = column_key(name)
        if key in known:
            continue
        # `AGE` means age_approx rather than target, which shares as many letters.
        close = [one for one in known if one.startswith(key)] or get_close_matches(key, known, n=1)
        hint = f" Did you mean {known[close[0]]!r}?" if close else ""
        there = ", ".join(map(str, [*known.values()][:20]))
        what = f"no table has the column {name!r} given for {role}"
        problems.append(f"{what}; there are {there}.{hint}")
    return problems


class ColumnFate(StrEnum):
    """How a column was used."""

    READ = "read"
    PROPOSED = "proposed"
    KEPT = "kept"
    SET_ASIDE = "excluded"
    UNKNOWN = "not understood"


@dataclass(frozen=True)
class ColumnUse:
    """How one column of a table was used.

    Parameters
    ----------
    table : str
        Name of the table.
    column : str
        Name of the column.
    field : str
        Record column or measurement that the column was read as, or may be; empty if there is
        none.
    fate : ColumnFate
        Read; proposed (it may be `field`, but was not read); kept as an extra column, which no
        model reads; excluded as a leak; or not understood, and kept as an extra column.
    detail : str
        Reason, or the option by which it would be read.
    guessed : bool, default=False
        Whether it was read under a name that no published table uses.
    """

    table: str
    column: str
    field: str
    fate: ColumnFate
    detail: str
    guessed: bool = False


def describe_uses(
    table: RecognisedTable, extras: Sequence[str], set_aside: Mapping[str, str]
) -> tuple[ColumnUse, ...]:
    """Describe how the columns of a table, except features, were used.

    Parameters
    ----------
    table : RecognisedTable
        The table.
    extras : sequence of str
        Columns kept unchanged.
    set_aside : mapping of str to str
        Column -> reason why no model may use it.

    Returns
    -------
    tuple of ColumnUse
        Uses, in the order of the columns.
    """
    roles = {column: role for role, column in table.by_role.items()}
    quiet = (*KNOWN_COLUMNS, *table.layout.extras, *table.layout.one_hot)
    uses = []
    for column in table.frame.columns:
        if column.startswith(FAMILIES):
            continue
        key, role = column_key(column), roles.get(column)
        if role is not None and not (role.value in table.layout.set_aside and key == role.value):
            use = (role.value, ColumnFate.READ, "", role in table.guessed)
        elif column in set_aside:
            use = ("", ColumnFate.SET_ASIDE, set_aside[column])
        elif column in extras and is_measurement(column):
            use = (column, ColumnFate.READ, "")
        elif column not in extras or any(fnmatchcase(key, name) for name in quiet):
            use = ("", ColumnFate.KEPT, "")
        else:
            use = _judge(table, column)
        uses.append(ColumnUse(table.name, column, *use))
    return tuple(uses)


def _propose(source: SourceTable) -> list[ColumnUse]:
    """Describe the columns of a table that cannot be read, by their names."""
    uses = []
    for column in map(str, source.frame.columns):
        role = next(iter(guess_roles(column)), None)
        use: tuple[str, ColumnFate, str] = ("", ColumnFate.UNKNOWN, "")
        if role is not None:
            known = column_key(column) in ROLE_COLUMNS[role]
            fate = ColumnFate.READ if known else ColumnFate.PROPOSED
            option = "" if known else f"`columns` {_quoted(f'{role}={column}')}"
            use = (role.value, fate, option)
        uses.append(ColumnUse(source.name, column, *use))
    return uses


def _judge(table: RecognisedTable, column: str) -> tuple[str, ColumnFate, str]:
    """Propose a role for an unknown column, if its name and its values suggest one."""
    key = column_key(column)
    # An earlier run has already reported the columns of a feature table.
    if table.layout.name == "features" and find_role(column) is None:
        return "", ColumnFate.KEPT, ""
    for role in guess_roles(column):
        other = table.by_role.get(role)
        if key in ROLE_COLUMNS[role]:
            return "", ColumnFate.KEPT, ""
        if other is not None:
            if find_role(column) is role and role not in KEYS:
                return "", ColumnFate.KEPT, f"{role} is read from {other!r}"
        elif role is Role.TARGET and Role.DIAGNOSIS in table.by_role:
            continue
        elif _holds_role(role, column, table.frame, table.by_role):
            is_target = role is Role.TARGET
            option, value = ("target_column", "") if is_target else ("columns", f"{role}=")
            return role.value, ColumnFate.PROPOSED, f"`{option}` {_quoted(value + column)}"
    return "", ColumnFate.UNKNOWN, ""


# What a user should check: columns read under unknown names, proposed, and kept for a reason.
_NOTABLE = (
    (ColumnFate.READ, "{}", "read"),
    (ColumnFate.PROPOSED, "{}?", "not read; to read it, pass {}"),
    (ColumnFate.KEPT, "-", "kept, but not used by models; {}"),
)


def list_uses(uses: Sequence[ColumnUse]) -> list[str]:
    """Format the columns that a user should check, for all tables.

    Parameters
    ----------
    uses : sequence of ColumnUse
        Uses of the columns.

    Returns
    -------
    list of str
        One multi-line string, or an empty list if all column names are known.
    """
    lines = []
    for table in dict.fromkeys(use.table for use in uses):
        own = [use for use in uses if use.table == table]
        rows = [
            (use.column, ours.format(use.field), result.format(use.detail))
            for fate, ours, result in _NOTABLE
            for use in own
            if use.fate is fate and (use.guessed or use.detail)
        ]
        unknown = [use.column for use in own if use.fate is ColumnFate.UNKNOWN]
        if rows or unknown:
            lines.append(f"columns of {table}:")
        if rows:
            rows.insert(0, ("your column", "our field", "result"))
            first, second = (max(len(row[place]) for row in rows) for place in (0, 1))
            lines += [f"  {a:<{min(first, 40)}}  {b:<{second}}  {c}" for a, b, c in rows]
        if unknown:
            lines.append(f"  not understood; kept, not used by models: {', '.join(unknown)}")
    return ["\n".join(lines)] if lines else []


def _quoted(text: str) -> str:
    return text if text.replace("=", "").replace("_", "").isalnum() else f'"{text}"'
