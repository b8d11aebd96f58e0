"""Hostile files execute nothing and do not fill the memory."""

from __future__ import annotations

import builtins
import bz2
import copyreg
import functools
import gzip
import lzma
import operator
import os
import pickle
import resource
import subprocess
import sys
import warnings
import zlib

import joblib
import numpy as np
import pytest
from sklearn.pipeline import Pipeline

from hybridlesion.exceptions import ArtifactError
from hybridlesion.model import HybridLesionClassifier
from hybridlesion.model._fold_model import FoldModel
from hybridlesion.persistence import (
    LISTED_CALLABLES,
    load_artifact,
    read_manifest,
)
from hybridlesion.persistence._allowlist import loads_listed
from hybridlesion.persistence._artifact import Container, write_container
from hybridlesion.persistence._state import CALLS, frame_from_columns, pipeline_from_steps

# Where numpy keeps them depends on its version.
_reconstruct = np.zeros(1).__reduce__()[0]
scalar = np.float64(1).__reduce__()[0]
_frombuffer = np.zeros(1).__reduce_ex__(5)[0]


class _Calls:
    """Pickles into a call of anything with anything, and then any state."""

    def __init__(self, function, *arguments, state=None):
        self.call = (function, arguments) if state is None else (function, arguments, state)

    def __reduce__(self):
        return self.call


class _New:
    """Pickles into an instance of any class, with any state."""

    def __init__(self, kind, state):
        self.kind, self.state = kind, state

    @property
    def __class__(self):  # what pickle holds the class against
        return self.kind

    def __reduce__(self):
        return copyreg.__newobj__, (self.kind,), self.state


def _touch(mark: str):
    return _Calls(os.system, f"touch {mark}")


# Each makes a payload that would leave a file at `mark` if it were run.
_SHELF = {
    "os.system": _touch,
    "subprocess": lambda mark: _Calls(subprocess.Popen, ["touch", mark]),
    "eval": lambda mark: _Calls(builtins.eval, f"open({mark!r}, 'w').close()"),
    "exec": lambda mark: _Calls(builtins.exec, f"open({mark!r}, 'w').close()"),
    "open": lambda mark: _Calls(builtins.open, mark, "w"),
    "import": lambda mark: _Calls(builtins.__import__, "antigravity"),
    "getattr": lambda mark: _Calls(builtins.getattr, os.system, "__self__"),
    "partial": lambda mark: functools.partial(os.system, f"touch {mark}"),
    "partial chain": lambda mark: _Calls(
        functools.reduce, operator.call, [functools.partial(functools.partial, os.system), mark]
    ),
    "method caller": lambda mark: operator.methodcaller("system", f"touch {mark}"),
    "joblib load": lambda mark: _Calls(joblib.load, mark),
    "numpy load": lambda mark: _Calls(np.load, mark),
    "numpy object array": lambda mark: np.array([_touch(mark)], dtype=object),
    "list of a dict": lambda mark: {"model": [_touch(mark)]},
    "pickle in a pickle": lambda mark: _Calls(pickle.loads, pickle.dumps(_touch(mark))),
    "warnings, which import": lambda mark: _Calls(warnings.catch_warnings, mark),
    "state of a listed class": lambda mark: _New(FoldModel, {"fold": _touch(mark)}),
    "key of a state": lambda mark: _New(FoldModel, {_Key(mark): 1}),
    "parameter of a classifier": lambda mark: HybridLesionClassifier(threshold=_touch(mark)),
    "step of a pipeline": lambda mark: Pipeline([("model", _touch(mark))]),
}


class _Key:
    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.system, (f"touch {self.mark}",)


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize("attempt", _SHELF)
def test_hostile_payloads_run_nothing(tmp_path, attempt, protocol):
    mark = tmp_path / "mark"
    try:
        payload = pickle.dumps(_SHELF[attempt](str(mark)), protocol)
    except (TypeError, pickle.PicklingError):
        assert protocol < 2
        pytest.skip("cannot be pickled so")
    write_container(tmp_path / "m.joblib", Container({}, payload, {}))
    with pytest.raises(ArtifactError, match=r"not among the classes|never contain"):
        load_artifact(tmp_path / "m.joblib")
    read_manifest(tmp_path / "m.joblib")
    (tmp_path / "foreign.joblib").write_bytes(payload)
    for read in (load_artifact, read_manifest):
        with pytest.raises(ArtifactError, match="not a hybridlesion model file"):
            read(tmp_path / "foreign.joblib")
    assert not mark.exists()


def test_the_shelf_would_run_elsewhere(tmp_path):
    """The attempts are no duds: the standard unpickler runs them."""
    for attempt in ("os.system", "exec", "numpy object array", "key of a state"):
        mark = tmp_path / attempt.replace(" ", "_")
        pickle.loads(pickle.dumps(_SHELF[attempt](str(mark))))
        assert mark.exists()


