"""ISIC tables of every layout -> records: one row per image, one vocabulary.

`read_records` is the door: it recognises each table by its columns, normalises ages, sexes,
sites and diagnoses, joins several tables on the image id, sets leaking columns aside with the
reason, and reports every problem of a table at once.
"""

from __future__ import annotations

from hybridlesion.metadata._aliases import find_role
from hybridlesion.metadata._column_use import ColumnFate, ColumnUse
from hybridlesion.metadata._image_id import normalise_image_id
from hybridlesion.metadata._layouts import LAYOUTS, Layout, Role
from hybridlesion.metadata._leaks import LEAK_COLUMNS, is_acquisition, leak_reason
from hybridlesion.metadata._one_table import normalise_ids
from hybridlesion.metadata._reading import SourceTable, read_source, read_table
from hybridlesion.metadata._recognition import identify_layout
from hybridlesion.metadata._records import Records, read_records
from hybridlesion.metadata._table_files import split_sheet
from hybridlesion.metadata._vocabulary import SEXES, SITE_WORDS, SITES, Sex, Site

__all__ = [
    "LAYOUTS",
    "LEAK_COLUMNS",
    "SEXES",
    "SITES",
    "SITE_WORDS",
    "ColumnFate",
    "ColumnUse",
    "Layout",
    "Records",
    "Role",
    "Sex",
    "Site",
    "SourceTable",
    "find_role",
    "identify_layout",
    "is_acquisition",
    "leak_reason",
    "normalise_ids",
    "normalise_image_id",
    "read_records",
    "read_source",
    "read_table",
    "split_sheet",
]
