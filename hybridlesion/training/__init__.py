"""Training workflows: classifiers, fine-tuned networks and refiners from files on disk."""

from hybridlesion.leakage import Finding, LeakAudit, Severity
from hybridlesion.leakage import membership_warning as note_seen  # noqa: F401, its former place
from hybridlesion.training._finetune import Finetuning, finetune
from hybridlesion.training._fit import TrainedModel, fit_tables
from hybridlesion.training._refiner import RefinerTraining, train_refiner
from hybridlesion.training._summary import describe_training
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
    "train_refiner",
]
