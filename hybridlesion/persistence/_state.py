"""Represent the parts of a model as plain values, and restore them after checks."""

from __future__ import annotations

import copyreg
import io
import math
import pickle
import re
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from hybridlesion.exceptions import ArtifactError

if TYPE_CHECKING:
    from lightgbm import Booster

# Attribute that scikit-learn stores for the next fit; it refers to a dozen private classes.
_METADATA_REQUEST = "_metadata_request"


def dumps_model(model: object) -> bytes:
    """Pickle a model, with tables, boosters and pipelines converted to plain values.

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


class _ModelPickler(pickle.Pickler):
    # The default pickle of a DataFrame refers to a dozen internals of pandas and pyarrow, and those
    # of a Booster or Pipeline contain private attributes: all of them change between versions.
    def reducer_override(self, value: Any) -> Any:
        kind = type(value)
        if kind is pd.DataFrame:
            return frame_from_columns, ({str(name): value[name].to_list() for name in value},)
        if kind is Pipeline:
            return pipeline_from_steps, ([(name, step) for name, step in value.steps],)
        if (kind.__module__, kind.__qualname__) == ("lightgbm.basic", "Booster"):
            return booster_from_text, (checked_text(value.model_to_string(num_iteration=-1)),)
        if isinstance(value, BaseEstimator) and _METADATA_REQUEST in vars(value):
            state = {name: kept for name, kept in vars(value).items() if name != _METADATA_REQUEST}
            return copyreg.__newobj__, (kind,), state  # type: ignore[attr-defined]
        return NotImplemented


@dataclass(frozen=True)
class Name:
    """Inert placeholder for a listed class or function, which the payload cannot call.

    Parameters
    ----------
    address : str
        Module and name, joined by a dot.
    """

    address: str


# Tables, pipelines and dicts ---------------------------------------------------------------------


def frame_from_columns(columns: dict[str, list]) -> pd.DataFrame:
    """Restore a table.

    Parameters
    ----------
    columns : dict of str to list
        Values by column name.

    Returns
    -------
    DataFrame
        Table with rows numbered from 0.

    Raises
    ------
    ArtifactError
        If a column is anything but a list of plain values.
    """
    cells = (str, int, float, bool, type(None))
    if type(columns) is not dict or not all(
        type(name) is str and type(values) is list and all(type(v) in cells for v in values)
        for name, values in columns.items()
    ):
        raise ArtifactError("it fills a table with more than plain columns")
    return pd.DataFrame(columns)


def pipeline_from_steps(steps: list[tuple[str, BaseEstimator]]) -> Pipeline:
    """Restore a pipeline, without its cache location.

    Parameters
    ----------
    steps : list of (str, estimator)
        Names and steps.

    Returns
    -------
    Pipeline
        Pipeline of the steps.

    Raises
    ------
    ArtifactError
        If a step is not an estimator, or `steps` is empty.
    """
    if type(steps) is not list or not steps or not all(map(_is_step, steps)):
        raise ArtifactError("it fills a pipeline with more than estimators")
    return Pipeline(steps)


def _is_step(pair: Any) -> bool:
    plain = type(pair) is tuple and len(pair) == 2 and type(pair[0]) is str
    return plain and isinstance(pair[1], BaseEstimator)


def _default_dict(factory: object) -> defaultdict:
    if factory != Name("collections.OrderedDict"):  # how LightGBM once stored its best scores
        raise ArtifactError("it makes a dict that calls something")
    return defaultdict(OrderedDict)


# Arrays, since numpy trusts any dtype and shape --------------------------------------------------

# Booleans, integers, floats, text and bytes of fixed length, and objects.
_DTYPES = re.compile(r"b1|[iu][1248]|f[248]|[US]\d{1,5}|O8?")


def _dtype(code: str, align: bool = False, copy: bool = False) -> np.dtype:
    """Create a dtype as a copy, since a payload could change numpy's shared instance."""
    if (align, copy) != (False, True) or type(code) is not str or not _DTYPES.fullmatch(code):
        raise ArtifactError("it holds an array of a type that models do not have")
    return np.dtype(code, False, True)


def set_byte_order(dtype: Any, state: Any) -> None:
    """Set the byte order of a dtype.

    Parameters
    ----------
    dtype : numpy.dtype
        Dtype created from the payload.
    state : object
        State of the dtype in the payload.

    Raises
    ------
    ArtifactError
        If the state changes more than the byte order.
    """
    expected = dtype.__reduce__()[2]
    plain = type(state) is tuple and all(type(part) in (int, str, type(None)) for part in state)
    alike = plain and (state[:1], state[2:]) == (expected[:1], expected[2:])
    if not alike or state[1] not in ("<", ">", "=", "|"):
        raise ArtifactError("it holds an array whose dtype contradicts itself")
    dtype.__setstate__(state)


