"""Training workflows: classifiers, fine-tuned networks and refiners from files on disk."""

from hybridlesion.leakage import Finding, LeakAudit, Severity
from hybridlesion.training._finetune import Finetuning, finetune
from hybridlesion.training._fit import TrainedModel, describe_training, fit_tables
from hybridlesion.training._image_training import LesionDataset
from hybridlesion.training._refiner import RefinerTraining, train_refiner
from hybridlesion.training._sources import SourceValidation, leave_one_source_out
from hybridlesion.training._training_rows import keep_measured, known_metadata, read_configuration

__all__ = [
    "Finding",
    "Finetuning",
    "LeakAudit",
    "LesionDataset",
    "RefinerTraining",
    "Severity",
    "SourceValidation",
    "TrainedModel",
    "describe_training",
    "finetune",
    "fit_tables",
    "keep_measured",
    "known_metadata",
    "leave_one_source_out",
    "read_configuration",
    "train_refiner",
]
