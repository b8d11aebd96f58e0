"""The catalogue as a Markdown page."""

from __future__ import annotations

import math

from hybridlesion.features._feature import FAMILIES, Feature
from hybridlesion.features.catalogue import FEATURES

__all__ = ["catalogue_page"]

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
