"""Pickling in a form that does not depend on how other libraries store their objects."""

from __future__ import annotations

import copyreg
import io
import pickle

import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from hybridlesion.artifact._booster import booster_from_text, checked_text

__all__ = ["dumps_model", "frame_from_columns", "pipeline_from_steps"]

# What scikit-learn notes for the next fit; it names a dozen of its internals.
_OF_FITTING = "_metadata_request"


def dumps_model(model: object) -> bytes:
    """Pickle a model; tables, boosters and pipelines inside it become plain values.

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


def pipeline_from_steps(steps: list[tuple[str, BaseEstimator]]) -> Pipeline:
    """Make a pipeline of fitted steps again; where it kept intermediate results is forgotten.

    Parameters
    ----------
    steps : list of (str, estimator)
        Name and step.

    Returns
    -------
    Pipeline
        The pipeline.
    """
    return Pipeline(steps)


class _ModelPickler(pickle.Pickler):
    # A DataFrame's own pickle names a dozen internals of pandas and pyarrow, a Booster's and a
    # Pipeline's hold attributes of one release: all change between versions.
    def reducer_override(self, value: object) -> object:
        if type(value) is pd.DataFrame:
            return frame_from_columns, ({str(name): value[name].to_list() for name in value},)
        if type(value) is Pipeline:
            return pipeline_from_steps, ([(name, step) for name, step in value.steps],)
        if _is_booster(value):
            return booster_from_text, (checked_text(value.model_to_string(num_iteration=-1)),)
        if isinstance(value, BaseEstimator) and _OF_FITTING in vars(value):
            state = {name: kept for name, kept in vars(value).items() if name != _OF_FITTING}
            return copyreg.__newobj__, (type(value),), state
        return NotImplemented


def _is_booster(value: object) -> bool:
    """Whether `value` is a booster, asked without importing LightGBM for models without trees."""
    kind = type(value)
    return (kind.__module__, kind.__qualname__) == ("lightgbm.basic", "Booster")
