"""One joblib file per model: what it is in plain words, and the model behind a locked door."""

from hybridlesion.artifact._artifact import load_artifact, read_manifest, save_artifact
from hybridlesion.artifact._listed import LISTED_CALLABLES, LISTED_CLASSES
from hybridlesion.artifact._manifest import INTENDED_USE
from hybridlesion.artifact._protocol import PROTOCOL
from hybridlesion.artifact._signature import read_key
from hybridlesion.artifact._words import describe_manifest

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
