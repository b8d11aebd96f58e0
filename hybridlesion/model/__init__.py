"""From a feature table to calibrated malignancy scores."""

from hybridlesion.model._benign_reference import rank_among_benign, shares_among_benign
from hybridlesion.model.calibration import ScoreCalibrator
from hybridlesion.model.classifier import HybridLesionClassifier
from hybridlesion.model.context import patient_context
from hybridlesion.model.embedding_discriminant import EmbeddingProbe

__all__ = [
    "EmbeddingProbe",
    "HybridLesionClassifier",
    "ScoreCalibrator",
    "patient_context",
    "rank_among_benign",
    "shares_among_benign",
]
