"""Parsing of text, Parquet and spreadsheet tables, with row numbers."""

from __future__ import annotations

import csv
import io
import os
import re
import warnings
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from itertools import zip_longest
from typing import Any

import numpy as np
import pandas as pd

from hybridlesion._optional_imports import import_optional
from hybridlesion.exceptions import MissingDependencyError, SourceError, TableError

_HEADERLESS_2016 = ["image_id", "benign_malignant"]
_OUTCOMES_2016 = frozenset({"benign", "malignant", "0", "1", "0.0", "1.0"})
_IMAGE_NAME = re.compile(r"ISIC_\d+(_downsampled)?(\.\w+)?", re.IGNORECASE)
# Line in which Excel names the separator, possibly quoted or padded with separators.
_SEPARATOR_LINE = re.compile(r'"?sep=(?P<mark>\\t|.)"?[\s,;]*', re.IGNORECASE | re.DOTALL)
_SHEET = re.compile(r"(?P<file>.*\.xlsx)#(?P<sheet>.+)", re.IGNORECASE | re.DOTALL)
# First bytes of an old Excel file, or of an encrypted new one.
_OLD_EXCEL = b"\xd0\xcf\x11\xe0"
# First bytes of files that are not text -> what they are and what to do.
_OTHER_FILES = {
    _OLD_EXCEL: "an old Excel file (.xls) or has a password. Save it as .xlsx or CSV without it.",
    b"PK\x03\x04": "a spreadsheet or an archive, not text. Save it as CSV, Parquet or .xlsx.",
    b"<": "a web page or XML. Open it in a spreadsheet program and save it as CSV or .xlsx.",
}


@dataclass(frozen=True)
class SourceTable:
    """A table with labels by which users can find its rows.

    Parameters
    ----------
    name : str
        File name, or a substitute for it.
    frame : DataFrame of shape (n, columns)
        The table, not normalised.
    rows : ndarray of shape (n,)
        Label of each row: its row number in a text file or sheet (the header, if any, is row 1),
        its position from 1 in a Parquet file, or its index label in a DataFrame.
    notes : tuple of str, default=()
        Messages for the user, for example about cells taken as missing.
    faults : tuple of str, default=()
        Cells of numeric columns that are not numbers.
    is_text : bool, default=False
        Whether the file is text, in which numbers were recognised by how they are written.
    """

    name: str
    frame: pd.DataFrame
    rows: np.ndarray
    notes: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    is_text: bool = False

    def check_numbers(self) -> None:
        """Raise an error if a numeric column contains words.

        Raises
        ------
        TableError
            If there are such cells; the message lists them.
        """
        if self.faults:
            raise TableError(f"{self.name} has cells that are not numbers:", self.faults)


def split_sheet(path: str) -> tuple[str, str | None]:
    """Split ``FILE.xlsx#SHEET`` into file and sheet.

    Parameters
    ----------
    path : str
        Path or address of a table.

    Returns
    -------
    file : str
        Path or address of the file.
    sheet : str or None
        Name of the sheet, or None if it was not given.

    Examples
    --------
    >>> split_sheet("clinic.xlsx#Lesions 2024"), split_sheet("train.csv")
    (('clinic.xlsx', 'Lesions 2024'), ('train.csv', None))
    """
    match = _SHEET.fullmatch(path)
    return (match["file"], match["sheet"]) if match else (path, None)


def read_bytes(path: str) -> bytes:
    """Read a whole file, decompressed according to its suffix.

    Parameters
    ----------
    path : str
        Local path or fsspec address; a named sheet is ignored.

    Returns
    -------
    bytes
        Content of the file.

    Raises
    ------
    SourceError
        If it cannot be opened.
    MissingDependencyError
        If the storage needs a driver that is not installed.
    """
    import fsspec

    path = split_sheet(path)[0]
    try:
        with fsspec.open(path, "rb", compression="infer") as file:
            return file.read()
    except ImportError as error:
        raise MissingDependencyError(f"{path} needs an fsspec driver: {error}") from error
    except FileNotFoundError as error:
        raise SourceError(f"there is no table {path}; check the name.") from error
    except IsADirectoryError as error:
        cure = f"If it has images, run `hybridlesion features {path}` first and pass its table."
        raise SourceError(f"{path} is a folder, not a table. {cure}") from error
    except PermissionError as error:
        raise SourceError(f"cannot read the table {path}; change its permissions.") from error
    except OSError as error:
        reason = error.strerror or str(error) or "it is damaged"
        raise SourceError(f"cannot read the table {path}: {reason}.") from error


