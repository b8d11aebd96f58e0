"""A fitted model over images or tables, to a table of scores."""

from hybridlesion.scoring._inputs import score_inputs
from hybridlesion.scoring._prevalence import threshold_in_use
from hybridlesion.scoring._records import score_records
from hybridlesion.scoring._table import score_table

__all__ = ["score_inputs", "score_records", "score_table", "threshold_in_use"]
