"""Grouping of rows, and folds that keep groups whole."""

from hybridlesion.model_selection._folds import (
    GROUP_COLUMNS,
    connected_groups,
    grouped_folds,
    grouping,
    repeated_grouped_folds,
    train_validation_test,
)
from hybridlesion.model_selection._saved import Splits, parted, read_splits, write_splits

__all__ = [
    "GROUP_COLUMNS",
    "Splits",
    "connected_groups",
    "grouped_folds",
    "grouping",
    "parted",
    "read_splits",
    "repeated_grouped_folds",
    "train_validation_test",
    "write_splits",
]
