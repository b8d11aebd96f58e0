"""ISIC tables of every layout -> records: one row per image, one vocabulary.

`read_records` is the door: it recognises each table by its columns, normalises ages, sexes,
sites and diagnoses, joins several tables on the image id, sets leaking columns aside with the
reason, and reports every problem of a table at once.
"""

from __future__ import annotations

from hybridlesion.metadata._diagnosis_counts import count_diagnoses, list_diagnoses, refuse_unknown
from hybridlesion.metadata._image_id import normalise_image_id
from hybridlesion.metadata._layouts import LAYOUTS, Layout, Role
from hybridlesion.metadata._leaks import LEAK_COLUMNS, is_acquisition, leak_reason
from hybridlesion.metadata._reading import read_table
from hybridlesion.metadata._recognition import identify_layout
from hybridlesion.metadata._records import Records, read_records
from hybridlesion.metadata._values import read_label
from hybridlesion.metadata._vocabulary import SEXES, SITE_WORDS, SITES, Sex, Site

__all__ = [
    "LAYOUTS",
    "LEAK_COLUMNS",
    "SEXES",
    "SITES",
    "SITE_WORDS",
    "Layout",
    "Records",
    "Role",
    "Sex",
    "Site",
    "count_diagnoses",
    "identify_layout",
    "is_acquisition",
    "leak_reason",
    "list_diagnoses",
    "normalise_image_id",
    "read_label",
    "read_records",
    "read_table",
    "refuse_unknown",
]
