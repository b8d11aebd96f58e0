"""The catalogue as lines of text, for a terminal or for another program."""

from __future__ import annotations

import math
import textwrap

from hybridlesion.features._feature import FAMILIES, Feature
from hybridlesion.features.catalogue import FEATURES

__all__ = ["catalogue_page", "catalogue_table", "catalogue_text"]

_INTRODUCTION = """# Features

Generated from the catalogue by `python -m hybridlesion.features > docs/features.md`; do not edit.

{count} features of one lesion, returned by `hybridlesion.features.abcd(image, mask)`. Before
anything but its size is measured, the lesion is brought to an equivalent diameter of 160 pixels;
*d* is that diameter. All features are NaN for an empty mask. *Holds under* names the changes
of the picture that leave a value as it is, up to resampling: rotation, mirror, shift of the lesion
in its frame, scale (resolution and distance), gain (brightness of the light).
"""


def catalogue_page() -> str:
    """Write the catalogue as a Markdown page, one table for each family.

    Returns
    -------
    str
        The text of ``docs/features.md``.
    """
    parts = [_INTRODUCTION.format(count=len(FEATURES))]
    for family in FAMILIES:
        rows = [feature for feature in FEATURES if feature.family == family]
        parts.append(f"## {family.capitalize()} ({len(rows)})\n")
        parts.append("| name | unit | range | what it is | holds under | NaN when | source |")
        parts.append("|---|---|---|---|---|---|---|")
        parts.extend(_row(feature) for feature in rows)
        parts.append("")
    return "\n".join(parts)


def _row(feature: Feature) -> str:
    span = f"{_bound(feature.low)} to {_bound(feature.high)}"
    description = feature.description.replace("|", "\\|")
    cells = (
        f"`{feature.name}`",
        feature.unit,
        span,
        description,
        ", ".join(feature.invariance),
        feature.undefined or "-",
        feature.source,
    )
    return f"| {' | '.join(cells)} |"


def _bound(value: float) -> str:
    if math.isinf(value):
        return "any"
    return f"{value:g}"


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
