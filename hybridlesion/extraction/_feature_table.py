"""Feature tables on disk: what they say of their columns, and how they are read."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from hybridlesion.exceptions import SourceError, TableError
from hybridlesion.extraction._folder import SCHEMA_KEY
from hybridlesion.images._addresses import open_address
from hybridlesion.images._locators import is_address
from hybridlesion.table import column_kinds

__all__ = ["FeatureTable", "describe_columns", "read_feature_table", "read_features"]

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
