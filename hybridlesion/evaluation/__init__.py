"""Measures of scores and of masks, with intervals over patients."""

from hybridlesion.evaluation.bands import BANDS, band
from hybridlesion.evaluation.calibration import (
    brier_score,
    calibration_error,
    calibration_in_the_large,
    calibration_slope,
)
from hybridlesion.evaluation.caveats import interval_caveats
from hybridlesion.evaluation.comparison import LOWER_IS_BETTER, compare_scores
from hybridlesion.evaluation.curves import precision_recall_curve, reliability_curve, roc_curve
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
from hybridlesion.evaluation.operating import operating_points
from hybridlesion.evaluation.overlap import dice, jaccard, thresholded_jaccard
from hybridlesion.evaluation.prevalence import shift_prevalence
from hybridlesion.evaluation.subgroups import evaluate_subgroups
from hybridlesion.evaluation.summary import evaluate
from hybridlesion.evaluation.thresholds import (
    best_cost_threshold,
    choose_threshold,
    cost_threshold,
    threshold_at_sensitivity,
    threshold_interval,
)
from hybridlesion.evaluation.utility import decision_curve, net_benefit

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
    "choose_threshold",
    "compare_masks",
    "compare_scores",
    "cost_threshold",
    "decision_curve",
    "dice",
    "evaluate",
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
