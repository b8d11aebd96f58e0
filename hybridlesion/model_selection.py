"""Grouping of rows, and folds that keep groups whole."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heapify, heapreplace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from hybridlesion._atomic import atomic_path
from hybridlesion._formatting import shorten
from hybridlesion._validation import as_pandas, check_number
from hybridlesion.exceptions import SourceError, TableError
from hybridlesion.metadata import (
    ID_COLUMNS,
    match_ids,
    normalise_ids,
    normalise_image_id,
    read_table,
)

__all__ = [
    "GROUP_COLUMNS",
    "Splits",
    "connected_groups",
    "grouped_folds",
    "grouping",
    "parted",
    "read_splits",
    "repeated_grouped_folds",
    "train_validation_test",
    "write_splits",
]

PARTS = ("train", "validation", "test")


def grouped_folds(
    y: np.ndarray, groups: np.ndarray, *, n_splits: int = 5, random_state: int | None = 0
) -> np.ndarray:
    """Assign whole groups to folds, balancing positives and rows.

    Parameters
    ----------
    y : array-like of shape (n,), 0 or 1
        Target; 1 is malignant. Missing values count as negative.
    groups : array-like of shape (n,)
        Group of each row, for example from `grouping`.
    n_splits : int, default=5
        Number of folds, at least 2.
    random_state : int or None, default=0
        Seed used to shuffle groups of equal size.

    Returns
    -------
    ndarray of shape (n,), int
        Fold of each row, 0 to ``n_splits - 1``.

    Raises
    ------
    ValueError
        If fewer than `n_splits` groups contain a positive row.

    Notes
    -----
    Groups are assigned from largest to smallest, each to the fold that lacks most: first groups
    with positives, by number of positives, then all other groups, by number of rows. The time is
    O(n + groups log groups), so that 400,000 ungrouped rows take a second or two.

    Examples
    --------
    >>> grouped_folds([1, 0, 1, 0, 0, 0], ["a", "a", "b", "b", "c", "d"], n_splits=2)
    array([0, 0, 1, 1, 0, 1])
    """
    check_number("n_splits", n_splits, low=2, integer=True)
    codes, positives, sizes = _summarise(y, groups)
    carriers = int((positives > 0).sum())
    if min(len(sizes), carriers) < n_splits:
        raise ValueError(
            f"n_splits={n_splits} folds need as many groups with a positive row, got {carriers} "
            f"such groups among {len(sizes)}. Lower n_splits, or add more patients."
        )
    return _deal(positives, sizes, np.full(n_splits, 1 / n_splits), random_state)[codes]


def repeated_grouped_folds(
    y: np.ndarray,
    groups: np.ndarray,
    *,
    n_splits: int = 5,
    n_repeats: int = 1,
    random_state: int = 0,
) -> np.ndarray:
    """Assign whole groups to folds repeatedly, each time with a different seed.

    Parameters
    ----------
    y : array-like of shape (n,), 0 or 1
        Target; 1 is malignant. Missing values count as negative.
    groups : array-like of shape (n,)
        Group of each row, for example from `grouping`.
    n_splits : int, default=5
        Number of folds, at least 2.
    n_repeats : int, default=1
        Number of times the folds are drawn, at least 1.
    random_state : int, default=0
        Seed of the first draw; each further draw uses the next integer.

    Returns
    -------
    ndarray of shape (n, n_repeats), int
        Fold of each row in each draw, 0 to ``n_splits - 1``.

    Raises
    ------
    ValueError
        If fewer than `n_splits` groups contain a positive row.

    Examples
    --------
    >>> folds = repeated_grouped_folds([0, 1] * 20, [i // 2 for i in range(40)], n_repeats=3)
    >>> folds.shape, bool((folds[:, 0] != folds[:, 1]).any())
    ((40, 3), True)
    """
    check_number("n_repeats", n_repeats, low=1, integer=True)
    seeds = range(random_state, random_state + n_repeats)
    draws = [grouped_folds(y, groups, n_splits=n_splits, random_state=seed) for seed in seeds]
    return np.column_stack(draws)


def train_validation_test(
    y: np.ndarray,
    groups: np.ndarray,
    *,
    sizes: Sequence[float] = (0.7, 0.15, 0.15),
    random_state: int | None = 0,
) -> np.ndarray:
    """Assign whole groups to train, validation and test sets of similar prevalence.

    Parameters
    ----------
    y : array-like of shape (n,), 0 or 1
        Target; 1 is malignant. Missing values count as negative.
    groups : array-like of shape (n,)
        Group of each row, for example from `grouping`.
    sizes : sequence of 3 floats, default=(0.7, 0.15, 0.15)
        Shares of train, validation and test, which sum to 1. A share of 0 leaves a part empty.
    random_state : int or None, default=0
        Seed used to shuffle groups of equal size.

    Returns
    -------
    ndarray of shape (n,), str
        ``"train"``, ``"validation"`` or ``"test"``.

    Raises
    ------
    ValueError
        If `sizes` are not three non-negative shares that sum to 1, or there are fewer groups than
        parts.

    Examples
    --------
    >>> parts = train_validation_test([0, 1] * 50, [i // 2 for i in range(100)])
    >>> [int((parts == part).sum()) for part in ("train", "validation", "test")]
    [70, 16, 14]
    """
    shares = np.asarray(sizes, dtype=float)
    if shares.shape != (3,) or (shares < 0).any() or not np.isclose(shares.sum(), 1):
        raise ValueError(f"sizes must be three shares that sum to 1, got {sizes!r}.")
    codes, positives, rows = _summarise(y, groups)
    wanted = np.flatnonzero(shares)
    if len(rows) < len(wanted):
        raise ValueError(
            f"{len(wanted)} parts need as many groups, got {len(rows)}. Set a share of sizes to 0."
        )
    dealt = _deal(positives, rows, shares[wanted], random_state)
    return np.array(PARTS)[wanted][dealt][codes]


def _summarise(y: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the group code of each row, and the positives and rows of each group."""
    y = pd.to_numeric(pd.Series(y), errors="raise").to_numpy(dtype=float, na_value=0.0)
    codes, _ = pd.factorize(pd.Series(groups).reset_index(drop=True))
    if len(y) != len(codes):
        raise ValueError(f"y and groups must have equal lengths, got {len(y)} and {len(codes)}.")
    if (codes < 0).any():
        raise ValueError(
            f"groups has {(codes < 0).sum()} missing values. "
            "hybridlesion.model_selection.grouping gives each row without an id its own group."
        )
    return codes, np.bincount(codes, weights=y == 1), np.bincount(codes)


def _deal(
    positives: np.ndarray, sizes: np.ndarray, shares: np.ndarray, random_state: int | None
) -> np.ndarray:
    """Assign each group to a part, balancing first positives and then rows."""
    part = np.empty(len(sizes), dtype=np.intp)
    shuffled = np.random.default_rng(random_state).permutation(len(sizes))
    carriers = shuffled[positives[shuffled] > 0]
    carriers = carriers[np.argsort(-positives[carriers], kind="stable")]
    others = shuffled[positives[shuffled] == 0]
    others = others[np.argsort(-sizes[others], kind="stable")]
    part[carriers] = _fill(positives[carriers], shares, np.zeros(len(shares)))
    filled = np.bincount(part[carriers], weights=sizes[carriers], minlength=len(shares))
    part[others] = _fill(sizes[others], shares, filled)
    return part


def _fill(loads: np.ndarray, shares: np.ndarray, filled: np.ndarray) -> np.ndarray:
    """Give each load in turn to the part that lacks most of its share."""
    total = loads.sum() + filled.sum()
    # The heap contains the negative of what each part lacks, so that its first entry lacks most;
    # ties go to the first part.
    heap = [(excess, k) for k, excess in enumerate((filled - shares * total).tolist())]
    heapify(heap)
    part = np.empty(len(loads), dtype=np.intp)
    for position, load in enumerate(loads.tolist()):
        excess, k = heap[0]
        part[position] = k
        heapreplace(heap, (excess + load, k))
    return part


# From the widest to the narrowest. Rows that share a value in any column share a group.
GROUP_COLUMNS = ("patient_id", "lesion_id", "duplicate_cluster")


def note_ungrouped(records: pd.DataFrame) -> list[str]:
    """Say how many rows have no patient, if others do.

    Parameters
    ----------
    records : DataFrame of shape (n, columns)
        Records.

    Returns
    -------
    list of str
        At most one note. Rows of the same lesion or duplicate stay together anyway.
    """
    if "patient_id" not in records:
        return []
    unknown = records["patient_id"].isna()
    if not 0 < unknown.sum() < len(records):
        return []
    count = f"{unknown.sum():,} of {len(records):,} rows have no patient_id"
    return [f"{count}; each of them counts as a separate patient."]


def grouping(records: pd.DataFrame, columns: Sequence[str] = GROUP_COLUMNS) -> pd.Series:
    """Group rows by patient, lesion and duplicated picture.

    Parameters
    ----------
    records : DataFrame of shape (n, columns)
        Records; absent `columns` are ignored.
    columns : sequence of str, default=("patient_id", "lesion_id", "duplicate_cluster")
        Columns that link rows. Missing values do not link rows.

    Returns
    -------
    Series of shape (n,), int
        Group numbers from 0, in order of first appearance, with the index of `records`.

    Notes
    -----
    Groups are the connected components of the graph of rows and values: if a duplicated picture
    occurs under two patient ids, both patients form one group.

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
        Identifiers; missing values (None, NaN) do not link rows.
    n : int, default=None
        Number of rows; required only without columns.

    Returns
    -------
    ndarray of shape (n,), int
        Group numbers from 0, in order of first appearance.

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
        raise TableError(f"group columns must have equal lengths, got lengths {sorted(lengths)}.")
    n = lengths.pop()
    if not columns:
        return np.arange(n)
    codes = np.array([pd.factorize(pd.Series(column, dtype=object))[0] for column in columns])
    column, row = np.nonzero(codes >= 0)
    # Nodes are the rows, then the values of each column, of which there are n at most.
    value = n * (column + 1) + codes[column, row]
    size = n * (len(columns) + 1)
    graph = coo_matrix((np.ones(len(row), dtype=np.int8), (row, value)), shape=(size, size))
    _, labels = connected_components(graph, directed=False)
    return pd.factorize(labels[:n])[0]


# Start of the first line of a CSV file, before seed and digest.
MARK = "# hybridlesion splits "
# Metadata key for seed and digest in a Parquet file.
KEY = b"hybridlesion_splits"


@dataclass(frozen=True)
class Splits:
    """Fold or part of each image.

    Parameters
    ----------
    image_id : ndarray of shape (n,), str
        Unique image ids.
    labels : ndarray of shape (n, r)
        Folds, 0 to k - 1, in each of r draws, or one column of parts, ``"train"``, ``"validation"``
        and ``"test"``.
    group : ndarray of shape (n,), int, or None, default=None
        Group of each image, which was kept whole; None if unknown.
    random_state : int or None, default=None
        Seed of the first draw; None if unknown.

    Examples
    --------
    >>> splits = Splits(np.array(["a", "b"]), np.array([[0], [1]]))
    >>> splits.are_parts, splits.of(["b"]).tolist()
    (False, [[1]])
    """

    image_id: np.ndarray
    labels: np.ndarray
    group: np.ndarray | None = None
    random_state: int | None = None

    @property
    def are_parts(self) -> bool:
        """Whether these are train, validation and test, rather than folds."""
        return self.labels.dtype.kind in "OU"

    @property
    def digest(self) -> str:
        """SHA-256 digest of ids and labels, independent of the order of the rows."""
        rows = zip(self.image_id, *self.labels.T.tolist(), strict=True)
        lines = ("\t".join(map(str, row)) for row in rows)
        return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()

    def of(self, image_ids: Sequence[str]) -> np.ndarray:
        """Look up the labels of images.

        Parameters
        ----------
        image_ids : sequence of shape (m,), str
            Ids of the rows of a table. They may differ from those of the splits in folder, suffix
            and, if unambiguous, case and Unicode form.

        Returns
        -------
        ndarray of shape (m, r)
            Labels of each image.

        Raises
        ------
        TableError
            If an image is in no fold or part; the first ten are named.
        """
        names, found = self._match(image_ids)
        place = pd.Index(self.image_id).get_indexer([found.get(name, name) for name in names])
        missing = [name for name, at in zip(names, place, strict=True) if at < 0]
        if missing:
            kind = "part" if self.are_parts else "fold"
            raise TableError(
                f"{len(missing):,} of {len(names):,} images lack a {kind} in the saved splits: "
                f"{shorten(missing)}. Make new splits from these records, or leave the images out."
            )
        return self.labels[place]

    def unused(self, image_ids: Sequence[str]) -> list[str]:
        """List the images in the splits that a table lacks.

        Parameters
        ----------
        image_ids : sequence of shape (m,), str
            Ids of the rows of a table.

        Returns
        -------
        list of str
            Image ids in the order of the splits.
        """
        used = list(self._match(image_ids)[1].values())
        return [str(name) for name in self.image_id[~np.isin(self.image_id, used)]]

    def _match(self, image_ids: Sequence[str]) -> tuple[list[str], dict[str, str]]:
        names = [normalise_image_id(str(name)) for name in image_ids]
        return names, match_ids(names, map(str, self.image_id))


def write_splits(path: str | os.PathLike, splits: Splits) -> None:
    """Write folds or parts to a file, completely or not at all.

    Parameters
    ----------
    path : str or path-like
        ``.csv`` or ``.parquet`` file with the columns ``image_id``, ``group`` if known, and either
        ``part`` or ``fold_1, fold_2, ...``, one for each draw. Seed and digest are stored in a
        first line that begins with ``#``, or in the metadata of the Parquet file.
    splits : Splits
        Folds or parts to write.

    Raises
    ------
    TableError
        If the suffix is neither ``.csv`` nor ``.parquet``, or an id occurs more than once.
    SourceError
        If the file cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() not in (".csv", ".parquet"):
        raise TableError(f"splits are written as .csv or .parquet, got {path.name!r}.")
    repeated = _find_repeated(splits.image_id)
    if len(repeated):
        found = f"{len(repeated):,} repeated: {shorten(repeated)}"
        raise TableError(f"splits must list each image once; {found}.")
    names = [f"fold_{k + 1}" for k in range(splits.labels.shape[1])]
    table = pd.DataFrame(splits.labels, columns=["part"] if splits.are_parts else names)
    if splits.group is not None:
        table.insert(0, "group", splits.group)
    table.insert(0, "image_id", splits.image_id)
    facts = json.dumps({"random_state": splits.random_state, "sha256": splits.digest})
    with atomic_path(path) as temporary:
        if path.suffix.lower() == ".parquet":
            import pyarrow as pa
            import pyarrow.parquet as pq

            stored = pa.Table.from_pandas(table, preserve_index=False)
            pq.write_table(stored.replace_schema_metadata({KEY: facts}), temporary)
        else:
            rows = table.to_csv(index=False, lineterminator="\n")
            temporary.write_text(f"{MARK}{facts}\n{rows}", encoding="utf-8")


_PART_COLUMNS = ("part", "split")
_PART_WORDS = {part: part for part in PARTS} | {"val": "validation", "valid": "validation"}
_FOLD = re.compile(r"fold(_\d+)?")


def read_splits(path: str | os.PathLike, records: pd.DataFrame | None = None) -> Splits:
    """Read folds or parts, written by `write_splits` or made by other means.

    Parameters
    ----------
    path : str or path-like
        CSV or Parquet with an image id and either ``part`` (or ``split``: train, validation, test)
        or ``fold`` (or ``fold_1, fold_2, ...``: whole numbers). Out-of-fold scores of a fit are in
        this format.
    records : DataFrame of shape (m, columns), default=None
        Records that the splits are for, with ``image_id`` and, if known, ``patient_id``,
        ``lesion_id`` and ``duplicate_cluster``. If None, only the file is checked.

    Returns
    -------
    Splits
        The splits, with folds renumbered from 0 in ascending order.

    Raises
    ------
    SourceError
        If the file does not exist.
    TableError
        If a column is missing, an image occurs twice or has no label, the file was changed after it
        was written, an image of `records` is in no fold, or a patient, lesion or duplicate is in
        several folds.
    """
    path, name = Path(path), Path(path).name
    table, facts = _open(path)
    group = table["group"].to_numpy() if "group" in table else None
    seed = facts.get("random_state")
    seed = int(seed) if isinstance(seed, int) else None
    splits = Splits(_read_ids(table, name), _read_labels(table, name), group, seed)
    if "sha256" in facts and facts["sha256"] != splits.digest:
        raise TableError(
            f"{name} was changed after it was written: its digest differs. If intended, delete its "
            "first line; otherwise write the splits again."
        )
    if records is not None:
        frame: pd.DataFrame = as_pandas(records)
        labels = splits.of(frame["image_id"])
        problems = []
        for column in [name for name in GROUP_COLUMNS if name in frame]:
            apart = frame[column][parted(frame[column], labels)].unique()
            if len(apart):
                problems.append(f"{column}: {len(apart):,} ({shorten(apart)})")
        if problems:
            raise TableError(
                f"{name} splits groups that belong together, so scores are not of unseen patients:",
                problems,
            )
    return splits


def parted(values: pd.Series, labels: np.ndarray) -> np.ndarray:
    """Find rows whose patient, lesion or duplicate lies in several folds.

    Parameters
    ----------
    values : Series of shape (n,)
        Values that link rows; missing values do not link rows.
    labels : ndarray of shape (n, r)
        Folds or parts in r draws.

    Returns
    -------
    ndarray of shape (n,), bool
        True if another row with the same value has a different label in any draw.

    Examples
    --------
    >>> parted(pd.Series(["A", "A", "B", None]), np.array([[0], [1], [1], [0]])).tolist()
    [True, True, False, False]
    """
    codes = pd.factorize(values)[0]
    kinds = pd.DataFrame(labels).groupby(codes).transform("nunique")
    return (kinds > 1).any(axis=1).to_numpy() & (codes >= 0)


def _open(path: Path) -> tuple[pd.DataFrame, dict]:
    """Read the table, and the stored seed and digest."""
    if path.suffix.lower() in (".parquet", ".pq"):
        import pyarrow.parquet as pq

        table = read_table(path)
        return table, _parse_facts((pq.read_schema(path).metadata or {}).get(KEY, b""), path.name)
    try:
        with path.open("rb") as file:
            first = file.readline().decode("utf-8", errors="replace")
            if not first.startswith(MARK):
                return read_table(path), {}
            content = file.read()
    except OSError as error:
        raise SourceError(f"cannot read the splits {path}: {error.strerror}.") from error
    facts = _parse_facts(first.removeprefix(MARK).encode(), path.name)
    return pd.read_csv(io.BytesIO(content), dtype={"image_id": str}, keep_default_na=False), facts


def _parse_facts(text: bytes, name: str) -> dict:
    if not text.strip():
        return {}
    try:
        facts = json.loads(text)
    except ValueError as error:
        raise TableError(f"{name}: its first line is damaged. Write the splits again.") from error
    return facts if isinstance(facts, dict) else {}


def _find_repeated(ids: np.ndarray) -> np.ndarray:
    series = pd.Series(ids)
    return series[series.duplicated()].unique()


def _read_ids(table: pd.DataFrame, name: str) -> np.ndarray:
    column = next((known for known in ID_COLUMNS if known in table), None)
    if column is None:
        found = shorten(table.columns)
        raise TableError(f"{name}: no column of image ids. Call it image_id; found: {found}.")
    written = normalise_ids(table[column]).fillna("")
    ids = np.array([normalise_image_id(str(value)) for value in written], dtype=object)
    repeated = _find_repeated(ids)
    if len(repeated):
        found = f"lists {len(repeated):,} images more than once: {shorten(repeated)}"
        raise TableError(f"{name} {found}. Keep one row of each.")
    return ids


def _read_labels(table: pd.DataFrame, name: str) -> np.ndarray:
    folds = [column for column in table.columns if _FOLD.fullmatch(str(column))]
    part = next((known for known in _PART_COLUMNS if known in table), None)
    if bool(folds) == bool(part):
        raise TableError(
            f"{name} must have either a column part (train, validation, test) or a column fold "
            f"(or fold_1, fold_2, ...), got the columns {shorten(table.columns)}."
        )
    if part:
        return _read_parts(table[part], name)[:, None]
    return np.column_stack([_read_folds(table[column], name) for column in folds])


def _read_parts(column: pd.Series, name: str) -> np.ndarray:
    words = [_PART_WORDS.get(str(value).strip().lower()) for value in column]
    strange = sorted({str(v) for v, word in zip(column, words, strict=True) if word is None})
    if strange:
        allowed = ", ".join(PARTS)
        raise TableError(f"{name}: a part must be one of {allowed}; got {shorten(strange)}.")
    return np.array(words, dtype=object)


def _read_folds(column: pd.Series, name: str) -> np.ndarray:
    numbers = pd.to_numeric(column, errors="coerce")
    strange = column[(numbers.isna() | (numbers % 1 != 0) | (numbers < 0)).to_numpy()].unique()
    if len(strange):
        allowed = f"a {column.name} must be a whole number from 0"
        raise TableError(f"{name}: {allowed}; got {shorten(strange)}.")
    labels = np.unique(numbers, return_inverse=True)[1]
    if labels.max() < 1:
        raise TableError(f"{name}: {column.name} is the same in every row; use at least two folds.")
    return labels