def parse_table(path: str, content: bytes, is_text: Callable[[str], bool]) -> SourceTable:
    """Parse the content of a table file.

    Parameters
    ----------
    path : str
        Path or address, optionally with a sheet; its suffix determines the format.
    content : bytes
        Content of the file.
    is_text : callable
        Function that returns whether the column with a given name is kept as text.

    Returns
    -------
    SourceTable
        The table without its blank rows.

    Raises
    ------
    TableError
        If it is empty or not a table, or has no such sheet.
    MissingDependencyError
        If a spreadsheet is to be read without openpyxl.
    """
    path, sheet = split_sheet(path)
    name = path.replace("\\", "/").rsplit("/", 1)[-1]
    suffix = os.path.splitext(name)[1].lower()
    if suffix in (".parquet", ".pq"):
        try:
            frame = pd.read_parquet(io.BytesIO(content))
        except (OSError, ValueError) as error:
            what = f"{name} is not a Parquet table, or is damaged"
            raise TableError(f"{what}. Give CSV or Parquet.") from error
        return SourceTable(name, frame, np.arange(1, len(frame) + 1))
    if suffix == ".xlsx" and not content.startswith(_OLD_EXCEL):
        return _parse_workbook(name, content, sheet, is_text)
    for start, what in _OTHER_FILES.items():
        if content[:200].lstrip(b"\xef\xbb\xbf \r\n\t").startswith(start):
            raise TableError(f"{name} is {what}")
    try:
        return _parse_text(name, content, is_text)
    except (UnicodeError, csv.Error) as error:
        raise TableError(f"{name} is not a text table; give CSV or Parquet.") from error


def _parse_text(name: str, content: bytes, is_text: Callable[[str], bool]) -> SourceTable:
    encoding = _find_encoding(content)
    lines = content[: 1 << 20].decode(encoding, errors="replace").splitlines(keepends=True)
    filled = [number for number, line in enumerate(lines) if line.strip()]
    named = _SEPARATOR_LINE.fullmatch(lines[filled[0]]) if filled else None
    if named:
        del filled[0]
    if not filled:
        raise TableError(f"{name} is empty.")
    start = filled[0]
    separator = max(",;\t|", key=lines[start].count)
    if named:
        separator = named["mark"].replace("\\t", "\t")
    reader = csv.reader(lines[start:], delimiter=separator)
    columns = _name_columns(name, [field.strip() for field in next(reader)])
    skipped = start + (columns is not _HEADERLESS_2016)
    try:
        with warnings.catch_warnings():
            # pandas would truncate rows that are longer than the header, and only warn.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(
                io.BytesIO(content),
                sep=separator,
                encoding=encoding,
                names=columns,
                header=None,
                skiprows=skipped,
                dtype={column: str for column in columns if is_text(column)},
                index_col=False,
                skip_blank_lines=False,
                low_memory=False,
            )
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        what = f"{name} has rows with more fields than its header: {str(error).strip()}"
        cure = "A value with the separator, such as 43,86, must be in quotes, or use semicolons."
        raise TableError(f"{what}. {cure}") from error
    # Blank lines are read to keep the row numbers of the file, and dropped here.
    kept = frame.notna().any(axis=1).to_numpy()
    # A quoted column name may span several lines, which pandas skips as one.
    rows = (np.arange(len(frame)) + skipped + reader.line_num)[kept]
    return SourceTable(name, frame.loc[kept].reset_index(drop=True), rows, is_text=True)


