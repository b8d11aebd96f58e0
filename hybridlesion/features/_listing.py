"""The catalogue as lines of text, for a terminal or for another program."""

from __future__ import annotations

import textwrap

from hybridlesion.features._document import _bound
from hybridlesion.features._feature import FAMILIES
from hybridlesion.features.catalogue import FEATURES

__all__ = ["catalogue_table", "catalogue_text"]


def catalogue_table() -> str:
    """Write the catalogue as tab-separated values.

    Returns
    -------
    str
        A header, then name, family, unit, range and description of one feature a line.
    """
    rows = [("name", "family", "unit", "range", "description")]
    rows += [(row.name, row.family, row.unit, _span(row), row.description) for row in FEATURES]
    return "\n".join("\t".join(cells) for cells in rows)


def catalogue_text(width: int = 80) -> str:
    """Write the catalogue for people, family by family.

    Parameters
    ----------
    width : int, default=80
        Longest line in characters, at least 60.

    Returns
    -------
    str
        Name, unit and range of each feature, and below them what it is.
    """
    lines = []
    for family in FAMILIES:
        rows = [row for row in FEATURES if row.family == family]
        lines += ["", f"{family.upper()} ({len(rows)})"]
        for row in rows:
            lines.append(f"  {row.name:<42} {f'{row.unit}, {_span(row)}':>{width - 45}}")
            lines += textwrap.wrap(
                row.description, width, initial_indent=" " * 6, subsequent_indent=" " * 6
            )
    lines += ["", f"{len(FEATURES)} features; all are NaN where no lesion was found."]
    return "\n".join(lines[1:])


def _span(row) -> str:
    return f"{_bound(row.low)} to {_bound(row.high)}"
