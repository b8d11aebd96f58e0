"""Feature catalogue, with formatters for documents and terminals."""

from __future__ import annotations

import csv
import math
import textwrap
from dataclasses import dataclass
from importlib import resources

FAMILIES = ("asymmetry", "border", "color", "dimension", "structure", "texture", "skin", "score")
INVARIANCES = ("rotation", "mirror", "shift", "scale", "gain")


@dataclass(frozen=True)
class Feature:
    """Row of the catalogue, which describes a column of the feature table.

    Parameters
    ----------
    name : str
        Column name, which starts with ``abcd__``.
    family : str
        One of `FAMILIES`.
    unit : str
        Unit of the value; ``"1"`` for a ratio, ``"share"`` for a part of a whole.
    low, high : float
        Closed range of possible values; infinite on unbounded sides.
    source : str
        Paper or rule that defines the measure.
    description : str
        Definition, with a formula if needed.
    undefined : str, default=''
        Condition under which the value is NaN; for an empty mask, all features are NaN.
    invariance : tuple of str, default=('rotation', 'mirror', 'shift', 'scale')
        Changes to the photograph that do not affect the value, up to resampling; any of
        `INVARIANCES`.
    """

    name: str
    family: str
    unit: str
    low: float
    high: float
    source: str
    description: str
    undefined: str = ""
    invariance: tuple[str, ...] = ("rotation", "mirror", "shift", "scale")


def _read_catalogue() -> tuple[Feature, ...]:
    table = resources.files(__package__).joinpath("catalogue.tsv").read_text(encoding="utf-8")
    _, *rows = csv.reader(table.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    return tuple(
        Feature(name, family, unit, float(low), float(high), source, text, gap, tuple(kept.split()))
        for name, family, unit, low, high, source, text, gap, kept in rows
    )


FEATURES = _read_catalogue()
"""One row for each value returned by `abcd`, in the same order."""


def feature_names() -> list[str]:
    """Return the names of all features, in the order of `abcd`.

    Returns
    -------
    list of str
        Names, all of which start with ``abcd__``.

    Examples
    --------
    >>> from hybridlesion.features import feature_names
    >>> feature_names()[0]
    'abcd__asymmetry_shape_major'
    """
    return [feature.name for feature in FEATURES]


_INTRODUCTION = """# Features

<!-- Generated from the catalogue by `python -m hybridlesion.features > docs/features.md`; do not
edit. -->

{count} features of one lesion, returned by `hybridlesion.features.abcd(image, mask)`. Except for
its size, the lesion is measured after resampling to an equivalent diameter of 160 pixels; *d* is
that diameter. All features are NaN for an empty mask. *Invariant to* lists the changes of the
photograph that do not affect the value, up to resampling: rotation, mirror, shift of the lesion in
the frame, scale (resolution and distance) and gain (brightness of the light).
"""


def catalogue_page() -> str:
    """Format the catalogue as a Markdown page with one table per family.

    Returns
    -------
    str
        The text of ``docs/features.md``.
    """
    parts = [_INTRODUCTION.format(count=len(FEATURES))]
    for family in FAMILIES:
        rows = [row for row in FEATURES if row.family == family]
        parts.append(f"## {family.capitalize()} ({len(rows)})\n")
        parts.append("| name | unit | range | description | invariant to | NaN when | source |")
        parts.append("|---|---|---|---|---|---|---|")
        for row in rows:
            description = row.description.replace("|", "\\|")
            invariance, undefined = ", ".join(row.invariance), row.undefined or "-"
            cells = (f"`{row.name}`", row.unit, _span(row), description, invariance, undefined)
            parts.append(f"| {' | '.join((*cells, row.source))} |")
        parts.append("")
    return "\n".join(parts)


def catalogue_table() -> str:
    """Format the catalogue as tab-separated values.

    Returns
    -------
    str
        A header, then the name, family, unit, range and description of one feature per line.
    """
    rows = [("name", "family", "unit", "range", "description")]
    rows += [(row.name, row.family, row.unit, _span(row), row.description) for row in FEATURES]
    return "\n".join("\t".join(cells) for cells in rows)


def catalogue_text(width: int = 80) -> str:
    """Format the catalogue for a terminal, family by family.

    Parameters
    ----------
    width : int, default=80
        Maximum length of a line in characters, at least 60.

    Returns
    -------
    str
        Name, unit and range of each feature, followed by its description.
    """
    lines = []
    for family in FAMILIES:
        rows = [row for row in FEATURES if row.family == family]
        lines += ["", f"{family.upper()} ({len(rows)})"]
        for row in rows:
            measure = f" {row.unit}, {_span(row)}"
            lines.append(f"  {row.name}{measure:>{max(width - 2 - len(row.name), 0)}}")
            lines.append(textwrap.indent(textwrap.fill(row.description, width - 6), " " * 6))
    lines += ["", f"{len(FEATURES)} features; all are NaN if no lesion was found."]
    return "\n".join(lines[1:])


def _span(row: Feature) -> str:
    low, high = ("any" if math.isinf(x) else f"{x:g}" for x in (row.low, row.high))
    return f"{low} to {high}"
