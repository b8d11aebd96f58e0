"""Reading of tables from files and DataFrames, with numeric columns parsed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

import numpy as np
import pandas as pd

from hybridlesion._formatting import shorten
from hybridlesion._validation import as_pandas
from hybridlesion.exceptions import TableError
from hybridlesion.metadata._table_files import SourceTable, parse_table, read_bytes
from hybridlesion.metadata._vocabulary import FAMILIES, MISSING_NUMBERS, Role, column_key, find_role

# Number of faults of one column that are listed individually.
MOST_FAULTS = 20


@dataclass
class Findings:
    """Problems and warnings found while tables are read.

    Parameters
    ----------
    problems : list of str, optional
        Errors that make a table unusable.
    warnings : list of str, optional
        Messages for the user, for example about values taken as missing or rows merged.
    words : dict of str to list of str, optional
        Normalised diagnosis -> spellings in the tables.
    """

    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    words: dict[str, list[str]] = field(default_factory=dict)

    def add_words(self, name: str, words: Iterable[str]) -> None:
        """Record how a table spells a diagnosis.

        Parameters
        ----------
        name : str
            Normalised diagnosis.
        words : iterable of str
            Spellings in the table.
        """
        self.words[name] = list(dict.fromkeys([*self.words.get(name, ()), *words]))


def describe_rows(rows: np.ndarray) -> str:
    """Format row labels.

    Parameters
    ----------
    rows : ndarray of shape (n,)
        Row labels, such as row numbers in a file whose header is row 1.

    Returns
    -------
    str
        For example ``"row 7"`` or ``"rows 7, 9 and 31 more"``; at most ten rows are listed.

    Examples
    --------
    >>> describe_rows(np.array([7]))
    'row 7'
    >>> describe_rows(np.arange(2, 14))
    'rows 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 2 more'
    """
    return f"row{'s' if len(rows) > 1 else ''} {shorten(rows)}"


def shorten_faults(faults: Sequence[str], column: object) -> tuple[str, ...]:
    """List at most twenty faults of a column.

    Parameters
    ----------
    faults : sequence of str
        One line per cell value.
    column : object
        Name of the column.

    Returns
    -------
    tuple of str
        The faults, followed by the number of those left out, if any.
    """
    left_out = len(faults) - MOST_FAULTS
    more = (f"{column}: {left_out:,} more such values",) if left_out > 0 else ()
    return (*faults[:MOST_FAULTS], *more)


# Columns that must contain numbers only; some of tbp_lv_* contain words in every row.
_MEASUREMENTS = (*(f"{family}*" for family in FAMILIES), "tbp_lv_*", "clin_size_*")
_SCORES = ("score", "threshold")


_NUMBER = re.compile(r"(?P<body>[-+]?[\d.,]*\d[.,]?)(?P<exponent>e[-+]?\d+)?", re.IGNORECASE)
# Spaces and apostrophes between groups of digits: 1 234,5 and 1'234.5.
_GAPS = re.compile("(?<=\\d)[ \u00a0\u202f\u2009'\u2019](?=\\d{3}(?!\\d))")


@dataclass(frozen=True)
class ParsedColumn:
    """A column whose cells were parsed.

    Parameters
    ----------
    values : Series of shape (n,)
        The values; missing if the cell is blank or was not understood. A column of words that was
        to be read as numbers is unchanged.
    faults : tuple of str, default=()
        One line per cell value that was not understood: rows, value, reason.
    notes : tuple of str, default=()
        Interpretations that the user should know about, such as the middle of a range.
    """

    values: pd.Series
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def is_measurement(column: object) -> bool:
    """Whether a column must contain numbers, judging by its name.

    Parameters
    ----------
    column : object
        Name of the column.

    Returns
    -------
    bool
        True for features, ISIC 2024 measurements and scores.

    Examples
    --------
    >>> is_measurement("tbp_lv_A"), is_measurement("score"), is_measurement("note")
    (True, True, False)
    """
    key = column_key(column)
    return key in _SCORES or any(fnmatchcase(key, name) for name in _MEASUREMENTS)


def _uses_decimal_comma(frame: pd.DataFrame) -> bool:
    """Whether any column of text has a number such as ``1,5`` or ``1.234,5``."""
    return any(
        isinstance(cell, str) and _mark(_clean(cell)) == (",", True)
        for name in frame.select_dtypes(exclude=["number", "bool"])
        for cell in frame[name].dropna().unique()[:1000]
    )


def read_numbers(column: pd.Series, rows: np.ndarray, decimal_comma: bool = False) -> ParsedColumn:
    """Convert text to numbers if the column contains numbers.

    Parameters
    ----------
    column : Series of shape (n,)
        Cells as written.
    rows : ndarray of shape (n,)
        Row labels.
    decimal_comma : bool, default=False
        Whether other columns of the table have a decimal comma, which decides how 1.234 is read if
        this column leaves it open.

    Returns
    -------
    ParsedColumn
        The numbers, with notes and faults. A column is unchanged if it contains no numbers, or if
        it contains words and need not be numeric.
    """
    unchanged = ParsedColumn(column)
    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        return unchanged
    codes, cells = pd.factorize(column.to_numpy(dtype=object, na_value=None))
    texts = [_clean(cell) for cell in cells]
    must = is_measurement(column.name)
    # The first hundred cells are enough to recognise nearly every column of words.
    if not must and all(mark is None for mark, _ in map(_mark_of, cells[:100], texts)):
        return unchanged
    marks = list(map(_mark_of, cells, texts))
    blank = [code for code, (mark, _) in enumerate(marks) if mark is None]
    unsure = [code for code, (mark, sure) in enumerate(marks) if mark and not sure]
    words = [code for code in blank if texts[code] not in MISSING_NUMBERS]
    if len(blank) == len(cells) and (words or not must):
        return unchanged

    def locate(code: int) -> str:
        return f"{describe_rows(rows[codes == code])}: {column.name} {str(cells[code])!r}"

    decimal, doubtful = _decimal_mark(marks, decimal_comma)
    if words or decimal is None:
        if not must:
            return unchanged
        reason = "is ambiguous, as its column has both decimal points and decimal commas"
        cure = f"{'is not a number' if words else reason}. Correct the cell, or leave it blank."
        faults = [f"{locate(code)} {cure}" for code in words or unsure]
        return ParsedColumn(column, shorten_faults(faults, column.name))
    numbers = [
        np.nan if mark is None else _number(text, mark if sure and mark else decimal)
        for text, (mark, sure) in zip(texts, marks, strict=True)
    ]
    notes = [f"{locate(code)} taken as missing" for code in blank if texts[code]]
    if doubtful:
        example = unsure[0]
        notes.append(
            f"{column.name}: {str(cells[example])!r} is read as {numbers[example]:g}, as its mark "
            f"is taken for {'a decimal mark' if marks[example][0] == decimal else 'thousands'}"
        )
    # The code of a blank cell is -1, which selects the last value.
    values = pd.Series(np.array([*numbers, np.nan])[codes], column.index, name=column.name)
    return ParsedColumn(values, notes=shorten_faults(notes, column.name))


def _clean(cell: object) -> str:
    text = _GAPS.sub("", str(cell).strip()).replace("\u2212", "-").lower()
    return text if _NUMBER.fullmatch(text) else "".join(text.split())


def _mark_of(cell: object, text: str) -> tuple[str | None, bool]:
    # Numeric cells of a sheet or a DataFrame need no decimal mark to be recognised.
    if isinstance(cell, (int, float)) and not isinstance(cell, bool):
        return ".", True
    return _mark(text)


def _mark(text: str) -> tuple[str | None, bool]:
    """Return the decimal mark ("" if absent, None if not a number) and whether it is certain."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None, False
    body = match["body"].lstrip("+-")
    marks = re.sub(r"\d", "", body)
    if len(marks) < 2:
        doubtful = re.fullmatch(r"[1-9]\d{0,2}[.,]\d{3}", body) and not match["exponent"]
        return marks, not doubtful
    # Of several marks, all but a last one that differs separate groups of thousands.
    for decimal, group in (",.", ".,"):
        if re.fullmatch(rf"\d{{1,3}}(\{group}\d{{3}})+(\{decimal}\d*)?", body):
            return decimal, True
    return None, False


