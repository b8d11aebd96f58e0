"""Unpickling that admits listed classes only.

The standard advice is to restrict `find_class`. More doors stay open then: a listed class can be
*called* with chosen arguments (REDUCE), attributes can be set on the class itself or in place of
methods (BUILD), any object with an `append` has it called (APPENDS), numpy believes every dtype
(see `_arrays`) and LightGBM every tree (see `_booster`). All are shut here. A listed name gives no
class or function but a mark (`Name`), which this unpickler alone knows how to follow: so nothing
in the payload ever holds anything that could be called.
"""

from __future__ import annotations

import importlib
import inspect
import math
import pickle
import re
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from hybridlesion.exceptions import ArtifactError
from hybridlesion.persistence._allowlist import FORMER_MODULES, LISTED_CALLABLES, LISTED_CLASSES
from hybridlesion.persistence._state import (
    booster_from_text,
    checked_text,
    frame_from_columns,
    pipeline_from_steps,
)
from hybridlesion.persistence._stream import MODEL_OPCODES, StrictUnpickler, check_stream

__all__ = [
    "CALLS",
    "Name",
    "array_from_buffer",
    "empty_array",
    "loads_listed",
    "plain_dtype",
    "plain_scalar",
    "restore_array",
    "restore_dtype",
]

# Booleans, integers, floats, text and bytes of a fixed length, and objects.
_PLAIN = re.compile(r"b1|[iu][1248]|f[248]|[US]\d{1,5}|O8?")

_ORDERS = ("<", ">", "=", "|")


def plain_dtype(*arguments: object) -> np.dtype:
    """Make a dtype of plain values.

    Parameters
    ----------
    *arguments : object
        What the payload hands to ``numpy.dtype``: its code, False and True.

    Returns
    -------
    numpy.dtype
        One of its own, never numpy's shared one, which the payload could change for everybody.

    Raises
    ------
    ArtifactError
        If it is any other dtype.

    Examples
    --------
    >>> plain_dtype("f8", False, True)
    dtype('float64')
    """
    code = arguments[0] if arguments else None
    if arguments[1:] != (False, True) or type(code) is not str or not _PLAIN.fullmatch(code):
        raise ArtifactError("the model holds an array of a kind that models have not")
    return np.dtype(code, False, True)


def restore_dtype(dtype: np.dtype, state: object) -> None:
    """Give a dtype its byte order; everything else must be as it is already.

    Parameters
    ----------
    dtype : numpy.dtype
        From `plain_dtype`.
    state : object
        What the payload says of it.

    Raises
    ------
    ArtifactError
        If the state changes more than the byte order.
    """
    expected = dtype.__reduce__()[2]
    same = (
        type(state) is tuple
        and all(type(part) in (int, str, type(None)) for part in state)
        and state[:1] == expected[:1]
        and state[2:] == expected[2:]
        and state[1] in _ORDERS
    )
    if not same:
        raise ArtifactError("the model holds an array whose dtype contradicts itself")
    dtype.__setstate__(state)


def empty_array(*arguments: object) -> np.ndarray:
    """Make the empty array that `restore_array` will fill.

    Parameters
    ----------
    *arguments : object
        What the payload hands to numpy's ``_reconstruct``.

    Returns
    -------
    ndarray of shape (0,)
        Always the same, whatever shape was asked for.

    Raises
    ------
    ArtifactError
        If anything but an empty array is asked for.
    """
    if arguments[1:] != ((0,), b"b"):
        raise ArtifactError("the model holds an array that is not made the usual way")
    return np.empty(0, np.int8)


def restore_array(array: np.ndarray, state: object) -> None:
    """Fill an array.

    Parameters
    ----------
    array : ndarray
        From `empty_array`.
    state : object
        Version, shape, dtype, whether columns come first, and the bytes or objects.

    Raises
    ------
    ArtifactError
        If there are not as many values as the shape says.
    """
    if type(state) is not tuple or len(state) != 5:
        raise ArtifactError("the model holds an array without its values")
    version, shape, dtype, by_columns, values = state
    if version != 1 or type(by_columns) is not bool:
        raise ArtifactError("the model holds an array of an unknown form")
    _check_values(shape, dtype, values)
    array.__setstate__(state)