@pytest.mark.parametrize(
    "pack", [gzip.compress, bz2.compress, lzma.compress, zlib.compress], ids=lambda f: f.__module__
)
def test_compressed_files_are_never_unpacked(tmp_path, pack):
    # As joblib would: it unpacks by the first bytes of a file, and then unpickles.
    bomb = pickle.dumps(_touch(str(tmp_path / "mark"))) + bytes(50 << 20)
    (tmp_path / "m.joblib").write_bytes(pack(bomb))
    for read in (load_artifact, read_manifest):
        with pytest.raises(ArtifactError, match="not a hybridlesion model file"):
            read(tmp_path / "m.joblib")
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize("compress", [0, 3, ("lzma", 3), ("gzip", 3)])
@pytest.mark.parametrize(
    "arrays",
    [np.arange(5), np.array([{"a": [np.arange(3)]}], dtype=object), {"model": [np.ones(3)]}],
    ids=["plain", "objects", "nested"],
)
def test_joblibs_own_arrays_are_refused(tmp_path, arrays, compress):
    # Its array wrapper unpickles object arrays by the standard unpickler.
    path = tmp_path / "arrays.joblib"
    joblib.dump(arrays, path, compress=compress)
    with pytest.raises(ArtifactError):
        loads_listed(path.read_bytes())
    with pytest.raises(ArtifactError, match="not a hybridlesion model file"):
        load_artifact(path)


def _named(module: str, name: str) -> bytes:
    """A stream that asks for one name, by the opcode that takes dots for attributes."""
    texts = b"".join(b"\x8c" + bytes([len(text)]) + text.encode() for text in (module, name))
    return b"\x80\x04" + texts + b"\x93."


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (_named("numpy", "f2py.os.system"), "not among the classes"),
        (_named("numpy", "ndarray.__init__"), "not among the classes"),
        (_named("sklearn.pipeline", "Pipeline.__init__.__globals__"), "not among the classes"),
        (_named("hybridlesion.persistence._weights", "os.system"), "not among the classes"),
        (
            _named("hybridlesion.featurizer._featurizer", "warnings.sys.modules"),
            "not among the classes",
        ),
        (_named("hybridlesion.persistence._allowlist", "importlib"), "not among the classes"),
        # Renamed: a listed name in another module, and other spellings of a module.
        (_named("hybridlesion.model.classifier", "TimmEmbedder"), "not among the classes"),
        (_named("posix", "system"), "not among the classes"),
        (_named("numpy..ndarray", ""), "not among the classes"),
        # Opcodes of protocol 0 and 1, persistent ids, registered extensions, outside buffers.
        (b"(S'touch mark'\nios\nsystem\n.", "never contain"),
        (b"(cnumpy\nndarray\nI3\no.", "never contain"),
        (b"Pmark\n.", "never contain"),
        (b"\x80\x02K\x01Q.", "never contain"),
        (b"\x80\x02\x82\x01.", "never contain"),
        (b"\x80\x02\x83\x01\x00.", "never contain"),
        (b"\x80\x02\x84\x01\x00\x00\x00.", "never contain"),
        (b"\x80\x05\x97.", "never contain"),
        (b"\x80\x02N2.", "never contain"),
        # A listed class that is only to be recreated is called as a function, or with arguments.
        (b"\x80\x02csklearn.pipeline\nPipeline\n]\x85R.", "it calls"),
        (b"\x80\x02csklearn.pipeline\nPipeline\n]\x85\x81.", "it makes an instance"),
        (b"\x80\x02cnumpy\nndarray\nK\x03\x85R.", "it calls"),
        (b"\x80\x02cnumpy\nndarray\nK\x03\x85\x81.", "it makes an instance"),
        (b"\x80\x02cnumpy._core.multiarray\nscalar\n)\x81.", "it makes an instance"),
        # What was called before is called by way of the memo, or a value is.
        (b"\x80\x02cnumpy\ndtype\nq\x000h\x00)R.", "never contain"),
        (b"\x80\x02K\x01)R.", "it calls a int"),
        (b"\x80\x02h\x07.", "cannot be restored"),
        # Attributes of the class itself, of a dict and of a mark.
        (b"\x80\x02cnumpy\nndarray\nN}X\x01\x00\x00\x00aK\x01s\x86b.", "it sets attributes"),
        (b"\x80\x02}}b.", "it sets attributes of a dict"),
        # Containers that are none.
        (b"\x80\x02cnumpy\nndarray\nK\x01a.", "as if it were a container"),
        (b"\x80\x02cnumpy\nndarray\n(K\x01e.", "as if it were a container"),
        (b"\x80\x04cnumpy\nndarray\n(K\x01\x90.", "as if it were a container"),
        (b"\x80\x02cnumpy\nndarray\nK\x01K\x02s.", "as if it were a container"),
        # Hashing a deeply nested tuple would overflow the stack of C.
        (b"\x80\x02})" + b"\x85" * 1_000_000 + b"Ns.", "as a key"),
        (b"\x80\x04\x8f()\x85\x90.", "as a key"),
        (b"\x80\x04()\x85\x91.", "as a key"),
        (b"\x80\x04.", "cannot be restored"),
        (b"\x80\x09N.", "cannot be restored"),
        (b"", "cannot be restored"),
    ],
)
def test_hand_written_streams_are_refused(payload, reason):
    with pytest.raises(ArtifactError, match=reason):
        loads_listed(payload)


