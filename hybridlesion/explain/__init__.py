"""Explanations of scores: contributions of the columns, as numbers and in words."""

from hybridlesion.cnn.attribution import CnnMap, cnn_map
from hybridlesion.explain._text import (
    FAMILY_TITLES,
    SHARE_PREFIX,
    column_label,
    explain_scores,
    family_of,
    family_shares,
    points_words,
    rank_words,
    reason_columns,
    reason_words,
    value_words,
)

__all__ = [
    "FAMILY_TITLES",
    "SHARE_PREFIX",
    "CnnMap",
    "cnn_map",
    "column_label",
    "explain_scores",
    "family_of",
    "family_shares",
    "points_words",
    "rank_words",
    "reason_columns",
    "reason_words",
    "value_words",
]
