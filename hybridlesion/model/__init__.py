"""Classifiers for feature tables, with calibrated malignancy scores."""

from hybridlesion.model._columns import FAMILIES
from hybridlesion.model._ensemble import rank_among_benign, shares_among_benign
from hybridlesion.model._groups import SENSITIVITY, check_decision, make_folds
from hybridlesion.model._training_summary import LEVELS, Distribution, group_weights
from hybridlesion.model.calibration import ScoreCalibrator
from hybridlesion.model.classifier import HybridLesionClassifier
from hybridlesion.model.context import patient_context
from hybridlesion.model.diagnosis_classifier import DiagnosisClassifier, match_malignancy
from hybridlesion.model.embedding_discriminant import EmbeddingDiscriminant, EmbeddingProbe
from hybridlesion.model.recalibration import Recalibration, malignant_for_width, recalibrate

__all__ = [
    "FAMILIES",
    "LEVELS",
    "SENSITIVITY",
    "DiagnosisClassifier",
    "Distribution",
    "EmbeddingDiscriminant",
    "EmbeddingProbe",
    "HybridLesionClassifier",
    "Recalibration",
    "ScoreCalibrator",
    "check_decision",
    "group_weights",
    "make_folds",
    "malignant_for_width",
    "match_malignancy",
    "patient_context",
    "rank_among_benign",
    "recalibrate",
    "shares_among_benign",
]
