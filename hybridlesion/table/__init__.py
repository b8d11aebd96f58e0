"""Records in, feature table out: the one place where the column families come together."""

from hybridlesion.table._columns import check_records, column_kinds, is_feature, read_frame
from hybridlesion.table._encoding import encode_metadata, metadata_columns
from hybridlesion.table._featurizer import FINETUNED, LesionFeaturizer
from hybridlesion.table._segmented import BLOCK, Failure, attempt, read_segmented

__all__ = [
    "BLOCK",
    "FINETUNED",
    "Failure",
    "LesionFeaturizer",
    "attempt",
    "check_records",
    "column_kinds",
    "encode_metadata",
    "is_feature",
    "metadata_columns",
    "read_frame",
    "read_segmented",
]