def test_persistent_ids_of_a_pickler(tmp_path):
    class _Outside(pickle.Pickler):
        def persistent_id(self, value):
            return "mark" if value == "model" else None

    path = tmp_path / "m.joblib"
    with path.open("wb") as file:
        _Outside(file).dump({"format": "model"})
    with pytest.raises(ArtifactError, match="BINPERSID"):
        loads_listed(path.read_bytes())
    with pytest.raises(ArtifactError, match="not a hybridlesion model file"):
        read_manifest(path)


def test_registered_extensions(tmp_path):
    copyreg.add_extension("posix", "system", 240)
    try:
        payload = pickle.dumps(os.system, protocol=2)
    finally:
        copyreg.remove_extension("posix", "system", 240)
    with pytest.raises(ArtifactError, match="EXT1"):
        loads_listed(payload)


# Listed classes and functions, used in other ways than models use them ---------------------------


@pytest.mark.parametrize(
    "state",
    [
        {"__setstate__": 1},
        {"__class__": 1},
        {"__dict__": {}},
        {"predict_proba": 1},
        {"fit": FoldModel(0, None, None, [], [], 0)},
        {"get_params": 1},
        (None, {"fold": 1}),
        ({"fold": 1}, {"fold": 1}),
        [("fold", 1)],
        {1: 1},
        "text",
    ],
    ids=lambda state: repr(state).partition(" object at")[0],
)
def test_states_that_replace_methods_or_are_none(state):
    with pytest.raises(ArtifactError, match=r"replaces methods|but not from attributes"):
        loads_listed(pickle.dumps(_New(HybridLesionClassifier, state), protocol=5))


def test_nothing_loaded_can_be_called():
    """A listed name is a mark: it cannot stand where something is called later."""
    loaded = loads_listed(pickle.dumps({"fit": HybridLesionClassifier, "dtype": np.dtype}))
    assert [callable(value) for value in loaded.values()] == [False, False]


_O, _VOID = np.dtype("O"), ("V8", False, True)


@pytest.mark.parametrize(
    "value",
    [
        # A field of objects that the flags deny: numpy would take any bytes for a pointer.
        _Calls(np.dtype, *_VOID, state=(3, "|", None, ("a",), {"a": (_O, 0)}, 8, 1, 0)),
        _Calls(np.dtype, "f8", False, True, state=(3, "|", None, ("a",), {"a": (_O, 0)}, 8, 1, 0)),
        _Calls(np.dtype, "f8", False, True, state=(3, "<", None, None, None, 1, 1, 0)),
        _Calls(np.dtype, "O8", False, True, state=(3, "|", None, None, None, -1, -1, 0)),
        _Calls(np.dtype, "f8", False, True, state=(3, "?", None, None, None, -1, -1, 0)),
        # numpy's shared dtypes, changed for everybody.
        _Calls(np.dtype, "f8", state=(3, ">", None, None, None, -1, -1, 0)),
        _Calls(np.dtype, "f8", False, False),
        _Calls(np.dtype, "O,O", False, True),
        _Calls(np.dtype, {"names": ["a"], "formats": ["O"]}, False, True),
        _Calls(np.dtype, "S99999999999", False, True),
        # Shapes that the values do not fill, and sizes that fill the memory.
        _Calls(_reconstruct, np.ndarray, (10**12,), b"b"),
        _Calls(_reconstruct, np.ndarray, (0,), b"O"),
        _Calls(_reconstruct, list, (0,), b"b"),
        _Calls(
            _reconstruct,
            *(np.ndarray, (0,), b"b"),
            state=(1, (2**33,), np.dtype("f8"), False, b"\0" * 8),
        ),
        _Calls(_reconstruct, np.ndarray, (0,), b"b", state=(1, (3,), _O, False, [1])),
        _Calls(_reconstruct, np.ndarray, (0,), b"b", state=(1, (1,), _O, False, b"\1" * 8)),
        _Calls(_reconstruct, np.ndarray, (0,), b"b", state=(1, (-1,), _O, False, [])),
        _Calls(_reconstruct, np.ndarray, (0,), b"b", state=(1, (1,), "f8", False, b"\0" * 8)),
        _Calls(_frombuffer, b"\1" * 8, _O, (1,), "C"),
        _Calls(_frombuffer, b"\1" * 8, np.dtype("f8"), (2,), "C"),
        _Calls(_frombuffer, "text", np.dtype("f8"), (1,), "C"),
        _Calls(scalar, _O, b"\1" * 8),
        _Calls(scalar, np.dtype("f8"), b"\1"),
        # Listed makers with what they are not made for.
        _Calls(frame_from_columns, {"a": [HybridLesionClassifier()]}),
        _Calls(frame_from_columns, {"a": 10**9}),
        _Calls(pipeline_from_steps, [("model", "text")]),
        _Calls(pipeline_from_steps, []),
    ],
    ids=range(27),
)
def test_listed_callables_with_other_arguments(value):
    with pytest.raises(ArtifactError):
        loads_listed(pickle.dumps(value, protocol=5))


