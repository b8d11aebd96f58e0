"""Reports of scores: tables and figures in a folder, or a single HTML page; recalibration."""

from hybridlesion.reporting._drift import DriftResult, detect_drift
from hybridlesion.reporting._recalibration import RecalibratedModel, recalibrate_model
from hybridlesion.reporting._score_report import ScoreReport, report_scores
from hybridlesion.reporting.html import PageResult, write_page

__all__ = [
    "DriftResult",
    "PageResult",
    "RecalibratedModel",
    "ScoreReport",
    "detect_drift",
    "recalibrate_model",
    "report_scores",
    "write_page",
]
