"""Figures and sheets for people: what the model did, and how well."""

from hybridlesion.report._case_sheet import case_sheet, choose_cases
from hybridlesion.report._mask_report import MaskReport, mask_sheet, report_masks
from hybridlesion.report._metric_figure import metric_figure
from hybridlesion.report._score_report import ScoreReport, report_scores

__all__ = [
    "MaskReport",
    "ScoreReport",
    "case_sheet",
    "choose_cases",
    "mask_sheet",
    "metric_figure",
    "report_masks",
    "report_scores",
]
