"""Pickling in a form that does not depend on how pandas stores a table."""

from __future__ import annotations

import io
import pickle

import pandas as pd

__all__ = ["dumps_model", "frame_from_columns"]


def dumps_model(model: object) -> bytes:
    """Pickle a model; tables inside it become plain columns.

    Parameters
    ----------
    model : object
        Fitted model.

    Returns
    -------
    bytes
        Payload for `loads_listed`.
    """
    buffer = io.BytesIO()
    _ModelPickler(buffer, protocol=5).dump(model)
    return buffer.getvalue()


def frame_from_columns(columns: dict[str, list]) -> pd.DataFrame:
    """Make a table of plain columns again.

    Parameters
    ----------
    columns : dict of str to list
        Values by column name.

    Returns
    -------
    DataFrame
        The table, its rows numbered from 0.
    """
    return pd.DataFrame(columns)


class _ModelPickler(pickle.Pickler):
    # A DataFrame's own pickle names a dozen internals of pandas and pyarrow, which change between
    # versions and would all have to be listed.
    def reducer_override(self, value: object) -> object:
        if type(value) is pd.DataFrame:
            return frame_from_columns, ({str(name): value[name].to_list() for name in value},)
        return NotImplemented
