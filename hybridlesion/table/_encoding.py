"""Age, sex, site and known measurements as numeric `meta__` columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from hybridlesion._validation import as_pandas
from hybridlesion.metadata import MEASUREMENT_PREFIXES, SITES, leak_reason

__all__ = ["encode_metadata", "metadata_columns"]


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
