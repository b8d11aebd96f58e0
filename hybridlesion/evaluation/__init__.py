"""Measures of scores and of masks, with intervals over patients."""

from hybridlesion.evaluation.calibration import brier_score, calibration_error, calibration_slope
from hybridlesion.evaluation.caveats import interval_caveats
from hybridlesion.evaluation.curves import (
    decision_curve,
    precision_recall_curve,
    reliability_curve,
    roc_curve,
)
from hybridlesion.evaluation.discrimination import (
    average_precision,
    partial_auc,
    roc_auc,
    specificity_at_sensitivity,
)
from hybridlesion.evaluation.intervals import (
    METRICS,
    Interval,
    PairedDifference,
    bootstrap_interval,
    paired_bootstrap,
)
from hybridlesion.evaluation.masks import (
    OVERLAPS,
    compare_masks,
    measure_overlap,
    summarize_overlaps,
)
from hybridlesion.evaluation.overlap import dice, jaccard, thresholded_jaccard
from hybridlesion.evaluation.summary import evaluate
from hybridlesion.evaluation.thresholds import choose_threshold, threshold_at_sensitivity

__all__ = [
    "METRICS",
    "OVERLAPS",
    "Interval",
    "PairedDifference",
    "average_precision",
    "bootstrap_interval",
    "brier_score",
    "calibration_error",
    "calibration_slope",
    "choose_threshold",
    "compare_masks",
    "decision_curve",
    "dice",
    "evaluate",
    "interval_caveats",
    "jaccard",
    "measure_overlap",
    "paired_bootstrap",
    "partial_auc",
    "precision_recall_curve",
    "reliability_curve",
    "roc_auc",
    "roc_curve",
    "specificity_at_sensitivity",
    "summarize_overlaps",
    "threshold_at_sensitivity",
    "thresholded_jaccard",
]
