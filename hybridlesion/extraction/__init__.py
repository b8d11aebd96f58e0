"""The featurizer over many records: shards, processes, resume, and a list of what failed."""

from hybridlesion.extraction._features import extract_features, read_features
from hybridlesion.extraction._masks import segment_images
from hybridlesion.extraction._outcome import ExtractionResult, errors_path

__all__ = [
    "ExtractionResult",
    "errors_path",
    "extract_features",
    "read_features",
    "segment_images",
]
