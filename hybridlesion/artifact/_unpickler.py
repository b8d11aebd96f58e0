"""Unpickling that admits listed classes only.

The standard advice is to restrict `find_class`. Three more doors stay open then: a listed class can
be *called* with chosen arguments (REDUCE), its attributes can be overwritten when the class itself
stands where an instance should (BUILD), and old opcodes reach both by other ways. All are shut
here, which takes Python's own unpickler, written in Python; a model is few objects with long
strings, so its speed does not matter.
"""

from __future__ import annotations

import importlib
import io
import pickle
from typing import NoReturn

from hybridlesion.artifact._listed import LISTED_CALLABLES, LISTED_CLASSES
from hybridlesion.exceptions import ArtifactError

__all__ = ["loads_listed"]

_UNUSED_OPCODES = (
    pickle.INST,
    pickle.OBJ,
    pickle.EXT1,
    pickle.EXT2,
    pickle.EXT4,
    pickle.PERSID,
    pickle.BINPERSID,
    pickle.NEXT_BUFFER,
    pickle.READONLY_BUFFER,
)


def loads_listed(payload: bytes) -> object:
    """Unpickle `payload`, admitting listed classes and callables only.

    Parameters
    ----------
    payload : bytes
        A pickle of protocol 2 to 5.

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
        return _ListedUnpickler(io.BytesIO(payload)).load()
    except ArtifactError:
        raise
    # A crafted stream can make any listed __setstate__ fail in its own way, and whatever it
    # raises means the same to the caller: this payload is no model.
    except Exception as error:
        raise ArtifactError(
            f"the model inside the file cannot be restored ({type(error).__name__}: {error}). "
            "It was damaged, or written with library versions that differ too much from these."
        ) from error


class _ListedUnpickler(pickle._Unpickler):
    dispatch = pickle._Unpickler.dispatch.copy()

    def __init__(self, file: io.BytesIO):
        super().__init__(file)
        self._classes: list[object] = []
        self._callables: list[object] = []

    def find_class(self, module: str, name: str) -> object:
        # numpy 2 moved these functions; a file written beside numpy 1 names the old place.
        address = f"{module}.{name}".replace("numpy.core.", "numpy._core.", 1)
        if address not in LISTED_CLASSES and address not in LISTED_CALLABLES:
            raise ArtifactError(
                f"the model holds {module}.{name}, which is not among the classes that a model "
                "file may hold (hybridlesion.artifact.LISTED_CLASSES). Nothing of it was loaded."
            )
        found = _import(address)
        (self._classes if address in LISTED_CLASSES else self._callables).append(found)
        return found

    def load_reduce(self) -> None:
        function, _ = self.stack[-2:]
        if not any(function is listed for listed in self._callables):
            _refuse(f"it calls {function!r}")
        super().load_reduce()

    def load_newobj(self) -> None:
        self._check_class(self.stack[-2])
        super().load_newobj()

    def load_newobj_ex(self) -> None:
        self._check_class(self.stack[-3])
        super().load_newobj_ex()

    def load_build(self) -> None:
        state, instance = self.stack[-1], self.stack[-2]
        if not isinstance(instance, self._listed_types()):
            _refuse(f"it sets attributes of {instance!r}")
        parts = state if isinstance(state, tuple) else (state,)
        keys = [key for part in parts if isinstance(part, dict) for key in part]
        if any(isinstance(key, str) and key.startswith("__") for key in keys):
            _refuse(f"it replaces special methods of a {type(instance).__name__}")
        super().load_build()

    def _check_class(self, value: object) -> None:
        if not any(value is listed for listed in self._listed_types()):
            _refuse(f"it makes an instance of {value!r}")

    def _listed_types(self) -> tuple[type, ...]:
        found = (*self._classes, *self._callables)
        return tuple(listed for listed in found if isinstance(listed, type))

    def _refuse_opcode(self) -> NoReturn:
        _refuse("it uses an opcode that models are never written with")

    dispatch[pickle.REDUCE[0]] = load_reduce
    dispatch[pickle.NEWOBJ[0]] = load_newobj
    dispatch[pickle.NEWOBJ_EX[0]] = load_newobj_ex
    dispatch[pickle.BUILD[0]] = load_build
    dispatch |= dict.fromkeys((opcode[0] for opcode in _UNUSED_OPCODES), _refuse_opcode)


def _import(address: str) -> object:
    module, name = address.rsplit(".", 1)
    try:
        return getattr(importlib.import_module(module), name)
    except ImportError:
        old = module.replace("numpy._core.", "numpy.core.", 1)
        if old == module:
            raise
        return getattr(importlib.import_module(old), name)


def _refuse(what: str) -> NoReturn:
    raise ArtifactError(f"the model was not written by hybridlesion: {what}.")
