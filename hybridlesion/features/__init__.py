"""ABCD features: about 200 named measurements of an image and a lesion mask."""

from __future__ import annotations

from hybridlesion.features._abcd import (
    FAMILIES,
    FEATURES,
    INVARIANCES,
    Feature,
    abcd,
    catalogue_page,
    catalogue_table,
    catalogue_text,
    feature_names,
)
from hybridlesion.features._context import LesionContext, cut_out
from hybridlesion.features.color import COLORS, DEFAULT_PALETTE, Palette

__all__ = [
    "COLORS",
    "DEFAULT_PALETTE",
    "FAMILIES",
    "FEATURES",
    "INVARIANCES",
    "Feature",
    "LesionContext",
    "Palette",
    "abcd",
    "catalogue_page",
    "catalogue_table",
    "catalogue_text",
    "cut_out",
    "feature_names",
]
