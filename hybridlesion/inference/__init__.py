"""A fitted model over images or tables, to a table of scores."""

from hybridlesion.inference._score_files import score_inputs
from hybridlesion.inference._score_records import score_records
from hybridlesion.inference._score_table import score_table, threshold_in_use

__all__ = ["score_inputs", "score_records", "score_table", "threshold_in_use"]
