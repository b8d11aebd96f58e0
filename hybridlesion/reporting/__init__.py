"""Reports of scores: tables and figures in a folder, or a single HTML page."""

from hybridlesion.reporting._score_report import ScoreReport, report_scores
from hybridlesion.reporting.html import PageResult, write_page

__all__ = ["PageResult", "ScoreReport", "report_scores", "write_page"]
