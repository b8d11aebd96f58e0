"""Rows that know of each other: one patient, one lesion, one picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from hybridlesion._validation import as_pandas
from hybridlesion.exceptions import TableError

__all__ = ["connected_groups", "grouping"]

# From the widest bond to the narrowest. Two rows that share any of them share a group.
GROUP_COLUMNS = ("patient_id", "lesion_id", "duplicate_cluster")


def grouping(records: pd.DataFrame, columns: Sequence[str] = GROUP_COLUMNS) -> pd.Series:
    """Give rows of one patient, one lesion or one duplicated picture the same group.

    Parameters
    ----------
    records : DataFrame of shape (n, columns)
        Records; those of `columns` that are absent are passed over.
    columns : sequence of str, default=("patient_id", "lesion_id", "duplicate_cluster")
        Columns that tie rows together. A missing value ties a row to nothing.

    Returns
    -------
    Series of shape (n,), int
        Group numbers from 0, by first appearance, on the index of `records`.

    Notes
    -----
    Several columns are joined: when a duplicated picture occurs under two patient ids, both
    patients are one group (the connected components of the graph of rows and values).

    Examples
    --------
    >>> import pandas as pd
    >>> records = pd.DataFrame(
    ...     {"patient_id": ["A", "A", "B", None], "duplicate_cluster": [None, 7, 7, None]}
    ... )
    >>> grouping(records).tolist()
    [0, 0, 0, 1]
    """
    records = as_pandas(records)
    known = [records[column] for column in columns if column in records.columns]
    return pd.Series(connected_groups(*known, n=len(records)), index=records.index, name="group")


def connected_groups(*columns: Sequence, n: int | None = None) -> np.ndarray:
    """Number the connected components of rows that share a value in any column.

    Parameters
    ----------
    *columns : sequence of shape (n,)
        Identifiers; missing values (None, NaN) tie a row to nothing.
    n : int, default=None
        Number of rows; needed only when there are no columns.

    Returns
    -------
    ndarray of shape (n,), int
        Group numbers from 0, by first appearance.

    Raises
    ------
    TableError
        If the columns differ in length.

    Examples
    --------
    >>> connected_groups(["a", "a", "b", "c"], [1, 2, 2, None])
    array([0, 0, 0, 1])
    """
    lengths = {len(column) for column in columns} | ({n} if n is not None else set())
    if len(lengths) != 1:
        raise TableError(f"group columns must have one value a row, got lengths {sorted(lengths)}.")
    n = lengths.pop()
    rows, values, offset = [], [], n
    for column in columns:
        codes, unique = pd.factorize(pd.Series(column, dtype=object))
        known = np.flatnonzero(codes >= 0)
        rows.append(known)
        values.append(codes[known] + offset)
        offset += len(unique)
    if not rows:
        return np.arange(n)
    rows, values = np.concatenate(rows), np.concatenate(values)
    graph = coo_matrix((np.ones(len(rows), dtype=np.int8), (rows, values)), shape=(offset, offset))
    _, labels = connected_components(graph, directed=False)
    return pd.factorize(labels[:n])[0]
