"""Figures and sheets for people: what the model did, and how well."""

from hybridlesion.report._abcd_files import SHEET_SUFFIXES, write_abcd_sheets
from hybridlesion.report._abcd_sheet import draw_abcd_sheet
from hybridlesion.report._case_sheet import case_sheet, choose_cases
from hybridlesion.report._cnn_sheet import draw_cnn_sheet, paint_cnn_map
from hybridlesion.report._comparison_figure import comparison_figure
from hybridlesion.report._curve_figure import curve_figure
from hybridlesion.report._decision_figure import decision_figure
from hybridlesion.report._mask_report import MaskReport, mask_sheet, report_masks
from hybridlesion.report._metric_figure import metric_figure
from hybridlesion.report._reliability_figure import reliability_figure
from hybridlesion.report._score_report import ScoreReport, report_scores
from hybridlesion.report._subgroup_figure import subgroup_figure
from hybridlesion.report.page import PageResult, write_page

__all__ = [
    "SHEET_SUFFIXES",
    "MaskReport",
    "PageResult",
    "ScoreReport",
    "case_sheet",
    "choose_cases",
    "comparison_figure",
    "curve_figure",
    "decision_figure",
    "draw_abcd_sheet",
    "draw_cnn_sheet",
    "mask_sheet",
    "metric_figure",
    "paint_cnn_map",
    "reliability_figure",
    "report_masks",
    "report_scores",
    "subgroup_figure",
    "write_abcd_sheets",
    "write_page",
]