def test_every_callable_has_a_rule():
    assert set(CALLS) == LISTED_CALLABLES
    assert [name for name, function in CALLS.items() if function is None] == ["numpy.ndarray"]


def test_numpys_shared_dtypes_stay_as_they_are():
    swapped = loads_listed(pickle.dumps(np.arange(3, dtype=">f8"), protocol=5))
    np.testing.assert_array_equal(swapped, [0, 1, 2])
    assert np.dtype("f8").isnative


@pytest.mark.parametrize(
    "value",
    [
        np.arange(6.0).reshape(2, 3),
        np.asfortranarray(np.arange(6).reshape(2, 3)),
        np.array(["a", None], dtype=object),
        np.array(["ab", "c"]),
        np.array([b"ab", b"c"]),
        np.array(3),
        np.empty((0, 4), np.float32),
        np.float64(0.5),
        np.bool_(True),
        np.dtype("float32"),
        {"a": (1, [2.5, None, True], {3}, b"x", frozenset({1}), 10**30)},
    ],
    ids=range(11),
)
@pytest.mark.parametrize("protocol", [4, 5])
def test_values_that_models_are_made_of_pass(value, protocol):
    loaded = loads_listed(pickle.dumps(value, protocol=protocol))
    np.testing.assert_equal(loaded, value)
    if isinstance(value, (np.ndarray, np.generic)):
        assert loaded.dtype == value.dtype


# Files that would fill the memory -----------------------------------------------------------------

_HUGE = (2**40).to_bytes(8, "little")
_BOMBS = {
    "memo": b"\x80\x02N" + b"r" + (400_000_000).to_bytes(4, "little") + b".",
    "bytes": b"\x80\x04\x8e" + _HUGE + b"a.",
    "text": b"\x80\x04\x8d" + _HUGE + b"a.",
    "bytearray": b"\x80\x05\x96" + _HUGE + b"a.",
    "frame": b"\x80\x04\x95" + _HUGE + b"N.",
    "int": b"\x80\x02\x8b" + (2**31 - 1).to_bytes(4, "little") + b"\x01.",
    "marks": b"\x80\x02" + b"(" * 3_000_000 + b".",
    "laughs": b"\x80\x02]q\x00" + b"".join(
        b"](" + b"h" + bytes([n]) + (b"h" + bytes([n])) * 9 + b"eq" + bytes([n + 1])
        for n in range(30)
    ) + b")R.",
}  # fmt: skip

_MEASURED = """
import resource, sys
from hybridlesion.persistence import read_manifest
from hybridlesion.persistence._allowlist import loads_listed
from hybridlesion.exceptions import ArtifactError
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for path in sys.argv[1:]:
    for read in (read_manifest, lambda path: loads_listed(open(path, "rb").read())):
        try:
            read(path)
        except ArtifactError as error:
            assert len(str(error)) < 1000, path
        else:
            raise SystemExit(f"{path} was loaded")
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(grown // 1024)
"""


def test_small_files_take_little_memory(tmp_path):
    for name, data in _BOMBS.items():
        (tmp_path / name).write_bytes(data)
    paths = [str(tmp_path / name) for name in _BOMBS]
    command = [sys.executable, "-c", _MEASURED, *paths]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout) < 300, "megabytes"
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 4 << 20


def test_a_manifest_that_unfolds_without_end(tmp_path, saved, read_content):
    laughs: list = ["ha" * 1000]
    for _ in range(12):
        laughs = [laughs] * 10
    content = read_content(saved) | {"manifest": {"training": laughs}}
    joblib.dump(content, saved)
    with pytest.raises(ArtifactError, match="its manifest is too large"):
        read_manifest(saved)
    loop: list = []
    loop.append(loop)
    joblib.dump(content | {"manifest": {"training": loop}}, saved)
    with pytest.raises(ArtifactError, match="its manifest is too large"):
        read_manifest(saved)
