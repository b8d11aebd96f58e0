"""Reading and writing of folds and parts."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from hybridlesion._atomic import atomic_path
from hybridlesion._formatting import shorten
from hybridlesion._validation import as_pandas
from hybridlesion.exceptions import SourceError, TableError
from hybridlesion.metadata import match_ids, normalise_ids, normalise_image_id, read_table
from hybridlesion.model_selection._folds import GROUP_COLUMNS, PARTS

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


_ID_COLUMNS = ("image_id", "isic_id", "image_name", "image")
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
    column = next((known for known in _ID_COLUMNS if known in table), None)
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
