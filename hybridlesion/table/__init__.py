"""Records in, feature table out: the one place where the column families come together."""

from hybridlesion.table._encoding import encode_metadata, metadata_columns
from hybridlesion.table._featurizer import LesionFeaturizer
from hybridlesion.table._lesion import Failure

__all__ = ["Failure", "LesionFeaturizer", "encode_metadata", "metadata_columns"]
