"""Feature table of records: image features, network scores and encoded metadata."""

from hybridlesion.featurizer._featurizer import (
    FEATURE_VERSION,
    FINETUNED,
    FINETUNED_EMBEDDERS,
    LesionFeaturizer,
)
from hybridlesion.featurizer._measuring import (
    BLOCK,
    COLOR_CONSTANCY,
    Failure,
    attempt,
    check_measurable,
    check_records,
    column_kinds,
    encode_metadata,
    is_feature,
    metadata_columns,
    read_frame,
    read_segmented,
)

__all__ = [
    "BLOCK",
    "COLOR_CONSTANCY",
    "FEATURE_VERSION",
    "FINETUNED",
    "FINETUNED_EMBEDDERS",
    "Failure",
    "LesionFeaturizer",
    "attempt",
    "check_measurable",
    "check_records",
    "column_kinds",
    "encode_metadata",
    "is_feature",
    "metadata_columns",
    "read_frame",
    "read_segmented",
]
