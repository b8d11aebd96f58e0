"""Shards: slices of the records, and the scratch folder for their results."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from hybridlesion.batch._storage import Storage, in_the_way
from hybridlesion.exceptions import SourceError
from hybridlesion.featurizer import FEATURE_VERSION, Failure

# Metadata key used by this package in Parquet files.
SCHEMA_KEY = b"hybridlesion"

# Marks a scratch folder as created by this program; the name sorts last, so it is removed last.
_MARKER = "scratch-of-hybridlesion.txt"
_MARKER_TEXT = b"An interrupted run goes on from here. Removed when it is done.\n"

# (maximum number of records in a run, records per shard, divisor). With small shards an
# interruption loses little work, but many files burden a shared folder. Towards the end, a shard
# has at most the number of remaining records over the divisor, so that all workers finish at about
# the same time.
_SIZES = ((100_000, 32, 8), (2_000_000, 256, 64), (float("inf"), 1024, 64))


@dataclass(frozen=True)
class Shard:
    """Slice of the records, with the facts that its result depends on.

    Parameters
    ----------
    number : int
        Index of the shard.
    records : DataFrame
        Records in the slice.
    facts : mapping
        ``protocol`` (the feature version), ``configuration``, ``records`` (a SHA-256 digest) and
        ``images`` (size and modification time of each file, or None if unknown).
    crashing : mapping of int to str, optional
        Images that crash a worker and must be skipped: position -> reason.
    """

    number: int
    records: pd.DataFrame
    facts: Mapping[str, object]
    crashing: Mapping[int, str] = field(default_factory=dict)


class ShardPlan:
    """Division of the records into shards, which are cut on request.

    Parameters
    ----------
    records : DataFrame of shape (n, columns)
        Records.
    configuration : dict
        Everything else that the result depends on; must be JSON-serialisable.
    size : int or None
        Records per shard. If None, it is chosen from the number of records, and the last shards
        are smaller.
    least : int, default=32
        Minimum size of the smaller shards near the end.

    Notes
    -----
    The division does not depend on the number of workers, so that a run can be resumed with a
    different number.
    """

    def __init__(
        self, records: pd.DataFrame, configuration: dict, size: int | None, *, least: int = 32
    ):
        self.records = records
        self.configuration = configuration
        most, part = next((size, part) for n, size, part in _SIZES if len(records) <= n)
        size, part, least = (most, part, min(least, most)) if size is None else (size, 1, size)
        self._bounds = _divide(len(records), size, part, least)

    def __len__(self) -> int:
        return len(self._bounds) - 1

    def n_records(self, number: int) -> int:
        """Count the records of one shard.

        Parameters
        ----------
        number : int
            Index of the shard.

        Returns
        -------
        int
            Number of records.
        """
        return self._bounds[number + 1] - self._bounds[number]

    def shard(self, number: int) -> Shard:
        """Cut one shard from the records.

        Parameters
        ----------
        number : int
            Index of the shard.

        Returns
        -------
        Shard
            Shard with the current state of its image files.
        """
        rows = self.records.iloc[self._bounds[number] : self._bounds[number + 1]]
        digest = hashlib.sha256(rows.to_csv(index=False).encode()).hexdigest()
        facts = {
            "protocol": FEATURE_VERSION,
            "configuration": self.configuration,
            "records": digest,
            "images": [file_state(path) for path in rows.get("path", ())],
        }
        return Shard(number, rows, facts)


def _divide(n_records: int, size: int, part: int, least: int) -> list[int]:
    """Compute shard bounds in multiples of `least`, so that batches stay whole."""
    size, bounds = size // least * least, [0]
    while bounds[-1] < n_records:
        left = n_records - bounds[-1]
        step = max(least, min(size, left // part // least * least))
        bounds.append(min(n_records, bounds[-1] + step))
    return bounds


def stale_reason(stored: Mapping, wanted: Mapping, records: pd.DataFrame) -> str | None:
    """Explain why a stored result is no longer valid.

    Parameters
    ----------
    stored, wanted : mapping
        Stored and current facts.
    records : DataFrame
        Current records.

    Returns
    -------
    str or None
        Reason, or None if the result is still valid.

    Examples
    --------
    >>> then = {"protocol": 2, "configuration": {"long_side": 512}}
    >>> stale_reason(then, {"protocol": 2, "configuration": {"long_side": 256}}, None)
    'long_side was 512 and is now 256'
    """
    then, now = stored.get("protocol"), wanted["protocol"]
    if then != now:
        return f"the code measures differently now (protocol {then} then, {now} now)"
    for name in sorted({*stored["configuration"], *wanted["configuration"]}):
        then, now = (facts["configuration"].get(name) for facts in (stored, wanted))
        if then != now:
            return f"{name} was {_short(then)} and is now {_short(now)}"
    if stored["records"] != wanted["records"]:
        return "the records, or their order, have changed"
    for position, (then, now) in enumerate(zip(stored["images"], wanted["images"], strict=True)):
        if then != now:
            return f"the image file of {records['image_id'].iloc[position]} has changed"
    return None


def file_state(path: object) -> list[int] | None:
    """Get the size and modification time of a local file, or of the archive that contains it.

    Parameters
    ----------
    path : object
        Path or locator.

    Returns
    -------
    list of int or None
        Size in bytes and modification time in nanoseconds, or None if remote or missing.
    """
    container = str(path).rsplit("::", 1)[-1]
    try:
        state = Path(container).stat()
    except (OSError, ValueError):
        return None
    return [state.st_size, state.st_mtime_ns]


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


class ShardResult(NamedTuple):
    """Result of one shard.

    Parameters
    ----------
    failures : list of Failure
        Records that could not be measured, in order.
    table : pyarrow.Table or None, default=None
        Rows of the measured records, or None if the rows are only in storage.
    """

    failures: list[Failure]
    table: pa.Table | None = None


class ShardStore:
    """Scratch folder for the finished shards of one output.

    Parameters
    ----------
    storage : LocalStorage or RemoteStorage
        Scratch folder.
    """

    def __init__(self, storage: Storage):
        self.storage = storage

    def check(self) -> None:
        """Check that the folder is absent or was created by this program.

        Raises
        ------
        SourceError
            If a file or folder with that name exists but lacks the marker file.
        """
        if self.storage.exists() and not self.storage.has(_MARKER):
            raise in_the_way(str(self.storage), f"a scratch folder that contains {_MARKER}")

    def open(self, *, restart: bool = False) -> None:
        """Create the folder unless it is left over from an interrupted run.

        Parameters
        ----------
        restart : bool, default=False
            Whether to empty the folder first.

        Raises
        ------
        SourceError
            If the folder cannot be created, or exists but was not created by this program.
        """
        self.check()
        if restart:
            self.clear()
        if self.storage.exists():
            return
        self.storage.make()
        try:
            self.storage.write(_MARKER, _MARKER_TEXT)
        except SourceError:
            # The disk is full; without the marker, the next run would refuse the folder.
            self.storage.clear()
            raise

    def numbers(self) -> set[int]:
        """Return the numbers of the stored shards.

        Returns
        -------
        set of int
            Shard numbers.
        """
        names = (Path(name) for name in self.storage.names())
        return {int(name.stem) for name in names if name.stem.isdigit()}

    def write(self, shard: Shard, table: pa.Table, failures: list[Failure]) -> None:
        """Store the result of one shard.

        Parameters
        ----------
        shard : Shard
            Measured shard.
        table : pyarrow.Table
            Rows of the shard.
        failures : list of Failure
            Failures in the shard.

        Raises
        ------
        SourceError
            If the result cannot be stored.
        """
        facts = {**shard.facts, "failures": [asdict(failure) for failure in failures]}
        table = table.replace_schema_metadata({SCHEMA_KEY: json.dumps(facts, default=str)})
        stream = io.BytesIO()
        # Uncompressed: a shard is read at most once, so compression would cost more than it saves.
        pq.write_table(
            table, stream, compression="none", use_dictionary=False, write_statistics=False
        )
        self.storage.write(_name(shard.number), stream.getvalue())

    def read(self, shard: Shard, *, keep: bool) -> ShardResult | str:
        """Read the stored result of a shard.

        Parameters
        ----------
        shard : Shard
            Shard whose result is read.
        keep : bool
            Whether to read the rows, too.

        Returns
        -------
        ShardResult or str
            The result if it is still valid, otherwise the reason why it is not.
        """
        try:
            file = pq.ParquetFile(io.BytesIO(self.storage.read(_name(shard.number))))
            facts = json.loads(file.schema_arrow.metadata[SCHEMA_KEY])
            # Round-trip through JSON, so that tuples equal the lists that were stored for them.
            now = json.loads(json.dumps(dict(shard.facts), default=str))
            reason = stale_reason(facts, now, shard.records)
            if reason:
                return reason
            rows = file.read(use_threads=False).replace_schema_metadata(None) if keep else None
            return ShardResult([Failure(**failure) for failure in facts["failures"]], rows)
        except (OSError, pa.ArrowInvalid, KeyError, TypeError, ValueError):
            return "its stored result is damaged or of an older version"

    def tables(self, n_shards: int, schema: pa.Schema) -> Iterator[pa.Table]:
        """Read the rows of all shards, one shard at a time.

        Parameters
        ----------
        n_shards : int
            Number of shards.
        schema : pyarrow.Schema
            Schema of the tables.

        Yields
        ------
        pyarrow.Table
            Rows of a shard.

        Raises
        ------
        SourceError
            If a shard is missing or damaged.
        """
        for number in range(n_shards):
            try:
                stream = io.BytesIO(self.storage.read(_name(number)))
                table = pq.ParquetFile(stream).read(use_threads=False)
            except (OSError, pa.ArrowInvalid) as error:
                raise SourceError(
                    f"shard {number} of {n_shards} was written to {self.storage} but cannot be "
                    f"read back ({error}). Run the same command again; the other shards are kept."
                ) from error
            yield table.cast(schema)

    def clear(self) -> None:
        """Remove the folder and its contents if it was created by this program."""
        if self.storage.has(_MARKER):
            self.storage.clear()


def _name(number: int) -> str:
    return f"{number:06d}.parquet"