def _empty_array(kind: object, shape: object, code: object) -> np.ndarray:
    if (kind, shape, code) != (Name("numpy.ndarray"), (0,), b"b"):
        raise ArtifactError("it makes an array in an unusual way")
    return np.empty(0, np.int8)


def fill_array(array: np.ndarray, state: Any) -> None:
    """Set the shape, dtype and values of an empty array.

    Parameters
    ----------
    array : ndarray
        Empty array created from the payload.
    state : object
        Version, shape, dtype, whether the array is in Fortran order, and the bytes or objects.

    Raises
    ------
    ArtifactError
        If the number of values does not match the shape.
    """
    if type(state) is not tuple or len(state) != 5 or type(state[3]) is not bool or state[0] != 1:
        raise ArtifactError("it holds an array of an unknown form")
    _check_values(state[1], state[2], state[4])
    array.__setstate__(state)


def _array_from_buffer(buffer: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray:
    if order not in ("C", "F") or not isinstance(buffer, (bytes, bytearray)):
        raise ArtifactError("it holds an array of an unknown form")
    _check_values(shape, dtype, buffer)
    return np.frombuffer(buffer, dtype=dtype).reshape(shape, order=order)


def _scalar(dtype: Any, value: Any) -> np.generic:
    return _array_from_buffer(value, dtype, (1,), "C")[0]


def _check_values(shape: Any, dtype: Any, values: Any) -> None:
    counts = type(shape) is tuple and all(type(n) is int and 0 <= n < 2**40 for n in shape)
    if not counts or len(shape) > 8 or not isinstance(dtype, np.dtype):
        raise ArtifactError("it holds an array of an unknown form")
    objects = dtype.kind == "O"
    kinds = (list,) if objects else (bytes, bytearray)
    expected = math.prod(shape) * (1 if objects else dtype.itemsize)
    if type(values) not in kinds or len(values) != expected:
        raise ArtifactError("it holds an array with more or fewer values than its shape says")


# Boosted trees as text, since LightGBM follows child indices unchecked ---------------------------

_MAX_LEAVES = 8192  # LightGBM walks trees by recursion
_MAX_COLUMNS = 1_000_000

_NODES = ["split_feature", "split_gain", "threshold", "decision_type", "left_child", "right_child"]
_INNER = ["internal_value", "internal_weight", "internal_count"]
_PER_CLASS = ["num_class", "num_tree_per_iteration"]
_LEAVES = ["leaf_value", "leaf_weight", "leaf_count"]

_NUMBER = re.compile(r"-?(\d+(\.\d*)?([eE][+-]?\d+)?|inf|nan)", re.ASCII)
_OBJECTIVE = re.compile(r"binary sigmoid:\d+(\.\d+)?|multiclass num_class:\d+", re.ASCII)
_MAX_CLASSES = 64


def booster_from_text(text: str) -> Booster:
    """Restore a booster.

    Parameters
    ----------
    text : str
        Text from ``Booster.model_to_string`` or `checked_text`.

    Returns
    -------
    lightgbm.Booster
        Booster that is ready to predict.

    Raises
    ------
    ArtifactError
        If the text does not describe the boosted trees of a classifier.
    """
    checked = checked_text(text)
    import lightgbm

    try:
        return lightgbm.Booster(model_str=checked)
    except lightgbm.basic.LightGBMError as error:
        raise ArtifactError(f"this LightGBM cannot read the boosted trees: {error}") from error


def checked_text(text: str) -> str:
    """Check the text of a booster and reduce it to the parts needed for prediction.

    Parameters
    ----------
    text : str
        Text from ``Booster.model_to_string`` of LightGBM 3 or later.

    Returns
    -------
    str
        Header and trees, without parameters, importances and sizes.

    Raises
    ------
    ArtifactError
        If the text is not that of a classifier with numeric splits, or a tree is malformed.
    """
    _check_trees(type(text) is str, "they are not text")
    head, *blocks = re.split(r"^Tree=\d+\n", text.partition("\nend of trees")[0], flags=re.M)
    header = _read_lines(head)
    version, objective = header.get("version", ""), header.get("objective", "")
    # Trees grown with a custom loss, such as the focal loss, have no objective.
    known = re.fullmatch(r"v\d", version) and (not objective or _OBJECTIVE.fullmatch(objective))
    _check_trees(known, f"unknown version {version[:20]!r} or objective {objective[:40]!r}")
    n_classes = int(objective.partition("num_class:")[2] or 1)
    per_class = [_whole(header, name, _MAX_CLASSES) for name in _PER_CLASS]
    fits = n_classes and per_class == [n_classes, n_classes] and len(blocks) % n_classes == 0
    _check_trees(fits, "their number does not fit the number of classes")
    n_columns = _whole(header, "max_feature_idx", _MAX_COLUMNS) + 1
    lines = [
        "tree",
        f"version={version}",
        *(f"{name}={n_classes}" for name in _PER_CLASS),
        "label_index=0",
        f"max_feature_idx={n_columns - 1}",
        *([f"objective={objective}"] if objective else []),
        "feature_names=" + " ".join(f"Column_{number}" for number in range(n_columns)),
        "feature_infos=" + " ".join(["none"] * n_columns),
        "",
    ]
    for number, block in enumerate(blocks):
        lines += [f"Tree={number}", *_checked_tree(_read_lines(block), n_columns), "", ""]
    return "\n".join([*lines, "end of trees", ""])


def _checked_tree(tree: dict[str, str], n_columns: int) -> list[str]:
    n_leaves = _whole(tree, "num_leaves", _MAX_LEAVES)
    plain = tree.get("num_cat") == "0" and tree.get("is_linear", "0") == "0"
    _check_trees(n_leaves and plain, "a tree has no leaves, splits by category or is linear")
    lengths = dict.fromkeys([*_NODES, *_INNER], n_leaves - 1) | dict.fromkeys(_LEAVES, n_leaves)
    lines = [f"num_leaves={n_leaves}", "num_cat=0"]
    for name, length in lengths.items():
        values = tree.get(name, "").split()
        # A tree with a single leaf has only the leaf value.
        full = len(values) == length or (n_leaves == 1 and name in ("leaf_weight", "leaf_count"))
        _check_trees(full, f"a tree of {n_leaves} leaves has {len(values)} values of {name}")
        numeric = all(map(_NUMBER.fullmatch, values))
        _check_trees(numeric, f"{name} of a tree is not made of numbers")
        lines.append(f"{name}={' '.join(values)}")
    _check_splits(tree, n_leaves, n_columns)
    shrinkage = tree.get("shrinkage", "1")
    _check_trees(_NUMBER.fullmatch(shrinkage), "the shrinkage of a tree is not a number")
    return [*lines, "is_linear=0", f"shrinkage={shrinkage}"]


def _check_splits(tree: dict[str, str], n_leaves: int, n_columns: int) -> None:
    """Check that each node but the root has one earlier parent, and each leaf one parent."""
    left, right, columns, kinds = (
        _whole_numbers(tree, name)
        for name in ("left_child", "right_child", "split_feature", "decision_type")
    )
    known = all(0 <= column < n_columns for column in columns)
    _check_trees(known, "a tree splits by a column that does not exist")
    known = all(0 <= kind < 16 and not kind & 1 for kind in kinds)
    _check_trees(known, "a tree splits in an unknown way")
    pairs = enumerate(zip(left, right, strict=True))
    ordered = all(child < 0 or child > node for node, pair in pairs for child in pair)
    _check_trees(ordered, "a tree contains a cycle")
    children = [*range(-n_leaves, 0), *range(1, n_leaves - 1)] if n_leaves > 1 else []
    complete = sorted([*left, *right]) == children
    _check_trees(complete, "a tree points to a missing node or leaf, or to one twice")


def _read_lines(text: str) -> dict[str, str]:
    pairs = [line.split("=", 1) for line in text.split("\n") if "=" in line]
    values = dict(pairs)
    _check_trees(len(values) == len(pairs), "a name occurs twice")
    return values


def _whole(values: dict[str, str], name: str, largest: int) -> int:
    text = values.get(name, "")
    whole = re.fullmatch(r"\d{1,9}", text, re.ASCII)
    _check_trees(whole and int(text) <= largest, f"{name} is {text[:20]!r}")
    return int(text)


def _whole_numbers(tree: dict[str, str], name: str) -> list[int]:
    values = tree.get(name, "").split()
    whole = all(re.fullmatch(r"-?\d{1,9}", value, re.ASCII) for value in values)
    _check_trees(whole, f"{name} of a tree is not made of whole numbers")
    return list(map(int, values))


def _check_trees(valid: object, fault: str) -> None:
    """Raise an error with this fault unless the trees are valid."""
    if not valid:
        raise ArtifactError(f"the boosted trees in the model cannot be trusted: {fault}.")


# Function that replaces each callable that may occur in a payload.
CALLS: dict[str, Callable | None] = {
    "collections.OrderedDict": lambda: OrderedDict(),
    "collections.defaultdict": _default_dict,
    "hybridlesion.persistence._state.booster_from_text": booster_from_text,
    "hybridlesion.persistence._state.frame_from_columns": frame_from_columns,
    "hybridlesion.persistence._state.pipeline_from_steps": pipeline_from_steps,
    "numpy._core.multiarray._reconstruct": _empty_array,
    "numpy._core.multiarray.scalar": _scalar,
    "numpy._core.numeric._frombuffer": _array_from_buffer,
    "numpy.dtype": _dtype,
    "numpy.ndarray": None,  # an argument of _reconstruct
}
