"""Every feature in one tuple: the schema of the ``abcd__`` columns."""

from __future__ import annotations

from hybridlesion.features import (
    asymmetry,
    border,
    color,
    cutoff,
    dimension,
    pigment_edge,
    scores,
    skin,
    structure,
    texture,
    total_body,
)
from hybridlesion.features._feature import Feature

__all__ = ["FEATURES", "feature_names"]

FEATURES: tuple[Feature, ...] = (
    *asymmetry.CATALOGUE,
    *border.CATALOGUE,
    *cutoff.CATALOGUE,
    *pigment_edge.CATALOGUE,
    *color.CATALOGUE,
    *dimension.CATALOGUE,
    *structure.CATALOGUE,
    *texture.CATALOGUE,
    *skin.CATALOGUE,
    *total_body.CATALOGUE,
    *scores.CATALOGUE,
)
"""One row for each column that `abcd` returns, in the same order."""


def feature_names() -> list[str]:
    """Name the columns of `abcd` in order.

    Returns
    -------
    list of str
        All start with ``abcd__``.

    Examples
    --------
    >>> from hybridlesion.features import feature_names
    >>> feature_names()[0]
    'abcd__asymmetry_shape_major'
    """
    return [feature.name for feature in FEATURES]
