"""The featurizer over many records: shards, processes, resume, and a list of what failed."""

from hybridlesion.batch._dask import DaskRunner
from hybridlesion.batch._executors import TIME_LIMIT, JoblibRunner, ProcessRunner, Runner
from hybridlesion.batch._extract import extract_features
from hybridlesion.batch._masks import segment_images
from hybridlesion.batch._output import (
    ExtractionResult,
    check_beside,
    check_errors,
    check_mask_folder,
    check_originals,
    check_output,
    errors_path,
    write_errors,
)
from hybridlesion.batch._shard_files import FeatureTable, read_feature_table, read_features
from hybridlesion.batch._workers import count_jobs, map_unordered

__all__ = [
    "TIME_LIMIT",
    "DaskRunner",
    "ExtractionResult",
    "FeatureTable",
    "JoblibRunner",
    "ProcessRunner",
    "Runner",
    "check_beside",
    "check_errors",
    "check_mask_folder",
    "check_originals",
    "check_output",
    "count_jobs",
    "errors_path",
    "extract_features",
    "map_unordered",
    "read_feature_table",
    "read_features",
    "segment_images",
    "write_errors",
]
