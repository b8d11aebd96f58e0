"""One joblib file per model: what it is in plain words, and the model behind a locked door."""

from hybridlesion.persistence._allowlist import LISTED_CALLABLES, LISTED_CLASSES
from hybridlesion.persistence._artifact import load_artifact, read_manifest, save_artifact
from hybridlesion.persistence._file_format import PROTOCOL
from hybridlesion.persistence._manifest import INTENDED_USE, describe_manifest
from hybridlesion.persistence._signing import read_key

__all__ = [
    "INTENDED_USE",
    "LISTED_CALLABLES",
    "LISTED_CLASSES",
    "PROTOCOL",
    "describe_manifest",
    "load_artifact",
    "read_key",
    "read_manifest",
    "save_artifact",
]
