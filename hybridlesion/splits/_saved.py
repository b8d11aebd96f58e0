"""Folds and parts on disk, so that other runs and other models use the same ones."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from hybridlesion._files import atomic_path
from hybridlesion.exceptions import TableError
from hybridlesion.metadata import normalise_image_id

__all__ = ["KEY", "MARK", "Splits", "name_some", "write_splits"]

# The first line of a CSV file, before the facts.
MARK = "# hybridlesion splits "
# Where a Parquet file keeps the same facts.
KEY = b"hybridlesion_splits"

_SHOWN = 10


@dataclass(frozen=True)
class Splits:
    """Which fold or which part each image belongs to.

    Parameters
    ----------
    image_id : ndarray of shape (n,), str
        Image ids, each once.
    labels : ndarray of shape (n, r)
        Folds, 0 to k - 1, of each of r draws; or one column of parts, ``"train"``,
        ``"validation"`` and ``"test"``.
    group : ndarray of shape (n,), int, or None, default=None
        Group that was kept whole; None where it is not known.
    random_state : int or None, default=None
        Seed of the first draw; None where it is not known.

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
        """SHA-256 over ids and labels, whatever the order of the rows."""
        lines = (
            "\t".join((str(name), *map(str, row)))
            for name, row in zip(self.image_id, self.labels.tolist(), strict=True)
        )
        return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()

    def of(self, image_ids: Sequence[str]) -> np.ndarray:
        """Look up images.

        Parameters
        ----------
        image_ids : sequence of shape (m,), str
            Ids of the rows of a table, with or without folder and extension.

        Returns
        -------
        ndarray of shape (m, r)
            Labels of each.

        Raises
        ------
        TableError
            If an image is in no fold or part; the first ten are named.
        """
        names = [normalise_image_id(str(name)) for name in image_ids]
        place = pd.Index(self.image_id).get_indexer(names)
        missing = [name for name, at in zip(names, place, strict=True) if at < 0]
        if missing:
            raise TableError(
                f"{len(missing):,} of {len(names):,} images are in no "
                f"{'part' if self.are_parts else 'fold'} of the saved splits: "
                f"{name_some(missing)}. "
                "Make the splits anew from these records, or leave the images out."
            )
        return self.labels[place]

    def unused(self, image_ids: Sequence[str]) -> list[str]:
        """Name the images that the splits have and a table lacks.

        Parameters
        ----------
        image_ids : sequence of shape (m,), str
            Ids of the rows of a table.

        Returns
        -------
        list of str
            Ids, in the order of the splits.
        """
        names = [normalise_image_id(str(name)) for name in image_ids]
        return [str(name) for name in self.image_id[~np.isin(self.image_id, names)]]


def write_splits(path: str | os.PathLike, splits: Splits) -> None:
    """Write folds or parts, whole or not at all.

    Parameters
    ----------
    path : str or path-like
        ``.csv`` or ``.parquet`` file with the columns ``image_id``, ``group`` where known, and
        ``part``, or ``fold_1, fold_2, ...`` for each draw. The facts (seed, digest) are a first
        line that begins with ``#``, or metadata of the Parquet file.
    splits : Splits
        What is written.

    Raises
    ------
    TableError
        If the suffix is another, or ids occur twice.
    SourceError
        If it cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() not in (".csv", ".parquet"):
        raise TableError(f"splits are written as .csv or .parquet, got {path.name!r}.")
    repeated = pd.Series(splits.image_id)
    repeated = repeated[repeated.duplicated()].unique()
    if len(repeated):
        raise TableError(
            f"splits name each image once; {len(repeated):,} occur more often: "
            f"{name_some(repeated)}."
        )
    table = _to_table(splits)
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


def _to_table(splits: Splits) -> pd.DataFrame:
    columns = {"image_id": splits.image_id}
    if splits.group is not None:
        columns["group"] = splits.group
    names = (
        ["part"] if splits.are_parts else [f"fold_{k + 1}" for k in range(splits.labels.shape[1])]
    )
    columns |= dict(zip(names, splits.labels.T, strict=True))
    return pd.DataFrame(columns)


def name_some(names: Iterable[object]) -> str:
    """Write a list, at most ten items of it.

    Parameters
    ----------
    names : iterable
        What to write.

    Returns
    -------
    str
        The items, and how many more there are.

    Examples
    --------
    >>> name_some(["a", "b"])
    'a, b'
    """
    names = list(map(str, names))
    shown = ", ".join(names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN:,} more"
