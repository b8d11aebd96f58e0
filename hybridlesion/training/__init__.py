"""From tables on disk to a fitted model, its out-of-fold scores and their measures."""

from hybridlesion.training._facts import describe_training
from hybridlesion.training._fit import TrainedModel, fit_tables
from hybridlesion.training._seen import note_seen
from hybridlesion.training._tables import keep_measured, known_metadata

__all__ = [
    "TrainedModel",
    "describe_training",
    "fit_tables",
    "keep_measured",
    "known_metadata",
    "note_seen",
]
