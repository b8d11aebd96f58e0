"""What happens when a payload calls something: rules of ours, never the thing itself unlooked."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from hybridlesion.artifact._arrays import (
    array_from_buffer,
    empty_array,
    plain_dtype,
    plain_scalar,
)
from hybridlesion.artifact._booster import booster_from_text
from hybridlesion.artifact._pickler import frame_from_columns, pipeline_from_steps
from hybridlesion.exceptions import ArtifactError

__all__ = ["CALLS", "Name"]

_CELLS = (str, int, float, bool, type(None))


@dataclass(frozen=True)
class Name:
    """A listed name as the payload sees it: a mark that cannot be called and has no attributes.

    Parameters
    ----------
    address : str
        Module and name, with a dot between.
    """

    address: str


def _ordered(*arguments: object) -> OrderedDict:
    if arguments:
        _refuse("it fills an ordered dict on the way")
    return OrderedDict()


def _default(*arguments: object) -> defaultdict:
    # LightGBM once kept its best scores so.
    if arguments != (Name("collections.OrderedDict"),):
        _refuse("it makes a dict that calls something")
    return defaultdict(OrderedDict)


def _array(*arguments: object):
    if arguments[:1] != (Name("numpy.ndarray"),):
        _refuse("it makes an array of another class")
    return empty_array(*arguments)


def _frame(*arguments: object) -> pd.DataFrame:
    columns = arguments[0] if len(arguments) == 1 else None
    plain = type(columns) is dict and all(
        type(name) is str and type(values) is list and all(type(v) in _CELLS for v in values)
        for name, values in columns.items()
    )
    if not plain:
        _refuse("it makes a table of other than plain columns")
    return frame_from_columns(columns)


def _pipeline(*arguments: object) -> Pipeline:
    steps = arguments[0] if len(arguments) == 1 else None
    plain = type(steps) is list and all(
        type(pair) is tuple
        and len(pair) == 2
        and type(pair[0]) is str
        and isinstance(pair[1], BaseEstimator)
        for pair in steps
    )
    if not plain or not steps:
        _refuse("it makes a pipeline of other than estimators")
    return pipeline_from_steps(steps)


def _booster(*arguments: object):
    if len(arguments) != 1:
        _refuse("it makes a booster of other than text")
    return booster_from_text(arguments[0])


CALLS: dict[str, Callable[..., object]] = {
    "collections.OrderedDict": _ordered,
    "collections.defaultdict": _default,
    "hybridlesion.artifact._booster.booster_from_text": _booster,
    "hybridlesion.artifact._pickler.frame_from_columns": _frame,
    "hybridlesion.artifact._pickler.pipeline_from_steps": _pipeline,
    "numpy._core.multiarray._reconstruct": _array,
    "numpy._core.multiarray.scalar": plain_scalar,
    "numpy._core.numeric._frombuffer": array_from_buffer,
    "numpy.dtype": plain_dtype,
}


def _refuse(what: str) -> None:
    raise ArtifactError(f"the model was not written by hybridlesion: {what}.")
