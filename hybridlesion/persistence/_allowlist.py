"""Restricted unpickling, limited to listed classes and checked calls.

Restricting ``find_class`` of the standard unpickler is not enough: it would still call a listed
class with arbitrary arguments, let attributes replace methods, and allocate gigabytes for a stream
of nine bytes. This module therefore interprets the opcodes itself. A name in the stream becomes an
inert `Name`, and every call, new instance or attribute is checked before it takes effect.
"""

from __future__ import annotations

import inspect
import pickletools
import pkgutil
import re
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from hybridlesion.exceptions import ArtifactError
from hybridlesion.persistence._state import CALLS, Name, checked_text, fill_array, set_byte_order

# Instances are created without running the constructor, and their attributes are then restored.
LISTED_CLASSES = frozenset(
    {
        "hybridlesion.cnn.scorer.CNNScorer",
        "hybridlesion.cnn.timm_embedder.TimmEmbedder",
        "hybridlesion.metrics._resampling.Interval",
        "hybridlesion.model._columns.ColumnEncoder",
        "hybridlesion.model._ensemble.Ensemble",
        "hybridlesion.model._ensemble.FoldEnsemble",
        "hybridlesion.model._fold_model.FoldModel",
        "hybridlesion.model._fold_model.LinearModel",
        "hybridlesion.model._fold_model.LinearPart",
        "hybridlesion.model._fold_model.Member",
        "hybridlesion.model._ensemble.View",
        "hybridlesion.model._fallback.NetworkFallback",
        "hybridlesion.model._training_summary.Distribution",
        "hybridlesion.model.calibration.ScoreCalibrator",
        "hybridlesion.model.calibration.ConformalSets",
        "hybridlesion.model.diagnosis_classifier.DiagnosisClassifier",
        "hybridlesion.model.classifier.HybridLesionClassifier",
        "hybridlesion.model.embedding_discriminant.EmbeddingDiscriminant",
        "hybridlesion.model.embedding_discriminant.EmbeddingProbe",
        "hybridlesion.model.recalibration.Recalibration",
        "hybridlesion.featurizer._featurizer.LesionFeaturizer",
        "lightgbm.basic.Booster",
        "sklearn.isotonic.IsotonicRegression",
        "sklearn.pipeline.Pipeline",
    }
)

# Each callable is replaced by the function in `CALLS` that checks its arguments.
LISTED_CALLABLES = frozenset(CALLS)

# Modules or qualified names in earlier releases -> current ones.
FORMER_MODULES = {
    "hybridlesion.artifact._booster": "hybridlesion.persistence._state",
    "hybridlesion.artifact._pickler": "hybridlesion.persistence._state",
    "hybridlesion.cnn.scorer.LesionScorer": "hybridlesion.cnn.scorer.CNNScorer",
    "hybridlesion.embedding.finetuning.scorer": "hybridlesion.cnn.scorer",
    "hybridlesion.embedding.finetuning.scorer.LesionScorer": "hybridlesion.cnn.scorer.CNNScorer",
    "hybridlesion.embedding.timm_embedder": "hybridlesion.cnn.timm_embedder",
    "hybridlesion.evaluation.intervals": "hybridlesion.metrics._resampling",
    "hybridlesion.model._linear": "hybridlesion.model._fold_model",
    "hybridlesion.model._member": "hybridlesion.model._fold_model",
    "hybridlesion.model._views": "hybridlesion.model._ensemble",
    "hybridlesion.model.conformal": "hybridlesion.model.calibration",
    "hybridlesion.model.probe": "hybridlesion.model.embedding_discriminant",
    "hybridlesion.table._featurizer": "hybridlesion.featurizer._featurizer",
    "numpy.core.multiarray": "numpy._core.multiarray",  # numpy 1
    "numpy.core.numeric": "numpy._core.numeric",
}

