"""Work on many images: shards, worker processes, Dask, resuming, and lists of failures."""

from hybridlesion._former_names import look_up
from hybridlesion.batch._check import DataCheck, check_data, describe_columns
from hybridlesion.batch._feature_table import (
    FeatureTable,
    extract_features,
    read_feature_table,
    read_features,
)
from hybridlesion.batch._masks import segment_images
from hybridlesion.batch._measure import FeatureResult, describe_featurizer, measure
from hybridlesion.batch._output import (
    ExtractionResult,
    Output,
    check_errors,
    check_mask_folder,
    check_originals,
    check_output,
    check_side_table,
    check_usable,
    count_errors,
    errors_path,
    locked,
    write_errors,
)
from hybridlesion.batch._runners import DaskRunner, ProcessRunner, Runner, RunOptions
from hybridlesion.batch._workers import TIME_LIMIT, count_jobs, map_images, map_unordered

__all__ = [
    "TIME_LIMIT",
    "DaskRunner",
    "DataCheck",
    "ExtractionResult",
    "FeatureResult",
    "FeatureTable",
    "Output",
    "ProcessRunner",
    "RunOptions",
    "Runner",
    "check_data",
    "check_errors",
    "check_mask_folder",
    "check_originals",
    "check_output",
    "check_side_table",
    "check_usable",
    "count_errors",
    "count_jobs",
    "describe_columns",
    "describe_featurizer",
    "errors_path",
    "extract_features",
    "locked",
    "map_images",
    "map_unordered",
    "measure",
    "read_feature_table",
    "read_features",
    "segment_images",
    "write_errors",
]


def __getattr__(name: str) -> object:
    return look_up(__name__, name, {"JoblibRunner": "ProcessRunner"})