def array_from_buffer(*arguments: object) -> np.ndarray:
    """Make an array of raw bytes.

    Parameters
    ----------
    *arguments : object
        Bytes, dtype, shape and order, as numpy's ``_frombuffer`` takes them.

    Returns
    -------
    ndarray
        The array.

    Raises
    ------
    ArtifactError
        If there are not as many values as the shape says.
    """
    if len(arguments) != 4 or arguments[3] not in ("C", "F"):
        raise ArtifactError("the model holds an array of an unknown form")
    buffer, dtype, shape, order = arguments
    if not isinstance(buffer, (bytes, bytearray)):
        raise ArtifactError("the model holds an array without its values")
    _check_values(shape, dtype, buffer)
    return np.frombuffer(buffer, dtype=dtype).reshape(shape, order=order)


def plain_scalar(*arguments: object) -> np.generic:
    """Make a single number of numpy.

    Parameters
    ----------
    *arguments : object
        Dtype and bytes, as numpy's ``scalar`` takes them.

    Returns
    -------
    numpy.generic
        The number.

    Raises
    ------
    ArtifactError
        If the bytes are not those of one value.
    """
    if len(arguments) != 2 or type(arguments[1]) is not bytes:
        raise ArtifactError("the model holds a number without its value")
    dtype, value = arguments
    _check_values((1,), dtype, value)
    return np.frombuffer(value, dtype=dtype)[0]


def _check_values(shape: object, dtype: object, values: object) -> None:
    counts = type(shape) is tuple and all(type(n) is int and 0 <= n < 2**40 for n in shape)
    if not counts or len(shape) > 8 or not isinstance(dtype, np.dtype):
        raise ArtifactError("the model holds an array of an unknown form")
    wanted, of_objects = math.prod(shape), dtype.kind == "O"
    kinds = (list,) if of_objects else (bytes, bytearray)
    if type(values) not in kinds or len(values) != wanted * (1 if of_objects else dtype.itemsize):
        raise ArtifactError(
            "the model holds an array with more or fewer values than its shape says"
        )


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
        _refuse_calls("it fills an ordered dict on the way")
    return OrderedDict()


def _default(*arguments: object) -> defaultdict:
    # LightGBM once kept its best scores so.
    if arguments != (Name("collections.OrderedDict"),):
        _refuse_calls("it makes a dict that calls something")
    return defaultdict(OrderedDict)


def _array(*arguments: object):
    if arguments[:1] != (Name("numpy.ndarray"),):
        _refuse_calls("it makes an array of another class")
    return empty_array(*arguments)


def _frame(*arguments: object) -> pd.DataFrame:
    columns = arguments[0] if len(arguments) == 1 else None
    plain = type(columns) is dict and all(
        type(name) is str and type(values) is list and all(type(v) in _CELLS for v in values)
        for name, values in columns.items()
    )
    if not plain:
        _refuse_calls("it makes a table of other than plain columns")
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
        _refuse_calls("it makes a pipeline of other than estimators")
    return pipeline_from_steps(steps)


def _booster(*arguments: object):
    if len(arguments) != 1:
        _refuse_calls("it makes a booster of other than text")
    return booster_from_text(arguments[0])


CALLS: dict[str, Callable[..., object]] = {
    "collections.OrderedDict": _ordered,
    "collections.defaultdict": _default,
    "hybridlesion.persistence._state.booster_from_text": _booster,
    "hybridlesion.persistence._state.frame_from_columns": _frame,
    "hybridlesion.persistence._state.pipeline_from_steps": _pipeline,
    "numpy._core.multiarray._reconstruct": _array,
    "numpy._core.multiarray.scalar": plain_scalar,
    "numpy._core.numeric._frombuffer": array_from_buffer,
    "numpy.dtype": plain_dtype,
}


def _refuse_calls(what: str) -> None:
    raise ArtifactError(f"the model was not written by hybridlesion: {what}.")


_BOOSTER = "lightgbm.basic.Booster"
_LONGEST_REASON = 300


