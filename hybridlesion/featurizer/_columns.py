"""Columns of a feature table: features, ids, targets and metadata."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from hybridlesion._validation import as_pandas
from hybridlesion.exceptions import TableError
from hybridlesion.metadata import MEASUREMENT_PREFIXES, SITES, leak_reason, normalise_records

# Columns that group rows.
IDS = ("image_id", "patient_id", "lesion_id", "duplicate_cluster")
_FACTS = ("age", "sex", "site")
_ANSWER = ("diagnosis", "target")
# Columns of the records that feature tables on disk contain in addition to the measured ones.
RECORD_COLUMNS = ("image_id", "path", *IDS[1:], *_FACTS, *_ANSWER)

_FEATURES = ("meta__", "abcd__", "perceived__", "cnn__", "emb__", "ctx__")


def is_feature(name: object) -> bool:
    """Check whether a column is a feature that a model may use.

    Parameters
    ----------
    name : object
        Name of the column.

    Returns
    -------
    bool
        True for the families ``meta__``, ``abcd__``, ``perceived__``, ``cnn__``, ``emb__`` and
        ``ctx__``.

    Examples
    --------
    >>> is_feature("abcd__tds"), is_feature("qa__hair_share"), is_feature("target")
    (True, False, False)
    """
    return str(name).startswith(_FEATURES)


def column_kinds(names: Iterable[str]) -> dict[str, list[str]]:
    """Group the columns of a feature table by their role.

    Parameters
    ----------
    names : iterable of str
        Column names.

    Returns
    -------
    dict of str to list of str
        Columns by role: ``features``; ``ids`` (including the path); ``answer`` (diagnosis and
        target); ``quality`` (``qa__`` columns on photograph and mask); ``facts`` (age, sex and
        site, which are encoded as features, and all other columns). The order is that of `names`.

    Examples
    --------
    >>> kinds = column_kinds(["image_id", "target", "meta__age", "qa__hair_share", "age"])
    >>> kinds["features"], kinds["ids"], kinds["answer"], kinds["facts"]
    (['meta__age'], ['image_id'], ['target'], ['age'])
    """
    kinds = {"features": [], "ids": [], "answer": [], "quality": [], "facts": []}
    for name in map(str, names):
        if is_feature(name):
            kind = "features"
        elif name.startswith("qa__"):
            kind = "quality"
        elif name in (*IDS, "path"):
            kind = "ids"
        else:
            kind = "answer" if name in _ANSWER else "facts"
        kinds[kind].append(name)
    return kinds


def read_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """Normalise column names and values of records, and warn once about unknown values.

    Parameters
    ----------
    frame : DataFrame of shape (n, columns)
        Records or a feature table, in pandas or polars.

    Returns
    -------
    DataFrame of shape (n, columns)
        The frame, normalised by `hybridlesion.metadata.normalise_records`.

    Raises
    ------
    TableError
        If the frame contains invalid values.

    Warns
    -----
    UserWarning
        If some values were not understood.
    """
    frame, notes = normalise_records(frame)
    if notes:
        message = "\n  ".join(["parts of the records were not understood:", *notes])
        warnings.warn(message, UserWarning, stacklevel=4)
    return frame


def check_records(X: object) -> pd.DataFrame:
    """Normalise records, or raise an error that explains why `X` has none.

    Parameters
    ----------
    X : object
        Object that should be a DataFrame of records.

    Returns
    -------
    DataFrame of shape (n, columns)
        The records as normalised by `read_frame`.

    Raises
    ------
    TableError
        If `X` is not a DataFrame or lacks image ids.
    """
    X = as_pandas(X)
    came = type(X).__name__
    if isinstance(X, pd.DataFrame):
        if "image_id" in (records := read_frame(X)):
            return records
        came = f"columns {list(X.columns)[:8]}"
    raise TableError(
        "records must be a DataFrame with at least an image_id column (and a path column if images "
        f"are to be read), got {came}. hybridlesion.read_records makes one from any ISIC table, "
        "hybridlesion.list_images from a folder."
    )


def metadata_columns(records: pd.DataFrame) -> list[str]:
    """Return the names of additional numeric columns that are safe to use as features.

    Parameters
    ----------
    records : DataFrame of shape (n, columns)
        Records as returned by `hybridlesion.metadata.read_records`.

    Returns
    -------
    list of str
        Numeric ISIC 2024 measurements (``tbp_lv_*``, ``clin_size_*``), in table order. Other
        columns are excluded, because they may leak the target.

    Examples
    --------
    >>> import pandas as pd
    >>> metadata_columns(pd.DataFrame({"age": [50.0], "tbp_lv_A": [20.1], "note": ["x"]}))
    ['tbp_lv_A']
    """
    records = as_pandas(records)
    measured = [name for name in records if str(name).startswith(MEASUREMENT_PREFIXES)]
    safe = [name for name in measured if leak_reason(name) is None]
    return [name for name in safe if pd.api.types.is_numeric_dtype(records[name])]


def encode_metadata(records: pd.DataFrame, extra: Sequence[str] | None = None) -> pd.DataFrame:
    """Encode age, sex, site and measurements without fitting.

    Parameters
    ----------
    records : DataFrame of shape (n, columns)
        Records; absent columns count as missing values.
    extra : sequence of str, default=None
        Measurement columns to add as ``meta__NAME``. If None, those of `metadata_columns` are used.

    Returns
    -------
    DataFrame of shape (n, 2 + sites + extra), float32
        ``meta__age`` in years, ``meta__sex_male`` (1 male, 0 female), one 0/1 column per site,
        then the measurements. Missing values are NaN.

    Examples
    --------
    >>> import pandas as pd
    >>> records = pd.DataFrame({"age": [50.0], "sex": ["male"], "site": ["torso"]})
    >>> encode_metadata(records).iloc[0, :4].to_dict()
    {'meta__age': 50.0, 'meta__sex_male': 1.0, 'meta__site_head_neck': 0.0, 'meta__site_torso': 1.0}
    """
    records = as_pandas(records)
    extra = metadata_columns(records) if extra is None else extra
    encoded = {"meta__age": _numeric(records, "age")}
    encoded |= _one_hot(records, "sex", {"meta__sex_male": "male"})
    names = {f"meta__site_{site.replace('/', '_').replace(' ', '_')}": str(site) for site in SITES}
    encoded |= _one_hot(records, "site", names)
    encoded |= {f"meta__{column}": _numeric(records, column) for column in extra}
    return pd.DataFrame(encoded, index=records.index).astype(np.float32)


def _numeric(records: pd.DataFrame, column: str) -> np.ndarray:
    values = pd.to_numeric(_column(records, column), errors="coerce")
    return values.to_numpy(dtype=float, na_value=np.nan)


def _one_hot(records: pd.DataFrame, column: str, names: dict[str, str]) -> dict[str, np.ndarray]:
    values = _column(records, column).astype(object)
    known = values.notna().to_numpy()
    return {
        name: np.where(known, (values == value).to_numpy(dtype=float), np.nan)
        for name, value in names.items()
    }


def _column(records: pd.DataFrame, column: str) -> pd.Series:
    return records.get(column, pd.Series(np.nan, index=records.index))
