"""The featurizer over many records: shards, processes, resume, and a list of what failed."""

from hybridlesion.extraction._dask import DaskRunner
from hybridlesion.extraction._feature_table import (
    FeatureTable,
    read_feature_table,
    read_features,
)
from hybridlesion.extraction._features import extract_features
from hybridlesion.extraction._masks import segment_images
from hybridlesion.extraction._outcome import ExtractionResult, errors_path, write_errors
from hybridlesion.extraction._processes import count_jobs, map_unordered
from hybridlesion.extraction._runners import TIME_LIMIT, JoblibRunner, ProcessRunner, Runner

__all__ = [
    "TIME_LIMIT",
    "DaskRunner",
    "ExtractionResult",
    "FeatureTable",
    "JoblibRunner",
    "ProcessRunner",
    "Runner",
    "count_jobs",
    "errors_path",
    "extract_features",
    "map_unordered",
    "read_feature_table",
    "read_features",
    "segment_images",
    "write_errors",
]
