"""A pickle stream, looked through before anything is made of it.

Neither the standard unpickler nor a restricted `find_class` holds a short file back from taking
gigabytes: nine bytes that name a far place in the memo are enough. So every stream is first read
opcode by opcode, which makes nothing: it may use only what our own writer uses, announce no length
that is not there, and hold no more parts than a model has.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from typing import NoReturn

from hybridlesion.exceptions import ArtifactError

__all__ = ["MODEL_OPCODES", "PLAIN_OPCODES", "StrictUnpickler", "check_stream"]

_MOST_OPCODES = 2_000_000

PLAIN_OPCODES = frozenset(
    [
        "PROTO",
        "FRAME",
        "STOP",
        "MARK",
        "MEMOIZE",
        "BINPUT",
        "LONG_BINPUT",
        "BINGET",
        "LONG_BINGET",
        "NONE",
        "NEWTRUE",
        "NEWFALSE",
        "BININT",
        "BININT1",
        "BININT2",
        "LONG1",
        "LONG4",
        "BINFLOAT",
        "SHORT_BINUNICODE",
        "BINUNICODE",
        "BINUNICODE8",
        "SHORT_BINBYTES",
        "BINBYTES",
        "BINBYTES8",
        "EMPTY_DICT",
        "SETITEM",
        "SETITEMS",
        "EMPTY_LIST",
        "APPEND",
        "APPENDS",
        "EMPTY_TUPLE",
        "TUPLE",
        "TUPLE1",
        "TUPLE2",
        "TUPLE3",
    ]
)

MODEL_OPCODES = PLAIN_OPCODES | frozenset(
    [
        "GLOBAL",
        "STACK_GLOBAL",
        "REDUCE",
        "NEWOBJ",
        "BUILD",
        "EMPTY_SET",
        "ADDITEMS",
        "FROZENSET",
        "BYTEARRAY8",
    ]
)

_CODES = {opcode.name: ord(opcode.code) for opcode in pickletools.opcodes}


def check_stream(data: bytes, allowed: frozenset[str]) -> None:
    """Read a pickle without making anything of it, and refuse what no model is written with.

    Parameters
    ----------
    data : bytes
        A pickle.
    allowed : frozenset of str
        Names of opcodes, as `pickletools` has them.

    Raises
    ------
    ArtifactError
        If another opcode occurs, a frame or a place in the memo lies further than the stream is
        long, or there are too many parts.
    ValueError
        If the stream ends early or a length points past its end.

    Examples
    --------
    >>> check_stream(pickle.dumps([1, "a"]), PLAIN_OPCODES)
    >>> check_stream(pickle.dumps(print), PLAIN_OPCODES)
    Traceback (most recent call last):
    hybridlesion.exceptions.ArtifactError: it is a pickle of something else: it asks for builtins...
    """
    texts = ["", ""]
    for count, (opcode, argument, _) in enumerate(pickletools.genops(data)):
        if opcode.name not in allowed:
            _refuse(opcode.name, argument if opcode.name == "GLOBAL" else ".".join(texts))
        if type(argument) is str:
            texts = [texts[1], argument[:80]]
        if opcode.name in ("FRAME", "LONG_BINPUT") and argument > len(data):
            raise ArtifactError("it names a place that no file of its length has")
        if count > _MOST_OPCODES:
            raise ArtifactError(f"it has more than {_MOST_OPCODES:,} parts")


def _refuse(opcode: str, asked: str) -> NoReturn:
    if opcode in ("GLOBAL", "STACK_GLOBAL"):
        asked = asked.replace(" ", ".")[:160]
        raise ArtifactError(f"it is a pickle of something else: it asks for {asked}")
    raise ArtifactError(f"it uses the opcode {opcode}, which such files are never written with")


class StrictUnpickler(pickle._Unpickler):
    """Python's own unpickler, with the opcodes of models alone; every name is refused.

    Parameters
    ----------
    data : bytes
        A pickle that `check_stream` let pass.
    """

    def __init__(self, data: bytes):
        super().__init__(io.BytesIO(data))

    def find_class(self, module: str, name: str) -> object:
        """Refuse every name; a subclass admits some.

        Parameters
        ----------
        module : str
            Module that the stream names.
        name : str
            What it names there.

        Raises
        ------
        ArtifactError
            Always.
        """
        raise ArtifactError(f"it is a pickle of something else: it asks for {module}.{name}")

    def _refuse_opcode(self) -> NoReturn:
        _refuse("UNKNOWN", "")


def _filling(name: str, place: int | None, *kinds: type) -> Callable[[StrictUnpickler], None]:
    """Wrap an opcode that fills a container: the plain one would call any object's `append`.

    `place` is where the container lies on the stack, None below the last mark.
    """
    load = pickle._Unpickler.dispatch[_CODES[name]]

    def load_checked(self: StrictUnpickler) -> None:
        filled = self.metastack[-1][-1] if place is None else self.stack[place]
        if type(filled) not in kinds:
            raise ArtifactError(f"it fills a {type(filled).__name__} as if it were a container")
        load(self)

    return load_checked


StrictUnpickler.dispatch = (
    dict.fromkeys(range(256), StrictUnpickler._refuse_opcode)
    | {_CODES[name]: pickle._Unpickler.dispatch[_CODES[name]] for name in MODEL_OPCODES}
    | {
        _CODES["APPEND"]: _filling("APPEND", -2, list),
        _CODES["APPENDS"]: _filling("APPENDS", None, list),
        _CODES["SETITEM"]: _filling("SETITEM", -3, dict, OrderedDict, defaultdict),
        _CODES["SETITEMS"]: _filling("SETITEMS", None, dict, OrderedDict, defaultdict),
        _CODES["ADDITEMS"]: _filling("ADDITEMS", None, set),
    }
)
