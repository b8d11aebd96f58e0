"""Figures of scores and masks, and drawn sheets of lesions (matplotlib and OpenCV)."""

from hybridlesion.plotting._abcd_files import SHEET_SUFFIXES, write_abcd_sheets
from hybridlesion.plotting._abcd_sheet import draw_abcd_sheet
from hybridlesion.plotting._case_sheet import case_sheet, choose_cases
from hybridlesion.plotting._cnn_sheet import draw_cnn_sheet, paint_cnn_map
from hybridlesion.plotting._curves import comparison_figure, curve_figure, decision_figure
from hybridlesion.plotting._masks import MaskReport, check_mask_report, mask_sheet, report_masks
from hybridlesion.plotting._metrics import metric_figure
from hybridlesion.plotting._reliability import reliability_figure
from hybridlesion.plotting._subgroups import subgroup_figure

__all__ = [
    "SHEET_SUFFIXES",
    "MaskReport",
    "case_sheet",
    "check_mask_report",
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
    "subgroup_figure",
    "write_abcd_sheets",
]
