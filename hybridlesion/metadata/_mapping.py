"""Mappings: how the tables of one data set are read, kept in a TOML file."""

from __future__ import annotations

import hashlib
import json
import os
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hybridlesion._atomic import atomic_path, check_writable
from hybridlesion._validation import check_choice
from hybridlesion.exceptions import OptionError, SourceError, TableError
from hybridlesion.metadata._columns import ColumnFate, ColumnUse, check_options
from hybridlesion.metadata._reading import read_source
from hybridlesion.metadata._vocabulary import FAMILIES, Role, column_key, identify_layout

_TITLE = "# hybridlesion: how the photographs and tables of a data set are read."
_LISTS, _FLAG, _COLUMNS = ("malignant", "benign", "roots"), "labels_from_folders", "columns"


@dataclass(frozen=True)
class DataMapping:
    """How the photographs and tables of a data set are read.

    Parameters
    ----------
    columns : mapping of str to str, optional
        Record column (such as ``age`` or ``target``) -> column of the tables.
    malignant, benign : tuple of str, default=()
        Diagnoses that count as malignant, and further words that count as benign; see
        `read_records`. If `malignant` is empty, the tables or their layout decide.
    roots : tuple of str, default=()
        Further folders in which the images of a table may lie.
    labels_from_folders : bool, default=False
        Whether the folder of an image is its label.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    malignant: tuple[str, ...] = ()
    benign: tuple[str, ...] = ()
    roots: tuple[str, ...] = ()
    labels_from_folders: bool = False

    @property
    def record_options(self) -> dict[str, Any]:
        """Parameters `columns`, `malignant` and `benign` of `read_records`."""
        words = {"malignant": list(self.malignant) or None, "benign": list(self.benign) or None}
        return {"columns": dict(self.columns) or None, **words}

    def override(
        self,
        *,
        columns: Mapping[str, str] | None = None,
        id_column: str | None = None,
        target_column: str | None = None,
        malignant: Sequence[str] | None = None,
        benign: Sequence[str] | None = None,
        roots: Sequence[str | os.PathLike] | None = None,
        labels_from_folders: bool = False,
    ) -> DataMapping:
        """Merge with options, which take precedence.

        Parameters
        ----------
        columns : mapping of str to str or None, default=None
            Record column -> column; replaces the columns of the same fields.
        id_column, target_column : str or None, default=None
            Columns that are passed separately; the mapping's own for ``image_id`` and ``target``
            are left out.
        malignant, benign : sequence of str or None, default=None
            Replace the mapping's diagnoses. Since a target column and `malignant` are two ways to
            say what is malignant, either of them replaces target, `malignant` and `benign`.
        roots : sequence of str or path-like or None, default=None
            Replace the mapping's folders.
        labels_from_folders : bool, default=False
            True if the option or the mapping says so.

        Returns
        -------
        DataMapping
            The merged mapping.

        Examples
        --------
        >>> stored = DataMapping({"age": "Alter", "target": "boese"})
        >>> stored.override(columns={"age": "Alter2"}, malignant=["mel"]).columns
        {'age': 'Alter2'}
        """
        named = {"image_id": id_column, "target": target_column, **(columns or {})}
        given = {name for name, column in named.items() if column is not None}
        kept = self
        if "target" in given or malignant:
            given.add("target")
            kept = replace(self, malignant=(), benign=())
        own = {name: column for name, column in self.columns.items() if name not in given}
        return DataMapping(
            own | dict(columns or {}),
            tuple(malignant or kept.malignant),
            tuple(benign or kept.benign),
            tuple(map(os.fspath, roots or kept.roots)),
            labels_from_folders or kept.labels_from_folders,
        )

    def select(
        self, tables: Iterable[str | os.PathLike], *, labels: bool = True
    ) -> tuple[DataMapping, tuple[str, ...]]:
        """Leave out columns that other tables of the data set lack.

        Parameters
        ----------
        tables : iterable of str or path-like
            Tables to be read, such as new images' metadata or a feature table.
        labels : bool, default=True
            Whether diagnosis and target are wanted.

        Returns
        -------
        mapping : DataMapping
            The mapping, with the columns that at least one of the tables has.
        missing : tuple of str
            Other columns, unless a feature table contains what was read from them.

        Raises
        ------
        SourceError, TableError
            If a table cannot be read.
        """
        names = {column_key(name) for table in tables for name in _read_header(table)}
        wanted = dict(self.columns)
        if not labels:
            wanted = {k: v for k, v in wanted.items() if k not in (Role.DIAGNOSIS, Role.TARGET)}
        kept = {name: column for name, column in wanted.items() if column_key(column) in names}
        measured = any(name.startswith(FAMILIES) for name in names)
        missing = () if measured else tuple(wanted[name] for name in wanted if name not in kept)
        return replace(self, columns=kept), missing


def _read_header(table: str | os.PathLike) -> list[str]:
    """Read the column names of a table; of a Parquet file, only these."""
    path = os.fspath(table)
    if not path.lower().endswith((".parquet", ".pq")):
        return list(map(str, read_source(path).frame.columns))
    import fsspec
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with fsspec.open(path, "rb") as stream:
            return pq.read_schema(stream).names
    except FileNotFoundError as error:
        raise SourceError(f"there is no table {path}; check the name.") from error
    except (OSError, pa.ArrowInvalid) as error:
        raise TableError(f"{path} is not a Parquet table, or is damaged.") from error


def derive_mapping(
    uses: Sequence[ColumnUse],
    *,
    id_column: str | None = None,
    target_column: str | None = None,
    malignant: Sequence[str] | None = None,
    benign: Sequence[str] | None = None,
    columns: Mapping[str, str] | None = None,
    roots: Sequence[str | os.PathLike] = (),
    labels_from_folders: bool = False,
) -> DataMapping:
    """Derive a mapping from the options with which tables were read, and from what was recognised.

    Parameters
    ----------
    uses : sequence of ColumnUse
        How the columns were used, as in `Records`.
    id_column, target_column : str or None, default=None
        Columns of the image ids and of the ground truth, as passed to `read_records`.
    malignant, benign : sequence of str or None, default=None
        Diagnoses, as passed to `read_records`.
    columns : mapping of str to str or None, default=None
        Record column -> column, as passed to `read_records`.
    roots : sequence of str or path-like, default=()
        Folders of images.
    labels_from_folders : bool, default=False
        Whether the folder of an image is its label.

    Returns
    -------
    DataMapping
        Mapping with which the same tables give the same records. Recognised columns are included
        if they are unambiguous, and if naming them does not change the layout of a table.

    Raises
    ------
    OptionError
        If options contradict each other.
    """
    options = check_options(id_column, target_column, malignant, benign, columns)
    named = {str(role): column for role, column in options.named.items()}
    read: dict[str, set[str]] = {}
    for use in uses:
        # The path is recognised by its values, and may be that of another computer.
        if use.fate is ColumnFate.READ and use.field in {*Role} - {Role.PATH}:
            read.setdefault(use.field, set()).add(use.column)
    found = {name: min(own) for name, own in read.items() if len(own) == 1 and name not in named}
    tables: dict[str, list[ColumnUse]] = {}
    for use in uses:
        tables.setdefault(use.table, []).append(use)
    if any(_changes_layout(own, named, found) for own in tables.values()):
        found = {}
    return DataMapping(
        found | named,
        tuple(malignant or ()),
        tuple(benign or ()),
        tuple(map(os.fspath, roots)),
        labels_from_folders,
    )


def _changes_layout(
    table: Sequence[ColumnUse], named: Mapping[str, str], found: Mapping[str, str]
) -> bool:
    """Whether a table is read differently if the recognised columns are named."""
    own = {use.column: use.field for use in table}
    base = [*own, *(name for name, column in named.items() if column in own)]
    added = {name: column for name, column in found.items() if column in own}
    if any(own[column] != name for name, column in added.items()):
        return True
    return identify_layout([*base, *added]) != identify_layout(base)


def read_mapping(path: str | os.PathLike) -> DataMapping:
    """Read a mapping file.

    Parameters
    ----------
    path : str or path-like
        TOML file with ``malignant``, ``benign`` and ``roots`` (lists of text),
        ``labels_from_folders`` (true or false) and a table ``[columns]`` with lines
        ``"your column" = "record column"``; all are optional. Relative roots start at the folder
        of the file.

    Returns
    -------
    DataMapping
        The mapping.

    Raises
    ------
    SourceError
        If the file cannot be opened.
    OptionError
        If it is not a mapping, or has an unknown key or record column.
    """
    path = Path(path)
    try:
        content = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise SourceError(f"cannot read the mapping {path}: {error.strerror}.") from error
    except ValueError as error:
        raise OptionError(f"{path} is not a mapping in TOML: {error}") from error
    for key in content:
        check_choice(f"a key of {path}", key, (*_LISTS, _FLAG, _COLUMNS))
    lists = {key: _read_list(path, key, content.get(key, [])) for key in _LISTS}
    flag, columns = content.get(_FLAG, False), content.get(_COLUMNS, {})
    if not isinstance(flag, bool):
        raise OptionError(f"{path}: {_FLAG} must be true or false, got {flag!r}.")
    if not isinstance(columns, dict):
        raise OptionError(f'{path}: {_COLUMNS} must be a table of lines such as "Alter" = "age".')
    named: dict[str, str] = {}
    for column, name in columns.items():
        check_choice(f"{path}: the field of column {column!r}", name, map(str, Role))
        if name in named:
            both = f"{named[name]!r} and {column!r} are both {name}"
            raise OptionError(f"{path}: {both}. Keep one of these lines.")
        named[name] = column
    roots = tuple(one if "://" in one else str(path.parent / one) for one in lists["roots"])
    return DataMapping(named, lists["malignant"], lists["benign"], roots, flag)


def _read_list(path: Path, key: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise OptionError(f'{path}: {key} must be a list such as ["mel", "bcc"], got {value!r}.')
    return tuple(value)


# Start of the last line, which tells whether a file was edited.
_MARK = "# as written: "


def check_mapping_path(path: str | os.PathLike) -> Path:
    """Check, before long work, that a mapping can be written without replacing another file.

    Parameters
    ----------
    path : str or path-like
        File to be written.

    Returns
    -------
    Path
        `path` as a Path.

    Raises
    ------
    SourceError
        If it cannot be written, or exists and is not a mapping.
    """
    path = check_writable(path)
    if path.exists():
        try:
            is_mapping = bool(path.read_bytes().strip()) and read_mapping(path) is not None
        except (OptionError, OSError):
            is_mapping = False
        if not is_mapping:
            raise SourceError(f"{path} exists and is not a mapping. Name another file.")
    return path


def write_mapping(path: str | os.PathLike, mapping: DataMapping) -> None:
    """Write a mapping file.

    Parameters
    ----------
    path : str or path-like
        File to write, atomically. Relative roots are written relative to its folder.
    mapping : DataMapping
        The mapping.

    Raises
    ------
    SourceError
        If it cannot be written, or exists and is not a mapping.
    """
    path = check_mapping_path(path)
    folder = path.absolute().parent
    roots = [
        one if "://" in one or os.path.isabs(one) else Path(os.path.relpath(one, folder)).as_posix()
        for one in mapping.roots
    ]
    lists = {"malignant": mapping.malignant, "benign": mapping.benign, "roots": roots}
    lines = [_TITLE, "# Empty lists leave the choice to the tables.", ""]
    lines += [f"{key} = [{', '.join(map(_quote, words))}]" for key, words in lists.items()]
    lines += [f"{_FLAG} = {str(mapping.labels_from_folders).lower()}", ""]
    lines += [f"[{_COLUMNS}]", "# your column = our field"]
    lines += [f"{_quote(column)} = {_quote(name)}" for name, column in mapping.columns.items()]
    text = "\n".join(lines) + "\n"
    with atomic_path(path) as temporary:
        temporary.write_text(f"{text}{_MARK}{_digest(text)}\n", encoding="utf-8")


def is_edited(path: str | os.PathLike) -> bool:
    """Check whether a mapping file differs from what `write_mapping` wrote.

    Parameters
    ----------
    path : str or path-like
        Mapping file.

    Returns
    -------
    bool
        True if it was edited, or written by a release that did not mark its files.
    """
    text, mark, digest = Path(path).read_text(encoding="utf-8").rpartition(_MARK)
    return not mark or digest.strip() != _digest(text)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _quote(text: str) -> str:
    # A JSON string is a TOML string, apart from the control character DEL.
    return json.dumps(str(text), ensure_ascii=False).replace("\x7f", "\\u007f")