_MAX_OPCODES = 2_000_000
_MAX_REASON = 300
# Opcodes whose argument is the value itself.
_VALUES = re.compile(r"BININT[12]?|LONG[14]|BINFLOAT|(SHORT_)?BIN(UNICODE|BYTES)8?|BYTEARRAY8")
_CONSTANTS: dict[str, Callable[[], object]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
    "EMPTY_SET": set,
}
_SCALARS = (str, bytes, int, float, bool, type(None))

_Calls = Mapping[str, Callable | None]


def loads_listed(payload: bytes) -> object:
    """Unpickle a model, allowing only `LISTED_CLASSES` and `LISTED_CALLABLES`.

    Parameters
    ----------
    payload : bytes
        Pickle with protocol 4 or 5.

    Returns
    -------
    object
        The unpickled model.

    Raises
    ------
    ArtifactError
        If the payload refers to anything that is not listed, uses a listed name in a way that
        models do not, or is damaged.

    Examples
    --------
    >>> import pickle
    >>> loads_listed(pickle.dumps({"threshold": 0.02}))
    {'threshold': 0.02}
    >>> loads_listed(pickle.dumps(print))
    Traceback (most recent call last):
    hybridlesion.exceptions.ArtifactError: cannot load the model: it asks for builtins.print, ...
    """
    try:
        return read_pickle(payload, CALLS, LISTED_CLASSES)
    except ArtifactError as error:
        raise ArtifactError(f"cannot load the model: {error}") from error


def read_pickle(data: bytes, calls: _Calls, classes: frozenset[str] = frozenset()) -> object:
    """Interpret a pickle without executing anything that is not listed.

    Parameters
    ----------
    data : bytes
        Pickle. Any bytes after its end are ignored.
    calls : mapping of str to callable or None
        Function that replaces each callable, by qualified name; None for a name that may occur as
        an argument but is never called.
    classes : frozenset of str, default=frozenset()
        Qualified names of the classes that may be instantiated.

    Returns
    -------
    object
        The unpickled object.

    Raises
    ------
    ArtifactError
        If the pickle uses any other name, or is damaged.
    """
    interpreter = _Interpreter(calls, classes)
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(data)):
            if count > _MAX_OPCODES:
                raise ArtifactError(f"it has more than {_MAX_OPCODES:,} parts")
            if opcode.name in ("FRAME", "LONG_BINPUT") and argument > len(data):
                raise ArtifactError("it declares more content than the file has")
            interpreter.execute(opcode.name, argument)
        return interpreter.stack.pop()
    except ArtifactError:
        raise
    # A crafted stream can make the interpreter or a listed __setstate__ raise any exception.
    except Exception as error:
        raise ArtifactError(
            f"it cannot be restored ({type(error).__name__}: {str(error)[:_MAX_REASON]}). It is "
            "damaged, cut short, or written with library versions that differ too much from these."
        ) from error


