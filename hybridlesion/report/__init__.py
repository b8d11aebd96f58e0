"""Figures and sheets for people: what the model did, and how well."""

from hybridlesion.report._case_sheet import case_sheet, choose_cases
from hybridlesion.report._metric_figure import metric_figure
from hybridlesion.report._score_report import ScoreReport, report_scores

__all__ = [
    "ScoreReport",
    "case_sheet",
    "choose_cases",
    "metric_figure",
    "report_scores",
]
