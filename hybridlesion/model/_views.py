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
        One of all columns; where some of them are ``ctx__`` columns, one without them besides, for
        lesions that come alone.

    Notes
    -----
    A member that learned from patients with several lesions has never seen what a missing context
    means, and LightGBM would read it as a zero. So lone lesions have members of their own.

    Examples
    --------
    >>> [view.name for view in plan_views(["cnn__score", "ctx__cnn_score_excess"])]
    ['in company', 'alone']
    """
    family = np.array([name.partition("__")[0] for name in names], dtype=object)
    embedding = np.flatnonzero(family == "emb")
    context = family == "ctx"
    dense = np.flatnonzero(family != "emb")
    alone = View("alone", np.flatnonzero((family != "emb") & ~context), embedding, False)
    if not context.any():
        return [alone]
    if not len(alone.dense) + len(embedding):
        return [View("alone", dense, embedding, False)]
    return [View("in company", dense, embedding, True), alone]
