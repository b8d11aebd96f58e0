"""Which columns each group of members looks at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["View", "plan_views"]


@dataclass(frozen=True)
class View:
    """Columns of the encoded matrix that some members learn from.

    Parameters
    ----------
    name : str
        What is looked at.
    dense : ndarray of shape (columns,), int
        Positions of all columns but the embedding's.
    embedding : ndarray of shape (d,), int
        Positions of the embedding's columns.
    company : bool
        Whether it looks at the patient's other lesions; such a view scores only rows that come
        with some, and rows that do are scored by such views only.
    """

    name: str
    dense: np.ndarray
    embedding: np.ndarray
    company: bool


def plan_views(names: Sequence[str]) -> list[View]:
    """Choose the views of a table.

    Parameters
    ----------
    names : sequence of str
        Encoded column names; those of a plain matrix are empty.

    Returns
    -------
    list of View
        One of all columns; where a table has handcrafted columns and such of a network, one of
        either beside the metadata instead; where it has ``ctx__`` columns, the same once more
        without them, for lesions that come alone.

    Notes
    -----
    Two hundred handcrafted columns beside one score of a network drown it: trees split on whatever
    fits the few malignant lesions at hand. Members that see one family each, and whose logits are
    averaged, score higher (`benchmarks/accuracy.py`).

    A member that learned from patients with several lesions has never seen what a missing context
    means, and LightGBM would read it as a zero. So lone lesions have members of their own.

    Examples
    --------
    >>> [view.name for view in plan_views(["cnn__score", "ctx__cnn_score_excess"])]
    ['all', 'all, alone']
    >>> [view.name for view in plan_views(["abcd__tds", "cnn__score", "meta__age"])]
    ['handcrafted', 'network']
    """
    origin = np.array([_origin(name) for name in names], dtype=object)
    context = np.array([name.startswith("ctx__") for name in names])
    wide = np.array([name.startswith("emb__") for name in names])
    both = {"handcrafted", "network"} <= set(origin[~context])
    parts = ("handcrafted", "network") if both else ("all",)
    settings = [False] if context.all() or not context.any() else [True, False]
    views = []
    for company in settings:
        for part in parts:
            seen = (origin == part) | (origin == "other") if both else np.ones_like(wide)
            if not company and not context.all():
                seen = seen & ~context
            name = part if company == settings[0] else f"{part}, alone"
            dense, embedding = np.flatnonzero(seen & ~wide), np.flatnonzero(seen & wide)
            views.append(View(name, dense, embedding, company))
    return views


def _origin(name: str) -> str:
    """Tell whether a column, or what it compares, was measured by hand or by a network."""
    bare = name.removeprefix("ctx__")
    if bare.startswith(("abcd_",)):
        return "handcrafted"
    return "network" if bare.startswith(("cnn_", "emb_", "embedding_")) else "other"
