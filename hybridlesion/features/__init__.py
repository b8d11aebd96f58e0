"""Handcrafted features of the ABCD rule: image and mask in, about 200 named floats out."""

from __future__ import annotations

from hybridlesion.features._abcd import abcd
from hybridlesion.features._feature import FAMILIES, INVARIANCES, Feature
from hybridlesion.features._listing import catalogue_table, catalogue_text
from hybridlesion.features.catalogue import FEATURES, feature_names
from hybridlesion.features.palette import COLORS, DEFAULT_PALETTE, Palette

__all__ = [
    "COLORS",
    "DEFAULT_PALETTE",
    "FAMILIES",
    "FEATURES",
    "INVARIANCES",
    "Feature",
    "Palette",
    "abcd",
    "catalogue_table",
    "catalogue_text",
    "feature_names",
]