def loads_listed(payload: bytes) -> object:
    """Unpickle `payload`, admitting listed classes and callables only.

    Parameters
    ----------
    payload : bytes
        A pickle of protocol 4 or 5.

    Returns
    -------
    object
        What was pickled.

    Raises
    ------
    ArtifactError
        If it names anything outside the lists, uses one of them in an unlisted way, or is broken.

    Examples
    --------
    >>> import pickle
    >>> loads_listed(pickle.dumps({"threshold": 0.02}))
    {'threshold': 0.02}
    >>> loads_listed(pickle.dumps(print))
    Traceback (most recent call last):
    hybridlesion.exceptions.ArtifactError: the model holds builtins.print, which is not ...
    """
    try:
        check_stream(payload, MODEL_OPCODES)
        return _ListedUnpickler(payload).load()
    except ArtifactError:
        raise
    # A crafted stream can make any listed __setstate__ fail in its own way, and whatever it
    # raises means the same to the caller: this payload is no model.
    except Exception as error:
        raise ArtifactError(
            f"the model inside the file cannot be restored ({type(error).__name__}: "
            f"{str(error)[:_LONGEST_REASON]}). It was damaged, or written with library versions "
            "that differ too much from these."
        ) from error


class _ListedUnpickler(StrictUnpickler):
    dispatch = StrictUnpickler.dispatch.copy()

    def find_class(self, module: str, name: str) -> Name:
        # numpy 2 moved these functions; a file written beside numpy 1 names the old place.
        moved = f"{FORMER_MODULES.get(module, module)}.{name}"
        address = FORMER_MODULES.get(f"{module}.{name}", moved)
        address = address.replace("numpy.core.", "numpy._core.", 1)
        if address not in LISTED_CLASSES and address not in LISTED_CALLABLES:
            raise ArtifactError(
                f"the model holds {module[:80]}.{name[:80]}, which is not among the classes that a "
                "model file may hold (hybridlesion.persistence.LISTED_CLASSES). Nothing of it was "
                "loaded."
            )
        return Name(address)

    def load_reduce(self) -> None:
        arguments = self.stack.pop()
        called = self.stack[-1]
        rule = CALLS.get(called.address) if type(called) is Name else None
        if rule is None or type(arguments) is not tuple:
            _refuse(f"it calls {_describe(called)}")
        self.stack[-1] = rule(*arguments)

    def load_newobj(self) -> None:
        arguments = self.stack.pop()
        named = self.stack[-1]
        if type(named) is not Name or named.address not in LISTED_CLASSES or arguments != ():
            _refuse(f"it makes an instance of {_describe(named)}")
        kind = _import(named.address)
        self.stack[-1] = kind.__new__(kind)

    def load_build(self) -> None:
        state = self.stack.pop()
        instance = self.stack[-1]
        if type(instance) is np.ndarray:
            restore_array(instance, state)
        elif isinstance(instance, np.dtype):
            restore_dtype(instance, state)
        else:
            _restore(instance, state)

    dispatch[pickle.REDUCE[0]] = load_reduce
    dispatch[pickle.NEWOBJ[0]] = load_newobj
    dispatch[pickle.BUILD[0]] = load_build


def _restore(instance: object, state: object) -> None:
    """Give an instance of a listed class its attributes, and no method."""
    kind = type(instance)
    address = f"{kind.__module__}.{kind.__qualname__}"
    if address not in LISTED_CLASSES:
        _refuse(f"it sets attributes of a {kind.__name__}")
    if type(state) is not dict or not all(type(name) is str for name in state):
        _refuse(f"it restores a {kind.__name__} from other than its attributes")
    for name in state:
        if name.startswith("__") or inspect.getattr_static(kind, name, None) is not None:
            _refuse(f"it replaces special methods of a {kind.__name__}, or others ({name[:40]})")
    if address == _BOOSTER:
        # Files of protocol 1: the attributes of another release are left aside.
        text = state.get("_handle", state.get("handle"))
        kind.__init__(instance, model_str=checked_text(text))
    elif hasattr(kind, "__setstate__"):
        instance.__setstate__(state)
    else:
        vars(instance).update(state)


def _import(address: str) -> type:
    module, name = address.rsplit(".", 1)
    return getattr(importlib.import_module(module), name)


def _describe(value: object) -> str:
    """Name a hostile value without showing it: its text could be made to fill the memory."""
    return value.address if type(value) is Name else f"a {type(value).__name__}"


def _refuse(what: str) -> NoReturn:
    raise ArtifactError(f"the model was not written by hybridlesion: {what}.")