def _find_encoding(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if b"\0" in content:
        raise UnicodeError("text has no null characters")
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8-sig"


def _name_columns(name: str, header: list[str]) -> list[str]:
    """Check the header, and name unnamed columns as pandas does."""
    if _IMAGE_NAME.fullmatch(header[0]):
        if len(header) == 2 and header[1].lower() in _OUTCOMES_2016:
            return _HEADERLESS_2016
        what = f"{name} starts with data instead of column names: {', '.join(header)[:80]}"
        raise TableError(f"{what}. Write a first line such as image_id,target.")
    columns = [column or f"Unnamed: {position}" for position, column in enumerate(header)]
    repeated = sorted({column for column in columns if columns.count(column) > 1})
    if repeated:
        again = f"{name} has {', '.join(repeated)} more than once in its header"
        raise TableError(f"{again}. Give each column a unique name.")
    return columns


def _parse_workbook(
    name: str, content: bytes, sheet: str | None, is_text: Callable[[str], bool]
) -> SourceTable:
    openpyxl = import_optional(
        "openpyxl", feature=f"reading the spreadsheet {name}", install="hybridlesion[excel]"
    )
    with warnings.catch_warnings():
        # openpyxl warns about styles and form elements that it does not support.
        warnings.simplefilter("ignore")
        try:
            # A workbook in read-only mode is read faster, but does not know its merged cells.
            fast = not _has_merged_cells(content)
            book = openpyxl.load_workbook(io.BytesIO(content), read_only=fast, data_only=True)
            chosen = _choose_sheet(name, book.worksheets, sheet)
            cells = [list(row) for row in chosen.iter_rows()]
            if not fast:
                _fill_merged(cells, chosen)
        except TableError:
            raise
        # Damaged archives cause many kinds of errors, depending on the library that fails.
        except Exception as error:
            what = f"{name} cannot be read as a spreadsheet: {error}"
            raise TableError(f"{what}. Save it again as .xlsx, or as CSV.") from error
    label = name if sheet is None else f"{name}#{chosen.title}"
    others = [repr(one.title) for one in book.worksheets if one.title != chosen.title]
    offer = f" To read another, write {name}#SHEET; others: {', '.join(others)}." if others else ""
    filled = [number for number, row in enumerate(cells) if any(c.value is not None for c in row)]
    if not filled:
        raise TableError(f"{label}: its sheet {chosen.title!r} is empty.{offer}")
    by_column = list(zip_longest(*(cells[number] for number in filled)))
    while all(cell is None or cell.value is None for cell in by_column[-1]):
        by_column.pop()
    columns = _name_columns(label, [_cell_text(cells[0]) or "" for cells in by_column])
    start = 0 if columns is _HEADERLESS_2016 else 1
    values = {}
    for column, cells in zip(columns, by_column, strict=True):
        read = _cell_text if is_text(column) else _cell_value
        found = pd.Series(list(map(read, cells[start:])), dtype=object)
        values[column] = found if is_text(column) else found.infer_objects()
    note = f"{name} has several sheets: {chosen.title!r} was read.{offer}"
    notes = (note,) if others and sheet is None else ()
    return SourceTable(label, pd.DataFrame(values), np.array(filled[start:], int) + 1, notes)


def _has_merged_cells(content: bytes) -> bool:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        sheets = [name for name in archive.namelist() if name.startswith("xl/worksheets/")]
        return any(b"<mergeCell " in archive.read(name) for name in sheets)


def _fill_merged(cells: list[list], sheet: Any) -> None:
    """Repeat the value of cells that are merged over several rows, such as a patient's id."""
    for merged in sheet.merged_cells.ranges:
        if merged.min_col < merged.max_col:  # a title over several columns
            continue
        column, top = merged.min_col - 1, merged.min_row - 1
        for row in range(top, merged.max_row):
            cells[row][column] = cells[top][column]


def _choose_sheet(name: str, sheets: Sequence, wanted: str | None):
    if not sheets:
        raise TableError(f"{name} has only empty sheets.")
    if wanted is None:
        return sheets[0]
    for clean in (str, lambda title: title.strip().casefold()):
        for one in sheets:
            if clean(one.title) == clean(wanted):
                return one
    titles = ", ".join(repr(one.title) for one in sheets)
    raise TableError(f"{name} has no sheet {wanted!r}; it has {titles}.")


def _cell_value(cell: object) -> object:
    """Return the value of a cell, with dates as text and errors such as #N/A as None."""
    value = getattr(cell, "value", None)
    if getattr(cell, "data_type", None) == "e":
        return None
    if isinstance(value, datetime) and value.time() == time():
        value = value.date()
    if isinstance(value, (date, time)):
        return value.isoformat()
    return (value.strip() or None) if isinstance(value, str) else value


def _cell_text(cell: object) -> str | None:
    """Return the text that a spreadsheet shows for an id: 17 in the format 0000 is 0017."""
    value = _cell_value(cell)
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    zeros = getattr(cell, "number_format", None) or ""
    padded = isinstance(value, int) and re.fullmatch("0{2,}", zeros)
    return str(value).zfill(len(zeros)) if padded else str(value)