def _decimal_mark(
    marks: list[tuple[str | None, bool]], decimal_comma: bool
) -> tuple[str | None, bool]:
    """Return the decimal mark of a column, and whether it is a guess."""
    sure = {mark for mark, beyond in marks if beyond and mark}
    unsure = {mark for mark, beyond in marks if mark and not beyond}
    if not unsure:
        return ".", False
    if len(sure) == 1:
        return next(iter(sure)), False
    if sure or len(unsure) == 2:
        return None, True
    return ("," if decimal_comma or unsure == {","} else "."), decimal_comma or unsure == {","}


def _number(text: str, decimal: str) -> float:
    other = "." if decimal == "," else ","
    return float(text.replace(other, "").replace(decimal, "."))


def read_table(path: str | os.PathLike) -> pd.DataFrame:
    """Read one table file without normalisation.

    Parameters
    ----------
    path : str or path-like
        Local path or fsspec address of a CSV file (comma, semicolon or tab, compressed
        or not, with or without a byte order mark or Excel's line ``sep=;``), a Parquet
        file, or ``FILE.xlsx`` or ``FILE.xlsx#SHEET``, which require the extra ``excel``. A
        two-column file without a header, as published by ISBI 2016, gets the columns ``image_id,
        benign_malignant``.

    Returns
    -------
    DataFrame of shape (n, columns)
        The table. Ids, ages, sexes, sites and diagnoses are text as written. Other columns are
        numeric if all their values are numbers, including decimal commas (``4,98E-05``,
        ``1.234,5``) and words for missing values (``k.A.``). Blank rows are dropped.

    Raises
    ------
    SourceError
        If the file cannot be opened.
    TableError
        If it is empty or not a table, lacks the sheet, or has a cell that is not a number in a
        column of measurements or scores.
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
    """Read a file or a DataFrame as a table with row labels.

    Parameters
    ----------
    table : str, path-like or DataFrame
        The table.
    text_columns : iterable of str, default=()
        Further columns to keep as text.
    position : int, default=1
        Position among several tables, used to name a DataFrame.

    Returns
    -------
    SourceTable
        The table.

    Raises
    ------
    SourceError
        If the file cannot be opened.
    TableError
        If it is empty or not a table.
    """
    table = as_pandas(table)
    if isinstance(table, pd.DataFrame):
        frame = table.set_axis([str(column).strip() for column in table.columns], axis=1)
        source = SourceTable(f"table {position}", frame, table.index.to_numpy())
        source = _with_numbers(source, list(filter(is_measurement, frame)), False)
    elif isinstance(table, (str, os.PathLike)):
        source = _read_file(os.fspath(table), {column_key(name) for name in text_columns})
    else:
        what = f"tables must be paths or DataFrames, got {type(table).__name__}"
        raise TableError(f'{what}. For example: read_records("train.csv").')
    if source.frame.empty:
        raise TableError(" ".join([f"{source.name} has no rows.", *source.notes]))
    return source


def _read_file(path: str, text_columns: set[str]) -> SourceTable:
    text_columns.add("benign_malignant")

    def is_text(column: str) -> bool:
        known = find_role(column) not in (None, Role.TARGET)
        return known or column_key(column) in text_columns

    content = read_bytes(path)
    source = parse_table(path, content, is_text)
    frame = source.frame
    words = [name for name in frame if not is_text(name)]
    decimal_comma = _uses_decimal_comma(frame)
    if decimal_comma and source.is_text:
        source = replace(source, frame=_restore_thousands(path, content, frame, words))
    return _with_numbers(source, words, decimal_comma)


def _restore_thousands(
    path: str, content: bytes, frame: pd.DataFrame, words: list[str]
) -> pd.DataFrame:
    """Re-read columns as text if 1.234 may mean 1234, in a table with decimal commas."""
    doubtful = []
    for name, column in frame[words].select_dtypes("float").items():
        thousands = column.dropna() * 1000
        if (column % 1 != 0).any() and np.allclose(thousands, thousands.round()):
            doubtful.append(name)
    if not doubtful:
        return frame
    again = parse_table(path, content, doubtful.__contains__)
    return frame.assign(**again.frame[doubtful])


def _with_numbers(source: SourceTable, columns: list[str], decimal_comma: bool) -> SourceTable:
    frame, notes, faults = source.frame, [*source.notes], []
    read = {}
    for name in columns:
        if not pd.api.types.is_numeric_dtype(frame[name]):
            numbers = read_numbers(frame[name], source.rows, decimal_comma)
            read[name] = numbers.values
            notes += [f"{source.name}, {note}" for note in numbers.notes]
            faults += [f"{source.name}, {fault}" for fault in numbers.faults]
    frame = frame.assign(**read) if read else frame
    return replace(source, frame=frame, notes=tuple(notes), faults=tuple(faults))
