"""Feature tables: Parquet files of measurements, written and read."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from hybridlesion._validation import as_pandas
from hybridlesion.batch._measure import prepare_run, run_shards
from hybridlesion.batch._output import (
    ExtractionResult,
    Output,
    check_originals,
    check_usable,
    locked,
)
from hybridlesion.batch._runners import Runner, RunOptions
from hybridlesion.batch._shards import SCHEMA_KEY
from hybridlesion.exceptions import SourceError, TableError
from hybridlesion.featurizer import LesionFeaturizer, check_records, column_kinds
from hybridlesion.io import is_address, open_address

# Rows per row group: few enough to write with little memory, but enough to keep the file footer,
# which lists the groups, short for millions of rows.
_GROUP_ROWS = 4096

# Maximum number of tables to collect before joining them: each has hundreds of columns, and a
# column split into many chunks takes far more memory than its values.
_MAX_PARTS = 16

# Metadata key for the kinds of the columns, stored as JSON: kind -> column names.
_COLUMNS_KEY = b"hybridlesion.columns"


def extract_features(
    records: pd.DataFrame,
    out: str | os.PathLike,
    *,
    featurizer: LesionFeaturizer | None = None,
    n_jobs: int = 1,
    restart: bool = False,
    masks: str | os.PathLike | None = None,
    shard_size: int | None = None,
    runner: Runner | None = None,
    progress: Callable[[int, int, int], None] | None = None,
) -> ExtractionResult:
    """Measure every record and write one feature table.

    Finished shards are stored next to `out`, so that an interrupted run can be resumed. The rows
    follow the order of the records, and the file is byte-for-byte identical regardless of the
    runner and of any interruptions.

    Parameters
    ----------
    records : DataFrame of shape (n, columns)
        Records, as a pandas or polars table, interpreted as by `LesionFeaturizer`.
    out : str or path-like
        Path or fsspec address of the Parquet file to write. Failures are listed in
        ``OUT.errors.csv``.
    featurizer : LesionFeaturizer, default=None
        Featurizer that takes the measurements. If None, a default `LesionFeaturizer` is used.
    n_jobs : int, default=1
        Number of local processes. With 1, the work is done in the calling process; -1 means using
        all cores. See `ProcessRunner`.
    restart : bool, default=False
        Whether to discard the results of an interrupted run.
    masks : str or path-like, default=None
        Folder for the masks. If None, no masks are written.
    shard_size : int, default=None
        Records per shard. If None, it is chosen from the number of records.
    runner : Runner, default=None
        Runner that computes the shards, for example a `DaskRunner`. If None, `n_jobs` processes
        are started.
    progress : callable, default=None
        Called as ``progress(done, failed, total)`` after every shard.

    Returns
    -------
    ExtractionResult
        Path of the table, and the numbers of rows and failures.

    Raises
    ------
    SourceError
        If `out` cannot be written, is one of the images, or is being written by another run; or
        if ``OUT.errors.csv``, ``OUT.lock`` or ``OUT.shards`` exists but was not written by this
        program.
    TableError
        If there are no records, or they contain invalid cells.
    HybridLesionError
        If no image can be used, or all worker processes die.

    Warns
    -----
    UserWarning
        If stored results of an earlier run cannot be reused, or if the records contain unknown
        words.

    Notes
    -----
    During the run, ``OUT.lock`` identifies the process and the folder ``OUT.shards`` contains the
    finished shards; both are removed at the end. An image that crashes a worker process or exceeds
    its time limit is listed as a failure, just like an unreadable image.

    The metadata of the file record which columns are ids, target, diagnosis and features;
    `read_feature_table` returns these groups separately.
    """
    started = time.monotonic()
    options = RunOptions(
        n_jobs, runner, restart=restart, masks=masks, shard_size=shard_size, progress=progress
    )
    output = Output(out)
    records = as_pandas(records)
    if len(records) == 0:
        raise TableError("there are no records to extract features from.")
    check_originals(output.local_files(), records.get("path", ()))
    records = check_records(records)
    featurizer, options = prepare_run(records, featurizer or LesionFeaturizer(), options)
    output.make_folder()
    with locked(output.storage, output.name):
        # The rows stay in storage: memory use does not grow with the number of records.
        run = run_shards(records, featurizer, output.shards, options, keep=False)
        errors = output.write_errors(run.failures)
        if len(run.failures) == len(records):
            output.shards.clear()
        check_usable(run.failures, len(records), errors)
        metadata = {
            SCHEMA_KEY: json.dumps({"featurizer": run.configuration}),
            _COLUMNS_KEY: json.dumps(column_kinds(run.schema.names)),
        }
        schema = run.schema.with_metadata(metadata)
        with output.storage.replacing(output.name) as temporary:
            n_rows = _write(output.shards.tables(run.n_shards, schema), schema, temporary)
        output.shards.clear()
    seconds = time.monotonic() - started
    outcome = (output.path, n_rows, len(run.failures), errors, seconds, run.n_reused)
    return ExtractionResult(*outcome, columns=tuple(schema.names))


def _write(tables: Iterator[pa.Table], schema: pa.Schema, path: Path) -> int:
    """Write tables into one file, a row group at a time; return the number of rows."""
    rows = 0
    # Measurements rarely repeat: encoding them as dictionaries would waste time and memory.
    words = [field.name for field in schema if not pa.types.is_floating(field.type)]
    with pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=words) as writer:
        for group in _regroup(tables, schema):
            writer.write_table(group, row_group_size=_GROUP_ROWS)
            rows += group.num_rows
    return rows


def _regroup(tables: Iterator[pa.Table], schema: pa.Schema) -> Iterator[pa.Table]:
    """Join and slice tables so that the file does not depend on the shard size."""
    waiting = [schema.empty_table()]
    for table in tables:
        waiting.append(table)
        if len(waiting) < _MAX_PARTS and sum(part.num_rows for part in waiting) < _GROUP_ROWS:
            continue
        rest = pa.concat_tables(waiting).combine_chunks()
        while rest.num_rows >= _GROUP_ROWS:
            yield rest.slice(0, _GROUP_ROWS)
            rest = rest.slice(_GROUP_ROWS)
        waiting = [rest]
    rest = pa.concat_tables(waiting)
    if rest.num_rows:
        yield rest.combine_chunks()


@dataclass(frozen=True)
class FeatureTable:
    """Feature table with its columns grouped by kind.

    Parameters
    ----------
    features : DataFrame of shape (n, features)
        Columns of the families ``meta__, abcd__, perceived__, cnn__, emb__``.
    ids : DataFrame of shape (n, ids)
        The columns ``image_id, path, patient_id, lesion_id, duplicate_cluster``, if present.
    answer : DataFrame of shape (n, answers)
        The columns ``diagnosis, target``, if present.
    quality : DataFrame of shape (n, measures)
        ``qa__`` columns: quality of the photograph and of the mask.
    facts : DataFrame of shape (n, others)
        Age, sex and site as recorded (encoded among the features), and any other columns.
    configuration : dict or None
        Parameters of the featurizer, or None if the file was written by another program.
    """

    features: pd.DataFrame
    ids: pd.DataFrame
    answer: pd.DataFrame
    quality: pd.DataFrame
    facts: pd.DataFrame
    configuration: dict | None


def read_features(path: str | os.PathLike) -> tuple[pd.DataFrame, dict | None]:
    """Read a feature table and the configuration of its featurizer.

    Parameters
    ----------
    path : str or path-like
        Path or fsspec address of a Parquet file written by `extract_features`.

    Returns
    -------
    table : DataFrame of shape (n, features)
        The rows.
    configuration : dict or None
        Parameters of the featurizer, or None if the file was written by another program.

    Raises
    ------
    SourceError
        If there is no such file.
    TableError
        If the file is not a Parquet table.
    """
    try:
        with open_address(path) if is_address(os.fspath(path)) else open(path, "rb") as stream:
            table = pq.read_table(stream)
    except FileNotFoundError as error:
        raise SourceError(f"there is no feature table {path}; check the name.") from error
    except (OSError, pa.ArrowInvalid) as error:
        raise TableError(
            f"{path} cannot be read as a Parquet table; it may be damaged or in another format."
        ) from error
    facts = json.loads((table.schema.metadata or {}).get(SCHEMA_KEY, "{}"))
    return table.to_pandas(), facts.get("featurizer")


def read_feature_table(path: str | os.PathLike) -> FeatureTable:
    """Read a feature table, split into features, ids, target and other columns.

    Parameters
    ----------
    path : str or path-like
        Path or fsspec address of a Parquet file written by `extract_features`.

    Returns
    -------
    FeatureTable
        Columns grouped by kind.

    Raises
    ------
    SourceError
        If there is no such file.
    TableError
        If the file is not a Parquet table, or contains no features.
    """
    frame, configuration = read_features(path)
    kinds = column_kinds(frame.columns)
    if not kinds["features"]:
        raise TableError(
            f"{path} is not a feature table: it has no column meta__*, abcd__*, "
            "perceived__*, cnn__* or emb__*. "
            f"Its columns are {', '.join(map(str, frame.columns[:8]))}."
        )
    parts = {kind: frame[names] for kind, names in kinds.items()}
    return FeatureTable(**parts, configuration=configuration)
