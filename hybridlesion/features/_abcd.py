"""The catalogue of the ABCD features, and their measurement."""

from __future__ import annotations

import csv
import math
import textwrap
from dataclasses import dataclass
from importlib import resources

import numpy as np

from hybridlesion._optional_imports import cv2
from hybridlesion._validation import check_image, check_mask
from hybridlesion.exceptions import ImageError
from hybridlesion.features import asymmetry, border, color, scores, structure, texture
from hybridlesion.features._context import cut_out
from hybridlesion.features.color import DEFAULT_PALETTE, Palette, skin_tone

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


def abcd(
    image: np.ndarray,
    mask: np.ndarray,
    *,
    field_of_view: np.ndarray | None = None,
    hair: np.ndarray | None = None,
    raw: np.ndarray | None = None,
    structures: np.ndarray | None = None,
    palette: Palette = DEFAULT_PALETTE,
) -> dict[str, float]:
    """Measure a lesion by the ABCD rule: asymmetry, border, colour, dimension and structures.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB image, usually after colour constancy.
    mask : ndarray of shape (H, W), bool
        True inside the lesion, which may have holes and several parts. If empty, values are NaN.
    field_of_view : ndarray of shape (H, W), bool, default=None
        True on visible skin, False in dark corners. If None, the whole image is used.
    hair : ndarray of shape (H, W), bool, default=None
        True on hair, which is excluded from colour but not from shape. If None, the image is
        assumed to be free of hair.
    raw : ndarray of shape (H, W, 3), uint8, default=None
        Image before colour constancy, on which skin tone is measured. If None, `image` is used.
    structures : ndarray of shape (5, S, S), float32, default=None
        Probabilities of dermoscopic structures with the image squashed to a square, as in
        `hybridlesion.segmentation.Segmentation`. If None, features of these maps are NaN.
    palette : Palette, default=DEFAULT_PALETTE
        Reference points of the six colours.

    Returns
    -------
    dict of str to float
        One value per row of `FEATURES`, in the same order. A value is NaN only if the mask is empty
        or in the cases given by ``undefined`` in its row.

    Raises
    ------
    ImageError
        If the image is not an (H, W, 3) uint8 array, or a mask differs in size.

    Notes
    -----
    All features except size are measured after resampling the lesion to an equivalent diameter of
    160 pixels. They do not depend on the resolution of the photograph, provided that the original
    diameter of the lesion is at least about as large.

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
    lesion = cut_out(image, mask, field_of_view=field_of_view, hair=hair, structures=structures)
    usable = np.ones(shape, bool) if field_of_view is None else field_of_view
    families = {
        "asymmetry": asymmetry.asymmetry(lesion),
        "border": border.border(lesion) | border.cutoff(lesion) | border.pigment_edge(lesion),
        "color": color.color(lesion, palette),
        "dimension": dimension(mask),
        "structure": structure.structure(lesion),
        "texture": texture.texture(lesion),
        "skin": skin_tone(raw, mask, usable if hair is None else usable & ~hair),
    }
    values = {
        f"abcd__{family}_{name}": value
        for family, measured in families.items()
        for name, value in measured.items()
    }
    values |= scores.total_body(lesion, values)
    values |= scores.scores(values)
    values |= scores.perceived(values)
    values |= scores.seven_points(values)
    return {feature.name: values[feature.name] for feature in FEATURES}


_PIXEL = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.int32)


def dimension(mask: np.ndarray) -> dict[str, float]:
    """Measure the size of a lesion as a share of its frame.

    Parameters
    ----------
    mask : ndarray of shape (H, W), bool
        Lesion mask of the whole frame, with at least one pixel.

    Returns
    -------
    dict of str to float
        One value per feature of the family, keyed without the prefix ``abcd__dimension_``.

    Notes
    -----
    The maximum Feret diameter is the largest distance between two corners of lesion pixels; the
    minimum is the smallest width between two parallel lines. Lengths are divided by the diagonal of
    the frame, so that a photograph yields the same values at 256 and at 6000 pixels.

    Examples
    --------
    >>> import numpy as np
    >>> mask = np.zeros((30, 40), bool)
    >>> mask[0:3, 0:4] = True
    >>> dimension(mask)["feret_max"], dimension(mask)["area"]  # 5 of 50 pixels, 12 of 1200
    (0.1, 0.01)
    """
    x, y, width, height = cv2.boundingRect(mask.view(np.uint8))
    hull = cv2.convexHull(_corners(mask[y : y + height, x : x + width]))[:, 0, :].astype(float)
    # |p - q|^2 = p^2 + q^2 - 2 pq for all pairs of corners
    squared = (hull * hull).sum(axis=1)
    apart = squared[:, None] + squared - 2.0 * hull @ hull.T
    edge_x, edge_y = (np.roll(hull, -1, axis=0) - hull).T
    across = hull @ np.stack([edge_y, -edge_x]) / np.hypot(edge_x, edge_y)
    feret_max = math.sqrt(apart.max())
    feret_min = float((across.max(axis=0) - across.min(axis=0)).min())
    area, diagonal = float(np.count_nonzero(mask)), math.hypot(*mask.shape)
    equivalent = 2.0 * math.sqrt(area / math.pi)
    rim = sum(int(side.sum()) for side in (mask[0], mask[-1], mask[:, 0], mask[:, -1]))
    return {
        "area": area / mask.size,
        "equivalent_diameter": equivalent / diagonal,
        "feret_max": feret_max / diagonal,
        "feret_min": feret_min / diagonal,
        "feret_ratio": feret_min / feret_max,
        "feret_elongation": feret_max / equivalent,
        "box": width * height / mask.size,
        "frame_contact": rim / (2.0 * sum(mask.shape)),
    }


def _corners(mask: np.ndarray) -> np.ndarray:
    """Return the corners of pixels on the hull of all centres, (n, 1, 2), which span the hull."""
    parts, _ = cv2.findContours(mask.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    centers = cv2.convexHull(np.vstack(parts))
    return (centers + _PIXEL).reshape(-1, 1, 2)
