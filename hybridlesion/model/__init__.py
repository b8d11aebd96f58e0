"""From a feature table to calibrated malignancy scores."""

from hybridlesion.model._reference import rank_among_benign
from hybridlesion.model.calibration import ScoreCalibrator
from hybridlesion.model.classifier import HybridLesionClassifier
from hybridlesion.model.probe import EmbeddingProbe

__all__ = ["EmbeddingProbe", "HybridLesionClassifier", "ScoreCalibrator", "rank_among_benign"]
