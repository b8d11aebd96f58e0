"""Metrics for scores and masks, with intervals over patients."""

from hybridlesion.metrics._resampling import Interval, check_scores
from hybridlesion.metrics.calibration import (
    brier_score,
    calibration_error,
    calibration_in_the_large,
    calibration_slope,
    shift_prevalence,
)
from hybridlesion.metrics.curves import (
    decision_curve,
    net_benefit,
    precision_recall_curve,
    reliability_curve,
    roc_curve,
)
from hybridlesion.metrics.diagnoses import confusion_matrix, evaluate_diagnoses
from hybridlesion.metrics.discrimination import (
    average_precision,
    partial_auc,
    roc_auc,
    specificity_at_sensitivity,
)
from hybridlesion.metrics.masks import (
    OVERLAPS,
    compare_masks,
    dice,
    jaccard,
    measure_overlap,
    summarize_overlaps,
    thresholded_jaccard,
)
from hybridlesion.metrics.summary import (
    BANDS,
    LOWER_IS_BETTER,
    METRICS,
    PairedDifference,
    band,
    bootstrap_interval,
    compare_scores,
    evaluate,
    evaluate_subgroups,
    interval_caveats,
    paired_bootstrap,
)
from hybridlesion.metrics.thresholds import (
    best_cost_threshold,
    choose_threshold,
    cost_threshold,
    operating_points,
    threshold_at_sensitivity,
    threshold_interval,
)

__all__ = [
    "BANDS",
    "LOWER_IS_BETTER",
    "METRICS",
    "OVERLAPS",
    "Interval",
    "PairedDifference",
    "average_precision",
    "band",
    "best_cost_threshold",
    "bootstrap_interval",
    "brier_score",
    "calibration_error",
    "calibration_in_the_large",
    "calibration_slope",
    "check_scores",
    "choose_threshold",
    "compare_masks",
    "compare_scores",
    "confusion_matrix",
    "cost_threshold",
    "decision_curve",
    "dice",
    "evaluate",
    "evaluate_diagnoses",
    "evaluate_subgroups",
    "interval_caveats",
    "jaccard",
    "measure_overlap",
    "net_benefit",
    "operating_points",
    "paired_bootstrap",
    "partial_auc",
    "precision_recall_curve",
    "reliability_curve",
    "roc_auc",
    "roc_curve",
    "shift_prevalence",
    "specificity_at_sensitivity",
    "summarize_overlaps",
    "threshold_at_sensitivity",
    "threshold_interval",
    "thresholded_jaccard",
]
