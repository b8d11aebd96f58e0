"""From tables on disk to a fitted model, its out-of-fold scores and their measures."""

from hybridlesion.training._facts import describe_training
from hybridlesion.training._fit import TrainedModel, fit_tables
from hybridlesion.training._tables import keep_measured

__all__ = ["TrainedModel", "describe_training", "fit_tables", "keep_measured"]
