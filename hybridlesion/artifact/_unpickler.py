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
import pickle
from typing import NoReturn

import numpy as np

from hybridlesion.artifact._arrays import restore_array, restore_dtype
from hybridlesion.artifact._booster import checked_text
from hybridlesion.artifact._calls import CALLS, Name
from hybridlesion.artifact._listed import LISTED_CALLABLES, LISTED_CLASSES
from hybridlesion.artifact._stream import MODEL_OPCODES, StrictUnpickler, check_stream
from hybridlesion.exceptions import ArtifactError

__all__ = ["loads_listed"]

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
        address = f"{module}.{name}".replace("numpy.core.", "numpy._core.", 1)
        if address not in LISTED_CLASSES and address not in LISTED_CALLABLES:
            raise ArtifactError(
                f"the model holds {module[:80]}.{name[:80]}, which is not among the classes that a "
                "model file may hold (hybridlesion.artifact.LISTED_CLASSES). Nothing of it was "
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
