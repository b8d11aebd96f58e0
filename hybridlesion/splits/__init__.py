"""Which rows belong together, and folds that never part them."""

from hybridlesion.splits._folds import grouped_folds, train_validation_test
from hybridlesion.splits._grouping import GROUP_COLUMNS, connected_groups, grouping

__all__ = [
    "GROUP_COLUMNS",
    "connected_groups",
    "grouped_folds",
    "grouping",
    "train_validation_test",
]
