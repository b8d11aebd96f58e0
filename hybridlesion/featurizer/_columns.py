"""Which columns of a feature table are features, and which are ids, answers or facts."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from hybridlesion._validation import as_pandas
from hybridlesion.exceptions import TableError
from hybridlesion.metadata import MEASUREMENT_PREFIXES, SITES, leak_reason, normalise_records

__all__ = [
    "IDS",
    "RECORD_COLUMNS",
    "check_records",
    "column_kinds",
    "encode_metadata",
    "is_feature",
    "metadata_columns",
    "read_frame",
]

# Columns that tie rows together.
IDS = ("image_id", "patient_id", "lesion_id", "duplicate_cluster")
_FACTS = ("age", "sex", "site")
_ANSWER = ("diagnosis", "target")
# Columns of the records that a feature table on disk holds besides the families.
RECORD_COLUMNS = ("image_id", "path", *IDS[1:], *_FACTS, *_ANSWER)

_FEATURES = ("meta__", "abcd__", "cnn__", "emb__", "ctx__")


def is_feature(name: object) -> bool:
    """Tell whether a column is one that a model may learn from.

    Parameters
    ----------
    name : object
        A column's name.

    Returns
    -------
    bool
        True for the families ``meta__``, ``abcd__``, ``cnn__``, ``emb__`` and ``ctx__``.

    Examples
    --------
    >>> is_feature("abcd__tds"), is_feature("qa__hair_share"), is_feature("target")
    (True, False, False)
    """
    return str(name).startswith(_FEATURES)


def column_kinds(names: Iterable[str]) -> dict[str, list[str]]:
    """Sort the columns of a feature table by what they are.

    Parameters
    ----------
    names : iterable of str
        Column names.

    Returns
    -------
    dict of str to list of str
        ``features``; ``ids`` (the path among them); ``answer`` (diagnosis and target); ``quality``
        (``qa__``: how good photograph and mask are); ``facts`` (age, sex and site, encoded among
        the features, and any other column). Each in the order of `names`.

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
    """Bring a frame to the names and words of records, with one warning of what is not understood.

    Parameters
    ----------
    frame : DataFrame of shape (n, columns)
        Records or a feature table, of pandas or polars.

    Returns
    -------
    DataFrame of shape (n, columns)
        What `hybridlesion.metadata.normalise_records` makes of it.

    Raises
    ------
    TableError
        If it holds cells that cannot be understood.

    Warns
    -----
    UserWarning
        If there are notes.
    """
    frame, notes = normalise_records(frame)
    if notes:
        message = "\n  ".join(["not everything in the records was understood:", *notes])
        warnings.warn(message, UserWarning, stacklevel=4)
    return frame


def check_records(X: object) -> pd.DataFrame:
    """Read records, or say why `X` holds none.

    Parameters
    ----------
    X : object
        What was given as records.

    Returns
    -------
    DataFrame of shape (n, columns)
        The records, as `read_frame` reads them.

    Raises
    ------
    TableError
        If `X` is no DataFrame or has no image ids.
    """
    X = as_pandas(X)
    records = read_frame(X) if isinstance(X, pd.DataFrame) else None
    if records is None or "image_id" not in records:
        came = type(X).__name__ if records is None else f"columns {list(X.columns)[:8]}"
        raise TableError(
            "records must be a DataFrame with at least an image_id column (and a path column where "
            f"images are to be read), got {came}. hybridlesion.read_records makes one from any "
            "ISIC table, hybridlesion.list_images from a folder."
        )
    return records


def metadata_columns(records: pd.DataFrame) -> list[str]:
    """Name the extra numeric columns of `records` that are safe to learn from.

    Parameters
    ----------
    records : DataFrame of shape (n, columns)
        Records, as `hybridlesion.metadata.read_records` gives them.

    Returns
    -------
    list of str
        Numeric ISIC 2024 measurements (``tbp_lv_*``, ``clin_size_*``), in table order. Any other
        column of a user's table stays out: it may know the answer.

    Examples
    --------
    >>> import pandas as pd
    >>> metadata_columns(pd.DataFrame({"age": [50.0], "tbp_lv_A": [20.1], "note": ["x"]}))
    ['tbp_lv_A']
    """
    records = as_pandas(records)
    return [
        column
        for column in records.columns
        if str(column).startswith(MEASUREMENT_PREFIXES)
        and leak_reason(column) is None
        and pd.api.types.is_numeric_dtype(records[column])
    ]


def encode_metadata(records: pd.DataFrame, extra: Sequence[str] | None = None) -> pd.DataFrame:
    """Encode age, sex, site and measurements; nothing is fitted.

    Parameters
    ----------
    records : DataFrame of shape (n, columns)
        Records; columns that are absent count as missing in every row.
    extra : sequence of str, default=None
        Measurement columns to carry over as ``meta__NAME``; None takes those that
        `metadata_columns` finds.

    Returns
    -------
    DataFrame of shape (n, 2 + sites + extra), float32
        ``meta__age`` in years, ``meta__sex_male`` (1 male, 0 female), one 0/1 column per site,
        then the measurements. NaN wherever the record does not know the value.

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
    encoded["meta__sex_male"] = _one_hot(records, "sex", {"meta__sex_male": "male"})[
        "meta__sex_male"
    ]
    names = {f"meta__site_{site.replace('/', '_').replace(' ', '_')}": str(site) for site in SITES}
    encoded |= _one_hot(records, "site", names)
    encoded |= {f"meta__{column}": _numeric(records, column) for column in extra}
    return pd.DataFrame(encoded, index=records.index).astype(np.float32)


def _numeric(records: pd.DataFrame, column: str) -> np.ndarray:
    if column not in records:
        return np.full(len(records), np.nan)
    return pd.to_numeric(records[column], errors="coerce").to_numpy(dtype=float, na_value=np.nan)


def _one_hot(records: pd.DataFrame, column: str, names: dict[str, str]) -> dict[str, np.ndarray]:
    if column not in records:
        return {name: np.full(len(records), np.nan) for name in names}
    values = records[column].astype(object)
    known = values.notna().to_numpy()
    return {
        name: np.where(known, (values == value).to_numpy(dtype=float), np.nan)
        for name, value in names.items()
    }
