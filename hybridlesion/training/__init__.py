"""Training workflows: classifiers, fine-tuned networks and refiners from files on disk."""

from hybridlesion.leakage.audit import Finding, LeakAudit, Severity
from hybridlesion.training._finetune import Finetuning, finetune
from hybridlesion.training._fit import TrainedModel, fit_tables
from hybridlesion.training._refiner import RefinerTraining, train_refiner
from hybridlesion.training._summary import describe_training, note_seen
from hybridlesion.training._tables import keep_measured, known_metadata

__all__ = [
    "Finding",
    "Finetuning",
    "LeakAudit",
    "RefinerTraining",
    "Severity",
    "TrainedModel",
    "describe_training",
    "finetune",
    "fit_tables",
    "keep_measured",
    "known_metadata",
    "note_seen",
    "train_refiner",
]
