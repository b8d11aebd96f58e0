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
from hybridlesion.plotting._abcd_layout import add_score, percent
from hybridlesion.plotting._abcd_sheet import (
    HAIR,
    SCORE_RANGES,
    STRUCTURE_COLORS,
    SWATCHES,
    color_word,
    draw_abcd_sheet,
    score_words,
)
from hybridlesion.plotting._curves import (
    comparison_figure,
    curve_figure,
    decision_figure,
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
    square_panel,
)
from hybridlesion.plotting._style import RESEARCH_ONLY, THEME, save_figure

__all__ = [
    "HAIR",
    "MAP_KEY",
    "RESEARCH_ONLY",
    "SCORE_RANGES",
    "SHEET_SUFFIXES",
    "STRUCTURE_COLORS",
    "SWATCHES",
    "THEME",
    "DrawnSheet",
    "MaskReport",
    "SheetDrawing",
    "add_score",
    "case_sheet",
    "check_mask_report",
    "choose_cases",
    "cnn_words",
    "color_word",
    "comparison_figure",
    "confusion_figure",
    "curve_figure",
    "decision_figure",
    "draw_abcd_sheet",
    "draw_cnn_sheet",
    "draw_precision_recall",
    "draw_reliability",
    "draw_roc",
    "legend_words",
    "mask_sheet",
    "metric_figure",
    "paint_cnn_map",
    "percent",
    "reliability_figure",
    "report_masks",
    "save_figure",
    "score_words",
    "square_panel",
    "subgroup_figure",
    "write_abcd_sheets",
]
