"""Which rows belong together, and folds that never part them."""

from hybridlesion.splits._folds import (
    grouped_folds,
    repeated_grouped_folds,
    train_validation_test,
)
from hybridlesion.splits._grouping import GROUP_COLUMNS, connected_groups, grouping
from hybridlesion.splits._reading import parted, read_splits
from hybridlesion.splits._saved import Splits, write_splits

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
