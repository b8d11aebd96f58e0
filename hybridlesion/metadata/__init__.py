"""Metadata tables in any layout, normalised to records with one row per image.

`read_records` recognises the layout of each table by its columns, normalises ages, sexes, sites
and diagnoses, joins several tables on the image id, excludes columns that leak and gives the
reason, and reports all problems at once. `read_mapping` and `write_mapping` keep the options for
this in a file. `normalise_records` converts a DataFrame to the same names and values.
"""

from __future__ import annotations

from hybridlesion.metadata._columns import (
    ColumnFate,
    ColumnUse,
    find_path_column,
    list_uses,
    read_image_ids,
)
from hybridlesion.metadata._diagnosis import read_diagnosis, read_label
from hybridlesion.metadata._image_id import (
    explain_misses,
    explain_near,
    match_ids,
    near_misses,
    normalise_image_id,
    pair_images,
    path_ids,
    rename_images,
)
from hybridlesion.metadata._joining import ID_COLUMNS, read_columns, read_sources
from hybridlesion.metadata._mapping import (
    DataMapping,
    check_mapping_path,
    derive_mapping,
    is_edited,
    read_mapping,
    write_mapping,
)
from hybridlesion.metadata._normalisation import (
    MEASUREMENT_PREFIXES,
    normalise_ids,
    normalise_records,
)
from hybridlesion.metadata._reading import Findings, read_source, read_table
from hybridlesion.metadata._records import Records, read_records
from hybridlesion.metadata._table_files import SourceTable, split_sheet
from hybridlesion.metadata._targets import count_diagnoses, list_diagnoses, refuse_unknown
from hybridlesion.metadata._values import SEXES, SITE_WORDS, SITES, Sex, Site
from hybridlesion.metadata._vocabulary import (
    LAYOUTS,
    LEAK_COLUMNS,
    MEASURED,
    ROLE_COLUMNS,
    Layout,
    Role,
    column_key,
    find_role,
    identify_layout,
    is_acquisition,
    leak_reason,
)

__all__ = [
    "ID_COLUMNS",
    "LAYOUTS",
    "LEAK_COLUMNS",
    "MEASURED",
    "MEASUREMENT_PREFIXES",
    "ROLE_COLUMNS",
    "SEXES",
    "SITES",
    "SITE_WORDS",
    "ColumnFate",
    "ColumnUse",
    "DataMapping",
    "Findings",
    "Layout",
    "Records",
    "Role",
    "Sex",
    "Site",
    "SourceTable",
    "check_mapping_path",
    "column_key",
    "count_diagnoses",
    "derive_mapping",
    "explain_misses",
    "explain_near",
    "find_path_column",
    "find_role",
    "identify_layout",
    "is_acquisition",
    "is_edited",
    "leak_reason",
    "list_diagnoses",
    "list_uses",
    "match_ids",
    "near_misses",
    "normalise_ids",
    "normalise_image_id",
    "normalise_records",
    "pair_images",
    "path_ids",
    "read_columns",
    "read_diagnosis",
    "read_image_ids",
    "read_label",
    "read_mapping",
    "read_records",
    "read_source",
    "read_sources",
    "read_table",
    "refuse_unknown",
    "rename_images",
    "split_sheet",
    "write_mapping",
]
