"""Feature columns and featurizer of tables read from disk."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from hybridlesion.batch import read_features
from hybridlesion.exceptions import TableError
from hybridlesion.featurizer import LesionFeaturizer, encode_metadata

__all__ = [
    "complete_features",
    "featurizer_of",
    "keep_measured",
    "known_metadata",
    "read_configuration",
]

_MEASUREMENT = "meta__tbp_lv_", "meta__clin_size_"
_FROM_IMAGES = "abcd__", "emb__", "cnn__"


def read_configuration(tables: Sequence[str | os.PathLike]) -> dict | None:
    """Read the featurizer's configuration from feature tables.

    Parameters
    ----------
    tables : sequence of str or path-like
        Tables of any kind.

    Returns
    -------
    dict or None
        Configuration of the featurizer; None if no table came from images.

    Raises
    ------
    TableError
        If two tables were measured differently.
    """
    found: dict | None = None
    for table in tables:
        if Path(table).suffix.lower() not in (".parquet", ".pq"):
            continue
        _, configuration = read_features(table)
        if configuration is None:
            continue
        if found is not None and configuration != found:
            differing = sorted(
                key for key in {*found, *configuration} if found.get(key) != configuration.get(key)
            )
            raise TableError(
                f"the feature tables were measured differently: {', '.join(differing)}. Extract "
                "them again with the same options."
            )
        found = configuration
    return found


def complete_features(records: pd.DataFrame) -> pd.DataFrame:
    """Encode the metadata of joined records, and drop features that no row has.

    Parameters
    ----------
    records : DataFrame of shape (n, columns)
        Records, with the feature families of whatever tables were joined.

    Returns
    -------
    DataFrame of shape (n, columns)
        The records with ``meta__`` columns.
    """
    metadata = known_metadata(records)
    table = pd.concat([records.drop(columns=metadata.columns, errors="ignore"), metadata], axis=1)
    features = [name for name in table.columns if "__" in str(name)]
    return table.drop(columns=[name for name in features if table[name].isna().all()])


def known_metadata(records: pd.DataFrame, extra: Sequence[str] | None = None) -> pd.DataFrame:
    """Encode metadata row by row, from the record or else from the feature table.

    Parameters
    ----------
    records : DataFrame of shape (n, columns)
        Records, perhaps with ``meta__`` columns of an earlier extraction.
    extra : sequence of str, default=None
        Further measurements to encode, as in `hybridlesion.featurizer.encode_metadata`.

    Returns
    -------
    DataFrame of shape (n, metadata columns), float32
        ``meta__`` columns on the index of `records`, NaN where unknown.

    Examples
    --------
    >>> records = pd.DataFrame({"age": [50.0, None], "meta__age": [40.0, 60.0]})
    >>> known_metadata(records)["meta__age"].tolist()
    [50.0, 60.0]
    """
    metadata = encode_metadata(records, extra)
    for name in metadata.columns.intersection(records.columns):
        former = pd.to_numeric(records[name], errors="coerce").astype(np.float32)
        metadata[name] = metadata[name].fillna(former)
    return metadata


def keep_measured(table: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Drop rows of a metadata table that have no measured image.

    Parameters
    ----------
    table : DataFrame of shape (n, columns)
        Joined tables; without any measured column, every row stays.

    Returns
    -------
    table : DataFrame of shape (m, columns)
        The rows with at least one measurement.
    notes : tuple of str
        The number of dropped rows, if any.

    Examples
    --------
    >>> table = pd.DataFrame({"image_id": ["a", "b"], "abcd__area_share": [0.2, None]})
    >>> keep_measured(table)[1]
    ('1 of 2 records have no measured image; left out.',)
    """
    measured = [name for name in table if str(name).startswith(_FROM_IMAGES)]
    known = table[measured].notna().any(axis=1) if measured else pd.Series(True, table.index)
    if known.all():
        return table, ()
    note = f"{(~known).sum():,} of {len(table):,} records have no measured image; left out."
    return table.loc[known].reset_index(drop=True), (note,)


def featurizer_of(configuration: Mapping[str, object], table: pd.DataFrame) -> LesionFeaturizer:
    """Recreate the fitted featurizer of a feature table.

    Parameters
    ----------
    configuration : mapping
        From `read_configuration`.
    table : DataFrame of shape (n, columns)
        The training table.

    Returns
    -------
    LesionFeaturizer
        Fitted; it measures new images like those of the table.

    Raises
    ------
    TableError
        If its weight file has changed since.
    """
    known = LesionFeaturizer().get_params()
    parameters = {name: value for name, value in configuration.items() if name in known}
    measured = {
        str(name).removeprefix("meta__"): table[name]
        for name in table.columns
        if str(name).startswith(_MEASUREMENT)
    }
    carried = table.drop(columns=[name for name in measured if name in table])
    records = pd.concat([carried, pd.DataFrame(measured, index=table.index)], axis=1)
    # The classifier needs ids for patient context.
    featurizer = LesionFeaturizer(**parameters, passthrough="ids").fit(records)
    digest = configuration.get("weights_digest")
    if digest is not None and featurizer.embedder_.weights_digest_ != digest:
        raise TableError(
            f"the weight file {featurizer.weights} is not the one that made the feature table. "
            "Restore the former one, or extract the features again."
        )
    return featurizer