class _Interpreter:
    """Stack machine for pickles, with only the opcodes that occur in models."""

    def __init__(self, calls: _Calls, classes: frozenset[str]):
        self.calls, self.classes = calls, classes
        self.stack: list = []
        self.marks: list[int] = []
        self.memo: dict[int, object] = {}

    def execute(self, name: str, argument) -> None:
        stack, memo = self.stack, self.memo
        match name:
            case _ if _VALUES.fullmatch(name):
                stack.append(argument)
            case _ if name in _CONSTANTS:
                stack.append(_CONSTANTS[name]())
            case "MEMOIZE":
                memo[len(memo)] = stack[-1]
            case "BINPUT" | "LONG_BINPUT":
                memo[argument] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                stack.append(memo[argument])
            case "MARK":
                self.marks.append(len(stack))
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                stack.append(tuple(self._pop(int(name[-1]))))
            case "TUPLE":
                stack.append(tuple(self._pop_to_mark()))
            case "FROZENSET":
                stack.append(frozenset(_checked_keys(self._pop_to_mark())))
            case "APPEND" | "APPENDS":
                items = self._pop(1) if name == "APPEND" else self._pop_to_mark()
                self._container(list).extend(items)
            case "ADDITEMS":
                items = self._pop_to_mark()
                self._container(set).update(_checked_keys(items))
            case "SETITEM" | "SETITEMS":
                items = self._pop(2) if name == "SETITEM" else self._pop_to_mark()
                filled = self._container(dict, OrderedDict, defaultdict)
                filled.update(zip(_checked_keys(items[::2]), items[1::2], strict=True))
            case "GLOBAL":
                stack.append(self._name(*argument.split(" ", 1)))
            case "STACK_GLOBAL":
                stack.append(self._name(*self._pop(2)))
            case "REDUCE":
                stack.append(self._call(*self._pop(2)))
            case "NEWOBJ":
                stack.append(self._new(*self._pop(2)))
            case "BUILD":
                state = stack.pop()
                self._set_state(stack[-1], state)
            case "PROTO":
                if argument > 5:
                    raise ValueError(f"unknown pickle protocol {argument}")
            case "FRAME" | "STOP":
                pass
            case _:
                raise ArtifactError(f"it uses the opcode {name}, which such files never contain")

    def _pop(self, count: int) -> list:
        return [self.stack.pop() for _ in range(count)][::-1]

    def _pop_to_mark(self) -> list:
        start = self.marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def _container(self, *kinds: type):
        """Return the container; the standard unpickler would call its own `append` method."""
        filled = self.stack[-1]
        if type(filled) not in kinds:
            raise ArtifactError(f"it fills a {type(filled).__name__} as if it were a container")
        return filled

    def _name(self, module: str, name: str) -> Name:
        former = f"{module}.{name}"
        address = FORMER_MODULES.get(former, f"{FORMER_MODULES.get(module, module)}.{name}")
        if address not in self.classes and address not in self.calls:
            raise ArtifactError(
                f"it asks for {former[:160]}, which is not among the classes that a model file may "
                "use (hybridlesion.persistence.LISTED_CLASSES). Nothing was executed."
            )
        return Name(address)

    def _call(self, called: object, arguments: object) -> object:
        function = self.calls.get(called.address) if type(called) is Name else None
        if function is None or type(arguments) is not tuple:
            raise ArtifactError(f"it calls {_describe(called)}")
        return function(*arguments)

    def _new(self, kind: object, arguments: object) -> object:
        if type(kind) is not Name or kind.address not in self.classes or arguments != ():
            raise ArtifactError(f"it makes an instance of {_describe(kind)}")
        listed = pkgutil.resolve_name(kind.address)
        return listed.__new__(listed)

    def _set_state(self, instance: Any, state: Any) -> None:
        """Set the attributes of an instance of a listed class, but never replace a method."""
        if type(instance) is np.ndarray:
            return fill_array(instance, state)
        if isinstance(instance, np.dtype):
            return set_byte_order(instance, state)
        kind: Any = type(instance)
        if f"{kind.__module__}.{kind.__qualname__}" not in self.classes:
            raise ArtifactError(f"it sets attributes of a {kind.__name__}")
        if type(state) is not dict or not all(type(name) is str for name in state):
            raise ArtifactError(f"it restores a {kind.__name__}, but not from attributes")
        for name in state:
            if name.startswith("__") or inspect.getattr_static(kind, name, None) is not None:
                raise ArtifactError(f"it replaces methods of a {kind.__name__} ({name[:40]})")
        if kind.__qualname__ == "Booster":  # protocol 1
            text = state.get("_handle", state.get("handle"))
            kind.__init__(instance, model_str=checked_text(text))
        elif hasattr(kind, "__setstate__"):
            instance.__setstate__(state)
        else:
            vars(instance).update(state)
        return None


def _checked_keys(keys: list) -> list:
    """Allow only flat keys: hashing a deeply nested tuple would overflow the C stack."""
    for key in keys:
        parts = key if type(key) is tuple else (key,)
        if not all(type(part) in _SCALARS or isinstance(part, np.generic) for part in parts):
            raise ArtifactError(f"it uses a {type(key).__name__} as a key")
    return keys


def _describe(value: object) -> str:
    """Describe a value by its type only, since its text could be crafted to fill the memory."""
    return value.address if type(value) is Name else f"a {type(value).__name__}"
