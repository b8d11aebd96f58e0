"""Tables as they stand, with the names of their rows: text kept as text, numbers as numbers."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hybridlesion._validation import as_pandas
from hybridlesion.exceptions import TableError
from hybridlesion.metadata._aliases import find_role
from hybridlesion.metadata._layouts import Role, column_key
from hybridlesion.metadata._numbers import is_measurement, read_numbers, uses_decimal_comma
from hybridlesion.metadata._table_files import parse_table, read_bytes

__all__ = ["SourceTable", "read_source", "read_table"]


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
        Row label of each row: its row number in a text file or sheet (the header is row 1, a
        missing header none), its position from 1 in a Parquet file, its index label in a
        DataFrame.
    notes : tuple of str, default=()
        What the user should know, such as cells taken as missing.
    faults : tuple of str, default=()
        Cells of columns of numbers that are none.
    """

    name: str
    frame: pd.DataFrame
    rows: np.ndarray
    notes: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()

    def check_numbers(self) -> None:
        """Refuse the table if a column of numbers holds words.

        Raises
        ------
        TableError
            If it does; the message lists the cells.
        """
        if self.faults:
            raise TableError(f"{self.name} has cells that are no numbers:", self.faults)


def read_table(path: str | os.PathLike) -> pd.DataFrame:
    """Read one table file as it stands.

    Parameters
    ----------
    path : str or path-like
        CSV (comma, semicolon or tab, any compression that pandas knows, with or without byte
        order mark or Excel's line ``sep=;``), Parquet, or ``FILE.xlsx`` or ``FILE.xlsx#SHEET``,
        which take the extra ``excel``; a local path or any fsspec address. A two-column file
        without a header, as ISBI 2016 published them, gets the columns ``image_id,
        benign_malignant``.

    Returns
    -------
    DataFrame of shape (n, columns)
        The table. Ids, ages, sexes, sites and diagnoses are text as written; other columns are
        numbers where all their values are, also with a decimal comma (``4,98E-05``,
        ``1.234,5``) and with words for a missing one (``k.A.``). Blank rows are dropped.

    Raises
    ------
    SourceError
        If the file cannot be opened.
    TableError
        If it is empty or no table, lacks the sheet, or has a cell that is no number in a column
        of measurements or scores.
    MissingDependencyError
        If a spreadsheet is to be read without openpyxl.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder, "ita.csv")
    ...     _ = file.write_text("image_name;ita\\nISIC_0015719;43,86\\n")
    ...     read_table(file).to_dict("list")
    {'image_name': ['ISIC_0015719'], 'ita': [43.86]}
    """
    source = read_source(path)
    source.check_numbers()
    return source.frame


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
        source = _with_numbers(source, [c for c in frame if is_measurement(c)], False)
    elif isinstance(table, (str, os.PathLike)):
        source = _read_file(os.fspath(table), {column_key(name) for name in text_columns})
    else:
        raise TableError(
            f"tables must be paths or DataFrames, got {type(table).__name__}. For example: "
            'read_records("train.csv").'
        )
    if source.frame.empty:
        raise TableError(" ".join([f"{source.name} has no rows.", *source.notes]))
    return source


def _read_file(path: str, text_columns: set[str]) -> SourceTable:
    def is_text(column: str) -> bool:
        return column_key(column) in text_columns or _is_text(column)

    content = read_bytes(path)
    raw = parse_table(path, content, is_text)
    words = [name for name in raw.frame if not is_text(name)]
    decimal_comma = uses_decimal_comma(
        raw.frame[name] for name in raw.frame if not pd.api.types.is_numeric_dtype(raw.frame[name])
    )
    frame = raw.frame
    if decimal_comma and raw.is_text:
        frame = _restore_thousands(path, content, frame, words)
    return _with_numbers(SourceTable(raw.name, frame, raw.rows, raw.notes), words, decimal_comma)


def _is_text(column: str) -> bool:
    role = find_role(column)
    return column_key(column) == "benign_malignant" or role not in (None, Role.TARGET)


def _restore_thousands(
    path: str, content: bytes, frame: pd.DataFrame, words: list[str]
) -> pd.DataFrame:
    """Read numbers again as text where 1.234 may be a thousand, beside decimal commas."""
    doubtful = [
        name
        for name in words
        if pd.api.types.is_float_dtype(frame[name])
        and (frame[name] % 1 != 0).any()
        and np.allclose(frame[name].dropna() * 1000, (frame[name].dropna() * 1000).round())
    ]
    if not doubtful:
        return frame
    again = parse_table(path, content, doubtful.__contains__)
    return frame.assign(**{name: again.frame[name] for name in doubtful})


def _with_numbers(source: SourceTable, columns: list[str], decimal_comma: bool) -> SourceTable:
    read = {
        name: read_numbers(source.frame[name], source.rows, decimal_comma=decimal_comma)
        for name in columns
        if not pd.api.types.is_numeric_dtype(source.frame[name])
    }
    if not read:
        return source
    frame = source.frame.assign(**{name: numbers.values for name, numbers in read.items()})
    notes = [note for numbers in read.values() for note in numbers.notes]
    faults = [fault for numbers in read.values() for fault in numbers.faults]
    return SourceTable(
        source.name,
        frame,
        source.rows,
        (*source.notes, *(f"{source.name}, {note}" for note in notes)),
        tuple(f"{source.name}, {fault}" for fault in faults),
    )
