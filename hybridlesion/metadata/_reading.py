"""Files -> tables as they stand: separators, encodings, compression, missing header."""

from __future__ import annotations

import csv
import io
import os
import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hybridlesion._validation import as_pandas
from hybridlesion.exceptions import SourceError, TableError
from hybridlesion.metadata._layouts import ROLE_COLUMNS, Role, column_key

__all__ = ["SourceTable", "read_source", "read_table"]

_HEADERLESS_2016 = ["image_id", "benign_malignant"]
_OUTCOMES_2016 = frozenset({"benign", "malignant", "0", "1", "0.0", "1.0"})
_IMAGE_NAME = re.compile(r"ISIC_\d+(_downsampled)?(\.\w+)?", re.IGNORECASE)
# Read as text, so that "85+", "unknown" and "00017" survive as they were written.
_TEXT_COLUMNS = frozenset(
    {*(name for names in ROLE_COLUMNS.values() for name in names), "benign_malignant"}
    - set(ROLE_COLUMNS[Role.TARGET])
)
# How a zip (also xlsx) and an old Excel file start.
_BINARY = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")


@dataclass(frozen=True)
class SourceTable:
    """A table with the names by which people find its rows again.

    Parameters
    ----------
    name : str
        File name, or what stands for it.
    frame : DataFrame of shape (n, columns)
        The table, as it stands.
    rows : ndarray of shape (n,)
        Row label of each row: its row number in a text file (the header is row 1, a missing
        header none), its position from 1 in a Parquet file, its index label in a DataFrame.
    """

    name: str
    frame: pd.DataFrame
    rows: np.ndarray


def read_table(path: str | os.PathLike) -> pd.DataFrame:
    """Read one table file as it stands.

    Parameters
    ----------
    path : str or path-like
        CSV (comma, semicolon or tab, any compression that pandas knows, with or without byte
        order mark) or Parquet; a local path or any fsspec address. A two-column file without a
        header, as ISBI 2016 published them, gets the columns ``image_id, benign_malignant``.

    Returns
    -------
    DataFrame of shape (n, columns)
        The table. Ids, ages, sexes, sites and diagnoses are text as written; other columns are
        numbers where all their values are, also with a decimal comma. Blank rows are dropped.

    Raises
    ------
    SourceError
        If the file cannot be opened.
    TableError
        If it is empty or no table.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder, "ita.csv")
    ...     _ = file.write_text("image_name;ita\\nISIC_0015719;43,86\\n")
    ...     read_table(file).to_dict("list")
    {'image_name': ['ISIC_0015719'], 'ita': [43.86]}
    """
    return read_source(path).frame


def read_source(
    table: str | os.PathLike | pd.DataFrame, text_columns: Iterable[str] = (), position: int = 1
) -> SourceTable:
    """Read a file, or take a DataFrame, together with its row labels.

    Parameters
    ----------
    table : str, path-like or DataFrame
        The table.
    text_columns : iterable of str, default=()
        Further columns to keep as text.
    position : int, default=1
        Which of several tables this is, to name a DataFrame by.

    Returns
    -------
    SourceTable
        The table.

    Raises
    ------
    SourceError
        If the file cannot be opened.
    TableError
        If it is empty or no table.
    """
    table = as_pandas(table)
    if isinstance(table, pd.DataFrame):
        frame = table.set_axis([str(column).strip() for column in table.columns], axis=1)
        source = SourceTable(f"table {position}", frame, table.index.to_numpy())
    elif isinstance(table, (str, os.PathLike)):
        source = _read_file(os.fspath(table), {column_key(name) for name in text_columns})
    else:
        raise TableError(
            f"tables must be paths or DataFrames, got {type(table).__name__}. For example: "
            'read_records("train.csv").'
        )
    if source.frame.empty:
        raise TableError(f"{source.name} has no rows.")
    return source


def _read_file(path: str, text_columns: set[str]) -> SourceTable:
    name = path.replace("\\", "/").rsplit("/", 1)[-1]
    content = _read_bytes(path)
    if name.lower().endswith((".parquet", ".pq")):
        frame = _parse_parquet(name, content)
        return SourceTable(name, frame, np.arange(1, len(frame) + 1))
    if content.startswith(_BINARY):
        raise TableError(
            f"{name} is a spreadsheet or an archive, no text table. Save it as CSV or Parquet."
        )
    try:
        return _parse_text(name, content, text_columns)
    except (UnicodeError, csv.Error) as error:
        raise TableError(_no_text(name)) from error


