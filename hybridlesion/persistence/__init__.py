"""Model files: saving, safe loading, signing, and reading the manifest."""

from hybridlesion.persistence._allowlist import LISTED_CALLABLES, LISTED_CLASSES
from hybridlesion.persistence._artifact import (
    PROTOCOL,
    load_artifact,
    read_key,
    read_manifest,
    restore_model,
    save_artifact,
)
from hybridlesion.persistence._manifest import INTENDED_USE, describe_manifest

__all__ = [
    "INTENDED_USE",
    "LISTED_CALLABLES",
    "LISTED_CLASSES",
    "PROTOCOL",
    "describe_manifest",
    "load_artifact",
    "read_key",
    "read_manifest",
    "restore_model",
    "save_artifact",
]
