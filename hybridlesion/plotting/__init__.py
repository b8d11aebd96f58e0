"""Figures for scores and masks, and sheets for lesions (matplotlib and OpenCV)."""

from hybridlesion.plotting._abcd_files import (
    MAP_KEY,
    SHEET_SUFFIXES,
    DrawnSheet,
    SheetDrawing,
    cnn_words,
    draw_cnn_sheet,
    paint_cnn_map,
    write_abcd_sheets,
)
from hybridlesion.plotting._abcd_sheet import SCORE_RANGES, draw_abcd_sheet
from hybridlesion.plotting._curves import (
    comparison_figure,
    curve_figure,
    decision_figure,
    draw_selective,
    selective_figure,
    subgroup_figure,
)
from hybridlesion.plotting._image_sheets import (
    MaskReport,
    case_sheet,
    check_mask_report,
    choose_cases,
    mask_sheet,
    report_masks,
)
from hybridlesion.plotting._metrics import (
    confusion_figure,
    draw_precision_recall,
    draw_reliability,
    draw_roc,
    legend_words,
    metric_figure,
    reliability_figure,
    reliability_limit,
    square_panel,
)
from hybridlesion.plotting._style import RESEARCH_ONLY, THEME

__all__ = [
    "MAP_KEY",
    "RESEARCH_ONLY",
    "SCORE_RANGES",
    "SHEET_SUFFIXES",
    "THEME",
    "DrawnSheet",
    "MaskReport",
    "SheetDrawing",
    "case_sheet",
    "check_mask_report",
    "choose_cases",
    "cnn_words",
    "comparison_figure",
    "confusion_figure",
    "curve_figure",
    "decision_figure",
    "draw_abcd_sheet",
    "draw_cnn_sheet",
    "draw_precision_recall",
    "draw_reliability",
    "draw_roc",
    "draw_selective",
    "legend_words",
    "mask_sheet",
    "metric_figure",
    "paint_cnn_map",
    "reliability_figure",
    "reliability_limit",
    "report_masks",
    "selective_figure",
    "square_panel",
    "subgroup_figure",
    "write_abcd_sheets",
]
