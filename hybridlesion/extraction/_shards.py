"""Shards: slices of the records whose results wait on disk until the run is whole."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from hybridlesion._files import atomic_path
from hybridlesion.table import Failure

__all__ = ["SCHEMA_KEY", "Shard", "ShardFolder", "arrow_schema", "plan_shards"]

# Where our facts stand in the metadata of a Parquet file.
SCHEMA_KEY = b"hybridlesion"

# Raised whenever the code would measure the same image differently: shards of older code are
# then not taken up again.
CODE_PROTOCOL = 3

_NUMBERS = ("age", "target")


@dataclass(frozen=True)
class Shard:
    """A slice of the records, and what its result depends on.

    Parameters
    ----------
    number : int
        Position among the shards.
    records : DataFrame
        The slice.
    digest : str
        SHA-256 of records, image files and configuration.
    """

    number: int
    records: pd.DataFrame
    digest: str


def plan_shards(records: pd.DataFrame, configuration: dict, size: int) -> Iterator[Shard]:
    """Cut the records into shards.

    Parameters
    ----------
    records : DataFrame of shape (n, columns)
        Records.
    configuration : dict
        Everything else that the result depends on; must go into JSON.
    size : int
        Records per shard.

    Yields
    ------
    Shard
        The next slice.
    """
    fixed = json.dumps([CODE_PROTOCOL, configuration], sort_keys=True, default=str)
    for number, start in enumerate(range(0, len(records), size)):
        rows = records.iloc[start : start + size]
        digest = hashlib.sha256(fixed.encode())
        digest.update(rows.to_csv(index=False).encode())
        if "path" in rows:
            digest.update(json.dumps([_file_state(path) for path in rows["path"]]).encode())
        yield Shard(number, rows, digest.hexdigest())


class ShardFolder:
    """The folder beside an output in which its finished shards wait.

    Parameters
    ----------
    out : Path
        The output that the shards will make up.
    """

    def __init__(self, out: Path):
        self.path = out.with_name(out.name + ".shards")

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
        """
        facts = {"digest": shard.digest, "failures": [asdict(failure) for failure in failures]}
        table = table.replace_schema_metadata({SCHEMA_KEY: json.dumps(facts)})
        with atomic_path(self._file(shard.number)) as temporary:
            pq.write_table(table, temporary, compression="zstd")

    def failures(self, shard: Shard) -> list[Failure] | None:
        """Look for the result of a shard.

        Parameters
        ----------
        shard : Shard
            Which.

        Returns
        -------
        list of Failure or None
            Its failures if the stored result still holds, else None.
        """
        try:
            metadata = pq.read_schema(self._file(shard.number)).metadata
            facts = json.loads(metadata[SCHEMA_KEY])
        except (OSError, pa.ArrowInvalid, KeyError, TypeError, ValueError):
            return None
        if facts.get("digest") != shard.digest:
            return None
        return [Failure(**failure) for failure in facts["failures"]]

    def merge(self, n_shards: int, schema: pa.Schema, out: Path) -> int:
        """Write the shards into one file, one at a time, and return its number of rows.

        Parameters
        ----------
        n_shards : int
            How many there are.
        schema : pyarrow.Schema
            Schema of the whole, its metadata included.
        out : Path
            The finished table.

        Returns
        -------
        int
            Rows written.
        """
        rows = 0
        with (
            atomic_path(out) as temporary,
            pq.ParquetWriter(temporary, schema, compression="zstd") as writer,
        ):
            for number in range(n_shards):
                table = pq.read_table(self._file(number))
                writer.write_table(table.cast(schema))
                rows += table.num_rows
        return rows

    def clear(self) -> None:
        """Remove the folder and all in it."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _file(self, number: int) -> Path:
        return self.path / f"{number:06d}.parquet"


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


def _file_state(path: object) -> list | None:
    """Size and time of a local file, or of the archive that holds it; None for what is far away."""
    container = str(path).rsplit("::", 1)[-1]
    try:
        state = Path(container).stat()
    except (OSError, ValueError):
        return None
    return [state.st_size, state.st_mtime_ns]
