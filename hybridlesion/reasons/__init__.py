"""Why a lesion got its score: what each measurement adds, as numbers and in words."""

from hybridlesion.reasons._cnn_map import CnnMap, cnn_map
from hybridlesion.reasons._columns import SHARE_PREFIX, reason_columns
from hybridlesion.reasons._explain import explain_scores
from hybridlesion.reasons._families import FAMILY_TITLES, family_of, family_shares
from hybridlesion.reasons._labels import column_label
from hybridlesion.reasons._values import points_words, rank_words, value_words
from hybridlesion.reasons._words import reason_words

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
