"""All ABCD features of a lesion, and the catalogue that describes them."""

from __future__ import annotations

import math
import textwrap

import numpy as np

from hybridlesion._validation import check_image, check_mask
from hybridlesion.exceptions import ImageError
from hybridlesion.features import (
    asymmetry,
    border,
    color,
    dimension,
    scores,
    skin,
    structure,
    texture,
)
from hybridlesion.features._context import cut_out
from hybridlesion.features._feature import FAMILIES, Feature
from hybridlesion.features.color import DEFAULT_PALETTE, Palette

__all__ = [
    "FEATURES",
    "abcd",
    "catalogue_page",
    "catalogue_table",
    "catalogue_text",
    "feature_names",
]

_MODULES = (asymmetry, border, color, dimension, structure, texture, skin, scores)

FEATURES: tuple[Feature, ...] = tuple(row for module in _MODULES for row in module.CATALOGUE)
"""One row for each value returned by `abcd`, in the same order."""


def feature_names() -> list[str]:
    """Names of the columns of `abcd`, in order.

    Returns
    -------
    list of str
        All start with ``abcd__``.

    Examples
    --------
    >>> from hybridlesion.features import feature_names
    >>> feature_names()[0]
    'abcd__asymmetry_shape_major'
    """
    return [feature.name for feature in FEATURES]


def abcd(
    image: np.ndarray,
    mask: np.ndarray,
    *,
    field_of_view: np.ndarray | None = None,
    hair: np.ndarray | None = None,
    raw: np.ndarray | None = None,
    palette: Palette = DEFAULT_PALETTE,
) -> dict[str, float]:
    """Measure a lesion by the ABCD rule: asymmetry, border, colour, dimension and structures.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB image, usually after colour constancy.
    mask : ndarray of shape (H, W), bool
        True inside the lesion. It may have holes and several parts; an empty mask gives NaN.
    field_of_view : ndarray of shape (H, W), bool, default=None
        True where skin is visible; False in dark corners. None means everywhere.
    hair : ndarray of shape (H, W), bool, default=None
        True on hair, which is excluded from colour but not from shape. None means no hair.
    raw : ndarray of shape (H, W, 3), uint8, default=None
        Image before colour constancy, on which skin tone is measured; None means `image`.
    palette : Palette, default=DEFAULT_PALETTE
        Reference points of the six colours.

    Returns
    -------
    dict of str to float
        One value for each row of `FEATURES`, in that order. Values are NaN only for an empty mask
        and in the cases described by ``undefined`` of the row.

    Raises
    ------
    ImageError
        If the image is not an (H, W, 3) uint8 array, or a mask has another size.

    Notes
    -----
    Except for its size, all features are measured after resampling the lesion to an equivalent
    diameter of 160 pixels. They do not depend on the resolution of the photograph, provided that
    the diameter of the lesion is about that large or larger.

    Examples
    --------
    >>> import numpy as np
    >>> from hybridlesion.features import abcd
    >>> y, x = np.mgrid[-80:81, -80:81]
    >>> disc = x**2 + y**2 <= 50**2
    >>> image = np.where(disc[..., None], (120, 80, 60), (225, 190, 170)).astype(np.uint8)
    >>> values = abcd(image, disc)
    >>> round(values["abcd__border_solidity"], 1), values["abcd__border_parts"]
    (1.0, 1.0)
    """
    image = check_image(image)
    shape = image.shape[:2]
    mask = check_mask(mask, shape)
    field_of_view = None if field_of_view is None else check_mask(field_of_view, shape)
    hair = None if hair is None else check_mask(hair, shape)
    raw = image if raw is None else check_image(raw)
    if raw.shape != image.shape:
        raise ImageError(
            f"raw must be the same picture as image before colour constancy: image has shape "
            f"{image.shape}, raw {raw.shape}."
        )
    if not mask.any():
        return dict.fromkeys(feature_names(), float("nan"))
    lesion = cut_out(image, mask, field_of_view=field_of_view, hair=hair)
    usable = np.ones(shape, bool) if field_of_view is None else field_of_view
    families = {
        "asymmetry": asymmetry.asymmetry(lesion),
        "border": border.border(lesion) | border.cutoff(lesion) | border.pigment_edge(lesion),
        "color": color.color(lesion, palette),
        "dimension": dimension.dimension(mask),
        "structure": structure.structure(lesion),
        "texture": texture.texture(lesion),
        "skin": skin.skin_tone(raw, mask, usable if hair is None else usable & ~hair),
    }
    values = {
        f"abcd__{family}_{name}": value
        for family, measured in families.items()
        for name, value in measured.items()
    }
    values |= scores.total_body(lesion, values)
    values |= {f"abcd__{name}": value for name, value in scores.scores(values).items()}
    return {feature.name: values[feature.name] for feature in FEATURES}


_INTRODUCTION = """# Features

Generated from the catalogue by `python -m hybridlesion.features > docs/features.md`; do not edit.

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
        A header, then name, family, unit, range and description of one feature per line.
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
            lines.append(f"  {row.name:<42} {f'{row.unit}, {_span(row)}':>{width - 45}}")
            lines.append(textwrap.indent(textwrap.fill(row.description, width - 6), " " * 6))
    lines += ["", f"{len(FEATURES)} features; all are NaN if no lesion was found."]
    return "\n".join(lines[1:])


def _span(row: Feature) -> str:
    low, high = ("any" if math.isinf(x) else f"{x:g}" for x in (row.low, row.high))
    return f"{low} to {high}"
