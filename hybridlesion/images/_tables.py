"""Tables that list images by path."""

from __future__ import annotations

import csv
import os
import posixpath
from collections.abc import Sequence
from difflib import get_close_matches
from typing import BinaryIO

import pandas as pd

from hybridlesion.exceptions import ImageError, TableError
from hybridlesion.images._addresses import open_address
from hybridlesion.images._locators import is_address
from hybridlesion.images._names import suffix_of
from hybridlesion.images._paths import FolderGuard

__all__ = ["PATH_COLUMNS", "table_images"]

_MOST_NAMED = 20

PATH_COLUMNS = (
    "path",
    "image_path",
    "img_path",
    "file_path",
    "filepath",
    "file",
    "file_name",
    "filename",
)

# A table of 400,000 wrong paths shall not fill the screen.
_SHOWN_PROBLEMS = 20


def table_images(table: str, *, path_column: str | None = None) -> list[str]:
    """List the images that a table names.

    Parameters
    ----------
    table : str
        Path or fsspec address of a CSV (comma, semicolon or tab) or Parquet file.
    path_column : str, default=None
        Column with the paths; None takes the first of `PATH_COLUMNS` that the table has, in any
        case.

    Returns
    -------
    list of str
        Locators, each once. Paths are relative to the table's folder and must stay in it.

    Raises
    ------
    TableError
        If there is no such column, or a path is missing or leads out of the table's folder; all
        such rows together, counted from 1 below the header.
    """
    names = _read_column(table, path_column)
    folder = posixpath.dirname(table) if is_address(table) else os.path.dirname(table) or "."
    guard = FolderGuard(folder)
    paths: dict[str, None] = {}
    problems = []
    for row, name in enumerate(names, start=1):
        try:
            paths[guard.resolve(name)] = None
        except ImageError as error:
            problems.append(f"row {row}: {error}")
    if problems:
        hidden = len(problems) - _SHOWN_PROBLEMS
        more = [f"and {hidden} more"] if hidden > 0 else []
        raise TableError(
            f"{len(problems)} of {len(names)} paths in {table} cannot be used. Images must lie in "
            "the table's folder or below: put the table beside them.",
            [*problems[:_SHOWN_PROBLEMS], *more],
        )
    return list(paths)


def _read_column(table: str, path_column: str | None) -> list[str]:
    try:
        with open_address(table) if is_address(table) else open(table, "rb") as stream:
            if suffix_of(table) in (".parquet", ".pq"):
                frame = _read_parquet_column(stream, table, path_column)
            else:
                frame = _read_csv_column(stream, table, path_column)
    except TableError:
        raise
    # pandas' and pyarrow's parser errors are ValueErrors, and so is a wrong encoding.
    except ValueError as error:
        raise TableError(f"{table} cannot be read as a table: {error}") from error
    return frame.iloc[:, 0].tolist()


def _read_csv_column(stream: BinaryIO, table: str, path_column: str | None) -> pd.DataFrame:
    header = stream.readline().decode("utf-8-sig")
    separator = max(",;\t", key=header.count)
    columns = next(csv.reader([header], delimiter=separator), [])
    column = _choose_column(columns, table, path_column)
    stream.seek(0)
    return pd.read_csv(
        stream,
        sep=separator,
        usecols=[columns.index(column)],
        dtype=str,
        # A file may well be called NA.jpg, or its folder "null".
        keep_default_na=False,
        encoding="utf-8-sig",
    )


def _read_parquet_column(stream: BinaryIO, table: str, path_column: str | None) -> pd.DataFrame:
    from pyarrow.parquet import read_schema

    column = _choose_column(read_schema(stream).names, table, path_column)
    stream.seek(0)
    return pd.read_parquet(stream, columns=[column]).fillna("").astype(str)


def _choose_column(columns: Sequence[str], table: str, path_column: str | None) -> str:
    if path_column is not None:
        if path_column in columns:
            return path_column
        near = get_close_matches(path_column, map(str, columns), n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise TableError(f"{table} has no column {path_column!r}.{hint} It has {_some(columns)}.")
    by_name = {str(column).strip().lower(): column for column in reversed(columns)}
    for name in PATH_COLUMNS:
        if name in by_name:
            return by_name[name]
    raise TableError(
        f"{table} has no column with the paths of images. It has {_some(columns)}; "
        f"looked for are {', '.join(PATH_COLUMNS)}. Name another with path_column "
        "(--path-column of `hybridlesion features` and `segment`), or give the images' folder as "
        "the source and this table as metadata (--metadata)."
    )


def _some(columns: Sequence[str]) -> str:
    """Name columns; a feature table has hundreds."""
    more = f" and {len(columns) - _MOST_NAMED} more" if len(columns) > _MOST_NAMED else ""
    return ", ".join(map(str, columns[:_MOST_NAMED])) + more or "none"
