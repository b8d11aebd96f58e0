"""Pickling in a form that does not depend on how other libraries store their objects."""

from __future__ import annotations

import copyreg
import io
import pickle
import re
from typing import TYPE_CHECKING

import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from hybridlesion.exceptions import ArtifactError

if TYPE_CHECKING:
    from lightgbm import Booster

__all__ = [
    "booster_from_text",
    "checked_text",
    "dumps_model",
    "frame_from_columns",
    "pipeline_from_steps",
]

_MOST_LEAVES = 8192  # LightGBM walks trees by recursion
_MOST_COLUMNS = 1_000_000

_NODES = ["split_feature", "split_gain", "threshold", "decision_type", "left_child", "right_child"]
_INNER = ["internal_value", "internal_weight", "internal_count"]
_LEAVES = ["leaf_value", "leaf_weight", "leaf_count"]

_NUMBER = re.compile(r"-?(\d+(\.\d*)?([eE][+-]?\d+)?|inf|nan)", re.ASCII)
_OBJECTIVE = re.compile(r"binary sigmoid:\d+(\.\d+)?", re.ASCII)


def booster_from_text(text: str) -> Booster:
    """Make a booster of its text.

    Parameters
    ----------
    text : str
        What ``Booster.model_to_string`` or `checked_text` gave.

    Returns
    -------
    lightgbm.Booster
        Ready to score.

    Raises
    ------
    ArtifactError
        If the text is no boosted model of two classes, or a tree in it is no tree.
    """
    checked = checked_text(text)
    import lightgbm

    try:
        return lightgbm.Booster(model_str=checked)
    except lightgbm.basic.LightGBMError as error:
        raise ArtifactError(f"this LightGBM cannot read the boosted trees: {error}") from error


def checked_text(text: str) -> str:
    """Check the text of a booster, and write it anew with what scores need.

    Parameters
    ----------
    text : str
        What ``Booster.model_to_string`` gave, of any LightGBM since version 3.

    Returns
    -------
    str
        Header and trees, without parameters, importances and sizes.

    Raises
    ------
    ArtifactError
        If it holds other than numeric splits of two classes, or a tree that is none.
    """
    if type(text) is not str:
        _refuse("they are no text")
    head, *blocks = re.split(r"^Tree=\d+\n", text.partition("\nend of trees")[0], flags=re.M)
    header = _read_lines(head)
    version, objective = header.get("version", ""), header.get("objective", "")
    if not re.fullmatch(r"v\d", version) or not _OBJECTIVE.fullmatch(objective):
        _refuse(f"version {version[:20]!r} and objective {objective[:40]!r} are none of ours")
    if any(header.get(name) != "1" for name in ("num_class", "num_tree_per_iteration")):
        _refuse("they score more than two classes")
    n_columns = _whole(header, "max_feature_idx", _MOST_COLUMNS) + 1
    lines = [
        "tree",
        f"version={version}",
        "num_class=1",
        "num_tree_per_iteration=1",
        "label_index=0",
        f"max_feature_idx={n_columns - 1}",
        f"objective={objective}",
        "feature_names=" + " ".join(f"Column_{number}" for number in range(n_columns)),
        "feature_infos=" + " ".join(["none"] * n_columns),
        "",
    ]
    for number, block in enumerate(blocks):
        lines += [f"Tree={number}", *_checked_tree(_read_lines(block), n_columns), "", ""]
    return "\n".join([*lines, "end of trees", ""])


def _checked_tree(tree: dict[str, str], n_columns: int) -> list[str]:
    n_leaves = _whole(tree, "num_leaves", _MOST_LEAVES)
    if n_leaves < 1 or tree.get("num_cat") != "0" or tree.get("is_linear", "0") != "0":
        _refuse("a tree has no leaves, splits by category or is linear")
    lengths = dict.fromkeys([*_NODES, *_INNER], n_leaves - 1) | dict.fromkeys(_LEAVES, n_leaves)
    lines = [f"num_leaves={n_leaves}", "num_cat=0"]
    for name, length in lengths.items():
        values = tree.get(name, "").split()
        # A tree of one leaf says only its value.
        short = n_leaves == 1 and name in ("leaf_weight", "leaf_count")
        if len(values) != length and not short:
            _refuse(f"a tree of {n_leaves} leaves has {len(values)} values of {name}")
        if not all(map(_NUMBER.fullmatch, values)):
            _refuse(f"{name} of a tree is not made of numbers")
        lines.append(f"{name}={' '.join(values)}")
    _check_splits(tree, n_leaves, n_columns)
    shrinkage = tree.get("shrinkage", "1")
    if not _NUMBER.fullmatch(shrinkage):
        _refuse("the shrinkage of a tree is no number")
    return [*lines, "is_linear=0", f"shrinkage={shrinkage}"]


def _check_splits(tree: dict[str, str], n_leaves: int, n_columns: int) -> None:
    """Every node but the root is the child of exactly one earlier node, every leaf of one."""
    left, right, columns, kinds = (
        _whole_numbers(tree, name)
        for name in ("left_child", "right_child", "split_feature", "decision_type")
    )
    if any(not 0 <= column < n_columns for column in columns):
        _refuse("a tree splits by a column that there is not")
    if any(not 0 <= kind < 16 or kind & 1 for kind in kinds):
        _refuse("a tree splits in an unknown way")
    pairs = zip(left, right, strict=True)
    if any(0 <= child <= node for node, pair in enumerate(pairs) for child in pair):
        _refuse("a tree runs in a circle")
    if n_leaves > 1 and sorted([*left, *right]) != [*range(-n_leaves, 0), *range(1, n_leaves - 1)]:
        _refuse("a tree points to a node or leaf that it has not, or has twice")


def _read_lines(text: str) -> dict[str, str]:
    values: dict[str, str] = {}
    for line in text.split("\n"):
        name, mark, value = line.partition("=")
        if not mark:
            continue
        if name in values:
            _refuse(f"{name[:40]!r} is said twice")
        values[name] = value
    return values


def _whole(values: dict[str, str], name: str, largest: int) -> int:
    text = values.get(name, "")
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII) or int(text) > largest:
        _refuse(f"{name} is {text[:20]!r}")
    return int(text)


def _whole_numbers(tree: dict[str, str], name: str) -> list[int]:
    values = tree.get(name, "").split()
    if not all(re.fullmatch(r"-?\d{1,9}", value, re.ASCII) for value in values):
        _refuse(f"{name} of a tree is not made of whole numbers")
    return [int(value) for value in values]


def _refuse(reason: str) -> None:
    raise ArtifactError(f"the boosted trees in the model cannot be trusted: {reason}.")


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