def _read_bytes(path: str) -> bytes:
    import fsspec

    try:
        with fsspec.open(path, "rb", compression="infer") as file:
            return file.read()
    except FileNotFoundError as error:
        raise SourceError(f"there is no table {path}; check the name.") from error
    except IsADirectoryError as error:
        raise SourceError(
            f"{path} is a folder, no table. If it holds images, run `hybridlesion features {path}` "
            "first and give the table that it writes."
        ) from error
    except PermissionError as error:
        raise SourceError(f"the table {path} may not be read; change its permissions.") from error
    except OSError as error:
        raise SourceError(
            f"cannot read the table {path}: {error.strerror or str(error) or 'it is damaged'}."
        ) from error


def _parse_parquet(name: str, content: bytes) -> pd.DataFrame:
    try:
        return pd.read_parquet(io.BytesIO(content))
    except (OSError, ValueError) as error:
        raise TableError(
            f"{name} is no Parquet table, or a damaged one. Give CSV or Parquet."
        ) from error


def _parse_text(name: str, content: bytes, text_columns: set[str]) -> SourceTable:
    encoding = _find_encoding(content)
    if encoding != "utf-16" and b"\0" in content:
        raise TableError(_no_text(name))
    lines = content[: 1 << 20].decode(encoding, errors="replace").splitlines(keepends=True)
    start = next((number for number, line in enumerate(lines) if line.strip()), None)
    if start is None:
        raise TableError(f"{name} is empty.")
    separator = max(",;\t", key=lines[start].count)
    reader = csv.reader(lines[start:], delimiter=separator)
    header = [field.strip() for field in next(reader)]
    # A column name in quotes may run over several lines, which pandas skips as one.
    further = reader.line_num - 1
    columns = _name_columns(name, header)
    texts = [column for column in columns if column_key(column) in _TEXT_COLUMNS | text_columns]
    skipped = start + (columns is not _HEADERLESS_2016)
    frame = _parse_csv(
        name,
        content,
        sep=separator,
        encoding=encoding,
        names=columns,
        header=None,
        skiprows=skipped,
        dtype=dict.fromkeys(texts, str),
    )
    # Blank lines are read, so that row numbers stay those of the file, and dropped here.
    filled = frame.notna().any(axis=1).to_numpy()
    rows = (np.arange(len(frame)) + skipped + further + 1)[filled]
    frame = frame.loc[filled].reset_index(drop=True)
    numbers = {name: _read_decimal_commas(frame[name]) for name in frame.columns.difference(texts)}
    return SourceTable(name, frame.assign(**numbers), rows)


def _parse_csv(name: str, content: bytes, **options: object) -> pd.DataFrame:
    try:
        with warnings.catch_warnings():
            # pandas would cut rows that are longer than the header, with a warning only.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            return pd.read_csv(
                io.BytesIO(content),
                index_col=False,
                skip_blank_lines=False,
                low_memory=False,
                **options,
            )
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        raise TableError(
            f"{name} has rows with more fields than its header: {str(error).strip()}. A value that "
            "holds the separator, such as 43,86, must stand in quotes, or the columns must be "
            "separated by semicolons."
        ) from error


def _no_text(name: str) -> str:
    return f"{name} is no text table; give CSV or Parquet."


def _find_encoding(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8-sig"


def _name_columns(name: str, header: list[str]) -> list[str]:
    """Check the first line, and name columns without a name as pandas does."""
    if _IMAGE_NAME.fullmatch(header[0]):
        if len(header) == 2 and header[1].lower() in _OUTCOMES_2016:
            return _HEADERLESS_2016
        raise TableError(
            f"{name} starts with data instead of column names: {', '.join(header)[:80]}. Write a "
            "first line that names the columns, for example image_id,target."
        )
    columns = [column or f"Unnamed: {position}" for position, column in enumerate(header)]
    repeated = sorted({column for column in columns if columns.count(column) > 1})
    if repeated:
        raise TableError(
            f"{name} names {', '.join(repeated)} more than once in its header. Give each column "
            "its own name."
        )
    return columns


def _read_decimal_commas(column: pd.Series) -> pd.Series:
    """Turn text into numbers if every value is a number, some of them with a decimal comma."""
    if pd.api.types.is_numeric_dtype(column):
        return column
    number = r"\s*[-+]?\d+(?:,\d+)?\s*"
    known = column.dropna().astype(str)
    # The first hundred settle it for nearly every text column, without a look at the rest.
    for values in (known.head(100), known):
        if values.empty or not values.str.fullmatch(number).all():
            return column
    return pd.to_numeric(column.astype(str).str.replace(",", ".", regex=False), errors="coerce")
