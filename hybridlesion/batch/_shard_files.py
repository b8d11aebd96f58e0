"""The scratch folder of an output, in which finished shards wait until the run is whole."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from hybridlesion.batch._shards import Shard, why_different
from hybridlesion.batch._storage import Place
from hybridlesion.exceptions import SourceError, TableError
from hybridlesion.featurizer import Failure, column_kinds
from hybridlesion.io import is_address, open_address

__all__ = [
    "SCHEMA_KEY",
    "FeatureTable",
    "ShardFolder",
    "arrow_schema",
    "describe_columns",
    "read_feature_table",
    "read_features",
]

# Where our facts stand in the metadata of a Parquet file.
SCHEMA_KEY = b"hybridlesion"

# Rows per group of the finished table: few enough to write with little memory, and so many that
# the list of groups at the end of the file stays short for millions of rows.
_GROUP_ROWS = 4096

# So many tables wait at once: each has hundreds of columns, and a column that is in many pieces
# takes far more memory than its values.
_MOST_PARTS = 16

_NUMBERS = ("age", "target")

# A file by which the folder is known as ours; its name comes last, and so it is removed last.
_MARK = "scratch-of-hybridlesion.txt"
_MARK_TEXT = b"An interrupted run goes on from here. Removed when it is done.\n"


class ShardFolder:
    """Finished shards of one output.

    Parameters
    ----------
    place : Place
        Where they wait.
    """

    def __init__(self, place: Place):
        self.place = place

    def check(self) -> None:
        """Make sure that nothing of other origin has the name of the folder.

        Raises
        ------
        SourceError
            If there is anything without the mark of a scratch folder.
        """
        if self.place.exists() and not self.place.has(_MARK):
            raise SourceError(
                f"{self.place} is in the way: the name is that of a scratch folder of this run, "
                f"and it lacks the file {_MARK}, which such a folder has. Move it, or name another "
                "output."
            )

    def open(self, *, restart: bool = False) -> None:
        """Make the folder, or take over what an interrupted run left.

        Parameters
        ----------
        restart : bool, default=False
            Whether to empty it first.

        Raises
        ------
        SourceError
            If it cannot be made, or something of other origin has its name.
        """
        self.check()
        if restart:
            self.clear()
        if self.place.exists():
            return
        self.place.make()
        try:
            self.place.write(_MARK, _MARK_TEXT)
        except SourceError:
            # On a full disk: without its mark the next run would not know it.
            self.place.clear()
            raise

    def numbers(self) -> set[int]:
        """List which shards are stored.

        Returns
        -------
        set of int
            Their numbers.
        """
        names = (Path(name) for name in self.place.names())
        return {int(name.stem) for name in names if name.stem.isdigit()}

    def write(self, shard: Shard, table: pa.Table, failures: list[Failure]) -> None:
        """Store the result of one shard.

        Parameters
        ----------
        shard : Shard
            Which.
        table : pyarrow.Table
            Its rows.
        failures : list of Failure
            Its failures.

        Raises
        ------
        SourceError
            If it cannot be stored.
        """
        facts = {**shard.facts, "failures": [asdict(failure) for failure in failures]}
        table = table.replace_schema_metadata({SCHEMA_KEY: json.dumps(facts, default=str)})
        stream = io.BytesIO()
        # Plain pages: a shard is read once, and looking for what could be packed costs more.
        pq.write_table(
            table, stream, compression="none", use_dictionary=False, write_statistics=False
        )
        self.place.write(_name(shard.number), stream.getvalue())

    def look_up(self, shard: Shard) -> list[Failure] | str:
        """Look at the stored result of a shard.

        Parameters
        ----------
        shard : Shard
            Which.

        Returns
        -------
        list of Failure or str
            Its failures if the result holds, else why not.
        """
        try:
            metadata = pq.read_schema(io.BytesIO(self.place.read(_name(shard.number)))).metadata
            facts = json.loads(metadata[SCHEMA_KEY])
            # Through JSON, so that a tuple of now equals the list that came of one then.
            now = json.loads(json.dumps(dict(shard.facts), default=str))
            reason = why_different(facts, now, shard.records)
            return reason or [Failure(**failure) for failure in facts["failures"]]
        except (OSError, pa.ArrowInvalid, KeyError, TypeError, ValueError):
            return "its stored result is damaged or of an older version"

    def merge(self, n_shards: int, schema: pa.Schema, path: Path) -> int:
        """Write the shards into one file, a group of rows at a time.

        Parameters
        ----------
        n_shards : int
            How many there are.
        schema : pyarrow.Schema
            Schema of the whole, its metadata included.
        path : Path
            File to write.

        Returns
        -------
        int
            Rows written.

        Raises
        ------
        SourceError
            If a shard has gone.
        """
        rows = 0
        # Measurements hardly repeat: looking for words among them takes time and memory.
        words = [field.name for field in schema if not pa.types.is_floating(field.type)]
        with pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=words) as writer:
            for group in _regroup(self._tables(n_shards, schema), schema):
                writer.write_table(group, row_group_size=_GROUP_ROWS)
                rows += group.num_rows
        return rows

    def read(self, n_shards: int, schema: pa.Schema) -> pd.DataFrame:
        """Read all shards as one table.

        Parameters
        ----------
        n_shards : int
            How many there are.
        schema : pyarrow.Schema
            Schema of the whole.

        Returns
        -------
        DataFrame of shape (n, columns)
            The rows.

        Raises
        ------
        SourceError
            If a shard has gone.
        """
        return pa.concat_tables(self._tables(n_shards, schema)).to_pandas()

    def clear(self) -> None:
        """Remove the folder and all in it, if it is ours."""
        if self.place.has(_MARK):
            self.place.clear()

    def _tables(self, n_shards: int, schema: pa.Schema) -> Iterator[pa.Table]:
        for number in range(n_shards):
            try:
                stream = io.BytesIO(self.place.read(_name(number)))
                table = pq.ParquetFile(stream).read(use_threads=False)
            except (OSError, pa.ArrowInvalid) as error:
                raise SourceError(
                    f"shard {number} of {n_shards} was written to {self.place} and cannot be read "
                    f"back ({error}). Run the same command again; what is left is kept."
                ) from error
            yield table.cast(schema)


def arrow_schema(table: pd.DataFrame) -> pa.Schema:
    """Fix the type of every column by its name, so that all shards agree.

    Parameters
    ----------
    table : DataFrame
        A feature table, possibly without rows.

    Returns
    -------
    pyarrow.Schema
        Features float32, age and target float64, all else string.
    """
    types = {name: pa.float32() if "__" in name else pa.string() for name in table.columns}
    types |= {name: pa.float64() for name in _NUMBERS if name in table}
    return pa.schema(list(types.items()))


def _regroup(tables: Iterator[pa.Table], schema: pa.Schema) -> Iterator[pa.Table]:
    """Cut tables anew, so that the file does not tell how the work was divided."""
    waiting = [schema.empty_table()]
    for table in tables:
        waiting.append(table)
        n_rows = sum(part.num_rows for part in waiting)
        if len(waiting) < _MOST_PARTS and n_rows < _GROUP_ROWS:
            continue
        whole = pa.concat_tables(waiting).combine_chunks()
        n_groups = n_rows // _GROUP_ROWS
        for group in range(n_groups):
            yield whole.slice(group * _GROUP_ROWS, _GROUP_ROWS)
        waiting = [whole.slice(n_groups * _GROUP_ROWS)]
    whole = pa.concat_tables(waiting)
    if whole.num_rows:
        yield whole.combine_chunks()


def _name(number: int) -> str:
    return f"{number:06d}.parquet"


# Where the file tells other programs which column is what, as JSON: kind -> column names.
_COLUMNS_KEY = b"hybridlesion.columns"


@dataclass(frozen=True)
class FeatureTable:
    """A feature table, what a model may learn from apart from all else.

    Parameters
    ----------
    features : DataFrame of shape (n, features)
        Columns of the families ``meta__, abcd__, cnn__, emb__``.
    ids : DataFrame of shape (n, ids)
        Those of ``image_id, path, patient_id, lesion_id, duplicate_cluster`` that are known.
    answer : DataFrame of shape (n, answers)
        Those of ``diagnosis, target`` that are known.
    quality : DataFrame of shape (n, measures)
        ``qa__`` columns: how good photograph and mask are.
    facts : DataFrame of shape (n, others)
        Age, sex and site as words, which the features hold encoded, and any other column.
    configuration : dict or None
        Parameters of the featurizer; None if the file was made by other means.
    """

    features: pd.DataFrame
    ids: pd.DataFrame
    answer: pd.DataFrame
    quality: pd.DataFrame
    facts: pd.DataFrame
    configuration: dict | None


def describe_columns(schema: pa.Schema, configuration: dict) -> pa.Schema:
    """Add to the schema of a feature table what its columns are and how they were measured.

    Parameters
    ----------
    schema : pyarrow.Schema
        Columns of the table.
    configuration : dict
        Parameters of the featurizer; must go into JSON.

    Returns
    -------
    pyarrow.Schema
        The same columns, with metadata under ``hybridlesion`` and ``hybridlesion.columns``.
    """
    return schema.with_metadata(
        {
            SCHEMA_KEY: json.dumps({"featurizer": configuration}),
            _COLUMNS_KEY: json.dumps(column_kinds(schema.names)),
        }
    )


def read_features(path: str | os.PathLike) -> tuple[pd.DataFrame, dict | None]:
    """Read a feature table and the configuration it was made with.

    Parameters
    ----------
    path : str or path-like
        Parquet file that `extract_features` wrote, or its fsspec address.

    Returns
    -------
    table : DataFrame of shape (n, features)
        The rows.
    configuration : dict or None
        Parameters of the featurizer; None if the file was made by other means.

    Raises
    ------
    SourceError
        If there is no such file.
    TableError
        If the file is no Parquet table.
    """
    table, facts = _read(path)
    return table.to_pandas(), facts


def read_feature_table(path: str | os.PathLike) -> FeatureTable:
    """Read a feature table with its features apart from ids and the answer.

    Parameters
    ----------
    path : str or path-like
        Parquet file that `extract_features` wrote, or its fsspec address.

    Returns
    -------
    FeatureTable
        Its columns by kind.

    Raises
    ------
    SourceError
        If there is no such file.
    TableError
        If the file is no Parquet table, or holds no features.
    """
    table, configuration = _read(path)
    frame = table.to_pandas()
    kinds = column_kinds(frame.columns)
    if not kinds["features"]:
        raise TableError(
            f"{path} is no feature table: it has no column meta__*, abcd__*, cnn__* or emb__*. "
            f"Its columns are {', '.join(map(str, frame.columns[:8]))}."
        )
    parts = {kind: frame[names] for kind, names in kinds.items()}
    return FeatureTable(**parts, configuration=configuration)


def _read(path: str | os.PathLike) -> tuple[pa.Table, dict | None]:
    try:
        with open_address(path) if is_address(os.fspath(path)) else open(path, "rb") as stream:
            table = pq.read_table(stream)
    except FileNotFoundError as error:
        raise SourceError(f"there is no feature table {path}; check the name.") from error
    except (OSError, pa.ArrowInvalid) as error:
        raise TableError(
            f"{path} cannot be read as a Parquet table; is it another file, or a damaged one?"
        ) from error
    metadata = table.schema.metadata or {}
    facts = json.loads(metadata[SCHEMA_KEY]) if SCHEMA_KEY in metadata else {}
    return table, facts.get("featurizer")
