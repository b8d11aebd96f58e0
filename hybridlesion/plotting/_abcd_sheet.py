"""ABCD sheet of one lesion, drawn from the maps used to compute its features."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from hybridlesion._optional_imports import cv2
from hybridlesion._validation import check_image, check_mask
from hybridlesion.features import COLORS, DEFAULT_PALETTE, FEATURES, Palette, abcd
from hybridlesion.features.asymmetry import LIMITS
from hybridlesion.features.border import ABRUPT
from hybridlesion.features.maps import NOT_MEASURED, LesionMaps, lesion_maps
from hybridlesion.features.scores import POINTS, PRESENT, present_structures
from hybridlesion.features.structure import STREAKED
from hybridlesion.plotting._abcd_layout import (
    Panel,
    make_page,
    make_panel,
    numbers_axes,
    percent,
    rounded,
)
from hybridlesion.plotting._style import GRID, INK, NOTE, SCORE, write
from hybridlesion.segmentation import draw_overlay

# Each colour has one meaning on the sheet. Structures have those of Okabe and Ito, as RGB.
NETWORK, STREAKS, DOTS, GLOBULES = (0, 114, 178), (213, 94, 0), (240, 228, 66), (0, 158, 115)
STRUCTURELESS, VEIL = (86, 180, 233), (204, 121, 167)
HAIR, PROTRUDES, MISSING = (140, 70, 200), (230, 159, 0), (10, 10, 10)
_BEYOND = (245, 245, 245)

_STEEPEST = 2.0 * ABRUPT  # end of the colour scale, with the limit in the middle
# Scale of everything that is measured on a map, from little to much.
_SCALE = "YlOrRd"


def draw_border(panel: Panel, maps: LesionMaps) -> None:
    """Colour the eight octants of the border by the steepness of the pigment cut-off.

    Parameters
    ----------
    panel : Panel
        Panel to draw in.
    maps : LesionMaps
        Maps of the lesion.
    """
    panel.show(fade(maps))
    for octant in range(8):
        _octant(panel, maps, octant)
    seen = int(np.isfinite(maps.octants.slope).sum())
    octants = "8 octants" if seen == 8 else f"the {seen} visible octants"
    count = f"{maps.octants.abrupt.sum()} of {octants}" if seen else "no octant is visible"
    panel.write(
        "Rise of lightness across the border, in L* per tenth of a diameter. Bold and framed: "
        f"abrupt ({ABRUPT:.0f} or more), {count}."
    )
    panel.scale(_SCALE, "soft 0", f"{_STEEPEST:.0f} or more", middle=True)


def _octant(panel: Panel, maps: LesionMaps, octant: int) -> None:
    """Draw the border of one octant, its value and its limits."""
    lesion, slope = maps.lesion, maps.octants.slope[octant]
    abrupt, seen = bool(maps.octants.abrupt[octant]), bool(np.isfinite(slope))
    own = maps.octants.of_point == octant
    center, angle = np.array(lesion.center), lesion.axes[0] + octant * np.pi / 4
    radius = np.hypot(*(lesion.outline.points - center).T)
    far = center + (radius.max() + 0.1 * lesion.diameter) * unit_vector(angle)
    panel.picture.plot(*np.array([center, far]).T, color=INK, lw=0.6, alpha=0.6)
    if not own.any():
        return
    color = colormaps[_SCALE](np.clip(slope / _STEEPEST, 0, 1)) if seen else "#BBBBBB"
    _band(panel, maps, own, color, abrupt)
    place = center + (radius[own].max() + 0.16 * lesion.diameter) * unit_vector(angle + np.pi / 8)
    edge = 0.08 * lesion.diameter
    x, y = np.clip(place, edge, np.array(lesion.mask.shape[::-1]) - edge)
    # Truncated rather than rounded: a value shown as 30 is at least 30.
    text = f"{np.floor(slope):.0f}" if seen else "hidden"
    size, weight = (11, "bold") if abrupt else (9.5, "normal")
    # A white outline keeps the text legible on any image.
    halo = [withStroke(linewidth=3, foreground="white")]
    write(panel.picture, x, y, text, size, weight=weight, ha="center", path_effects=halo)


def _band(panel: Panel, maps: LesionMaps, own: np.ndarray, color, abrupt: bool) -> None:
    """Draw the outline of one octant as a coloured band."""
    lesion = maps.lesion
    half = 0.045 * lesion.diameter * lesion.outline.normals
    inner, outer = lesion.outline.points - half, lesion.outline.points + half
    corners = [inner, outer, np.roll(outer, -1, axis=0), np.roll(inner, -1, axis=0)]
    pieces = np.stack(corners, axis=1)[own]
    if abrupt:
        panel.picture.add_collection(PolyCollection(pieces, color=INK, linewidths=4.5))
    band = PolyCollection(pieces, color=color, linewidths=0.6, zorder=1.5)
    panel.picture.add_collection(band)


_LARGEST_DIFFERENCE = 30.0  # Delta-E at the end of the colour scale


def draw_shape_mirror(panel: Panel, maps: LesionMaps) -> None:
    """Shade the parts that have no counterpart when the lesion is mirrored.

    Parameters
    ----------
    panel : Panel
        Panel to draw in.
    maps : LesionMaps
        Maps of the lesion.
    """
    found, size = maps.mirror, maps.lesion.mask.shape[::-1]
    layers = (found.own, found.mirrored)
    own, theirs = (cv2.resize(x, size, interpolation=cv2.INTER_CUBIC) > 0.5 for x in layers)
    shown = tint(fade(maps), own & ~theirs, PROTRUDES, 0.8)
    show_lesion(panel, maps, tint(shown, theirs & ~own, MISSING, 0.6))
    _axes(panel, maps, found.angle)
    limit = LIMITS["shape"]
    best, other = (percent(one, limit, 1) for one in found.shape)
    panel.write(
        f"{best} of the lesion has no mirror image about its best axis (solid), {other} about the "
        f"perpendicular one (dashed); asymmetric above {percent(limit)}. Orange: protrudes; dark: "
        "is missing."
    )


def draw_color_mirror(panel: Panel, maps: LesionMaps) -> None:
    """Show the colour difference between each pixel and its mirror image.

    Parameters
    ----------
    panel : Panel
        Panel to draw in.
    maps : LesionMaps
        Maps of the lesion.
    """
    found, size = maps.mirror, maps.lesion.mask.shape[::-1]
    both = np.isfinite(found.difference)
    difference = cv2.resize(np.where(both, found.difference, 0.0).astype(np.float32), size)
    both = cv2.resize(both.astype(np.float32), size)
    shown = np.where(both > 0.5, difference / np.maximum(both, 0.5), np.nan)
    show_lesion(panel, maps, fade(maps))
    panel.picture.imshow(shown, cmap=_SCALE, vmin=0.0, vmax=_LARGEST_DIFFERENCE)
    _axes(panel, maps, found.angle)
    limit = LIMITS["color"]
    best, other = (rounded(one, limit, 1) for one in found.color)
    panel.write(
        f"Mirrored points differ in colour by {best} on average about the best axis (solid), by "
        f"{other} about the perpendicular one (dashed); asymmetric above {limit:.0f}."
    )
    panel.scale(_SCALE, "equal 0", f"{_LARGEST_DIFFERENCE:.0f} or more (Delta-E)")


def _axes(panel: Panel, maps: LesionMaps, angle: float) -> None:
    """Draw the best axis and the perpendicular one through the centre."""
    center, lesion = np.array(maps.lesion.center), maps.lesion
    offset = np.argwhere(lesion.mask)[:, ::-1] - center
    for turn, style in ((0.0, "-"), (np.pi / 2, (0, (4, 3)))):
        direction = unit_vector(angle + turn)
        along = offset @ direction
        ends = (along.min() - 0.1 * lesion.diameter, along.max() + 0.1 * lesion.diameter)
        line = center + np.outer(ends, direction)
        panel.picture.plot(*line.T, color="white", lw=3.2, alpha=0.8, solid_capstyle="round")
        panel.picture.plot(*line.T, color=INK, lw=1.6, ls=style)


SCORE_RANGES = {row.name: (row.low, row.high) for row in FEATURES if row.family == "score"}
"""Lowest and highest value of each score by column name."""

_LOOKS = {"asymmetry": "asymmetric", "border": "irregular", "color": "variegated"}
_BAR = 3.3  # inches
_WEIGHTS = {"asymmetry": 1.3, "border": 0.1, "color": 0.5, "structures": 0.5}
_SHADES = (SCORE, "#888888", SCORE, "#888888")
_TITLES = {
    "asymmetry": "A  Asymmetry",
    "border": "B  Border",
    "color": "C  Colour",
    "structures": "D  Dermoscopic structures",
    "tds": "Total dermoscopy score",
    "seven_point": "Seven points, graded",
}


def draw_numbers(axes: Axes, values: Mapping[str, float]) -> None:
    """Write the scores, each with a bar over its range and an explanation.

    Parameters
    ----------
    axes : Axes
        Column in inches, with y downwards.
    values : mapping of str to float
        Features by column name.
    """
    top = 0.15
    for name, title in _TITLES.items():
        lines = score_words(name, values)
        score = values[f"abcd__{name}"]
        digits = 1 if name in ("tds", "seven_point") else 0
        shown = "unknown" if np.isnan(score) else f"{score:.{digits}f}"
        write(axes, 0, top, title, 12, weight="bold")
        write(axes, _BAR, top, shown, 14, weight="bold", ha="right")
        _bar(axes, top + 0.32, name, values)
        for row, line in enumerate(lines):
            write(axes, 0, top + 0.72 + 0.2 * row, line)
        top += 0.98 + 0.2 * len(lines)


def score_words(name: str, values: Mapping[str, float]) -> list[str]:
    """Explain an ABCD score in a few lines.

    Parameters
    ----------
    name : {"asymmetry", "border", "color", "structures", "tds", "seven_point"}
        Name of the score.
    values : mapping of str to float
        Features by column name.

    Returns
    -------
    list of str
        Lines of at most 50 characters.
    """
    if name == "tds":
        cutoffs = (
            "Published cut-offs apply to counts by",
            "dermatologists, which differ from these.",
        )
        return ["1.3 A + 0.1 B + 0.5 C + 0.5 D.", *cutoffs]
    if name == "seven_point":
        parts = {part: values[f"abcd__seven_point_{part}"] * most for part, most in POINTS.items()}
        terms = " + ".join(f"{part} {points:.2f}" for part, points in parts.items())
        return textwrap.wrap(f"{terms}; of 2 for the first three, else of 1.", 50)
    if name == "structures":
        found = present_structures(values)
        present = ", ".join(part for part, there in found.items() if there)
        least = "; ".join(f"{part} {_least_words(part)}" for part in found)
        return [
            present or "None of five; the least score is 1.",
            *textwrap.wrap(f"Least: {least}.", 50),
        ]
    counted = {
        "asymmetry": "Axes with different halves, of two.",
        "border": "Octants with an abrupt end of the pigment.",
        "color": ", ".join(
            color_word(color) for color in COLORS if values[f"abcd__color_has_{color}"] > 0
        )
        or "None of six; the least score is 1.",
    }
    rank = percent(values[f"perceived__{name}"])
    looks = f"Looks more {_LOOKS[name]} than {rank} of rated lesions."
    return [*textwrap.wrap(counted[name], 50), looks]


def _least_words(structure: str) -> str:
    """Return the value from which a structure is present, with its unit."""
    extent, least = PRESENT[structure]
    if extent.endswith("share"):
        return percent(least)
    if extent.endswith("octants"):
        return f"{least:.0f} octants, each over {percent(STREAKED)}"
    return f"{least:.0f}"


def _bar(axes: Axes, y: float, name: str, values: Mapping[str, float]) -> None:
    """Draw the bar of a score; that of the total has one segment for each weighted score."""
    low, high = SCORE_RANGES[f"abcd__{name}"]
    score = np.nan_to_num(values[f"abcd__{name}"], nan=low)
    stops, segments = [low, score], [("", SCORE)]
    if name == "tds":
        weighted = [
            weight * np.nan_to_num(values[f"abcd__{part}"]) for part, weight in _WEIGHTS.items()
        ]
        low, stops, segments = 0.0, [0.0, *np.cumsum(weighted)], zip("ABCD", _SHADES, strict=True)
    axes.barh(y, _BAR, 0.14, left=0, color=GRID)
    ends = [(stop - low) / (high - low) * _BAR for stop in stops]
    for at, end, (letter, color) in zip(ends[:-1], ends[1:], segments, strict=True):
        axes.barh(y, max(end - at, 0.0), 0.14, left=at, color=color)
        if letter and end - at > 0.12:
            write(axes, (at + end) / 2, y, letter, 8, ha="center", color="white")
    for x, bound, side in ((0, low, "left"), (_BAR, high, "right")):
        write(axes, x, y + 0.19, f"{bound:g}", 8.5, ha=side, color=NOTE)


# Distinguishable by lightness with any colour vision.
SWATCHES = {
    "white": (255, 255, 255),
    "red": (214, 48, 48),
    "light_brown": (222, 184, 135),
    "dark_brown": (96, 56, 32),
    "blue_gray": (110, 145, 185),
    "black": (20, 20, 20),
}
"""RGB in which each of the six colours is shown."""

STRUCTURE_COLORS = {
    "network": NETWORK,
    "streaks": STREAKS,
    "dots": DOTS,
    "globules": GLOBULES,
    "structureless": STRUCTURELESS,
    "veil": VEIL,
}
"""RGB in which each structure is marked."""

_NONE = (229, 222, 216)
Mask = np.ndarray | None
_FEW_PIXELS = 40.0  # lesion diameter below which details are interpolated


def draw_photograph(
    panel: Panel, image: np.ndarray, mask: np.ndarray, field_of_view: Mask, hair: Mask
) -> None:
    """Show the photograph with the outline, excluded areas, and a scale bar.

    Parameters
    ----------
    panel : Panel
        Panel to draw in.
    image : ndarray of shape (H, W, 3), uint8
        The photograph.
    mask : ndarray of shape (H, W), bool
        The lesion; may be empty.
    field_of_view, hair : ndarray of shape (H, W), bool, or None
        Masks of the field of view and of hair, if any.
    """
    shown, words = image, []
    if hair is not None and hair.any():
        shown, words = tint(shown, hair, HAIR, 0.5), ["Violet: hair, excluded."]
    if field_of_view is not None and not field_of_view.all():
        shown = tint(shown, ~field_of_view, (200, 200, 200), 0.55)
        words.append("Grey: no skin visible, excluded.")
    panel.show(draw_overlay(shown, mask))
    if mask.any():
        diameter = float(np.sqrt(4.0 * np.count_nonzero(mask) / np.pi))
        panel.scale_bar(diameter)
        words = ["Green line: mask.", *words]
        if diameter < _FEW_PIXELS:
            words.append(f"Only {diameter:.0f} pixels across: unreliable features.")
    panel.write(" ".join(words), line=1 if mask.any() else 0)


def draw_colors(
    panel: Panel, maps: LesionMaps, values: Mapping[str, float], palette: Palette
) -> None:
    """Show which of the six colours each pixel is assigned to.

    Parameters
    ----------
    panel : Panel
        Panel to draw in.
    maps : LesionMaps
        Maps of the lesion.
    values : mapping of str to float
        Features by column name.
    palette : Palette
        Reference colours.
    """
    shown = np.full((NOT_MEASURED + 1, 3), 255, np.uint8)
    shown[: len(COLORS)] = [SWATCHES[name] for name in COLORS]
    shown[len(COLORS)] = _NONE
    inside = maps.colors != NOT_MEASURED
    picture = np.where(inside[..., None], shown[maps.colors], fade(maps, 0.75))
    show_lesion(panel, maps, picture.astype(np.uint8))
    entries = [("s", *entry) for entry in color_legend(values, palette)]
    others = 1 - sum(values[f"abcd__color_share_{name}"] for name in COLORS)
    rest = ("s", _NONE, f"none of them {percent(others)}", False)
    panel.legend([*entries[:3], rest, *entries[3:]])
    # In the free place of the legend, which has seven entries in two columns of four.
    write(panel.caption, 1.8, 0.7, f"Bold: present ({percent(palette.minimum_share)} or more).")


def color_legend(
    values: Mapping[str, float], palette: Palette = DEFAULT_PALETTE
) -> list[tuple[tuple[int, int, int], str, bool]]:
    """Describe the six colours of a lesion.

    Parameters
    ----------
    values : mapping of str to float
        Features by column name.
    palette : Palette, default=DEFAULT_PALETTE
        Reference colours.

    Returns
    -------
    list of (tuple of int, str, bool)
        RGB in which each colour is shown, its name with its share, and whether it is present.
    """
    least = palette.minimum_share
    return [
        (
            SWATCHES[name],
            f"{color_word(name)} {percent(values[f'abcd__color_share_{name}'], least)}",
            bool(values[f"abcd__color_has_{name}"] > 0),
        )
        for name in COLORS
    ]


def color_word(name: str) -> str:
    """Return the name of a colour for display.

    Parameters
    ----------
    name : str
        One of `COLORS`.

    Returns
    -------
    str
        For example ``"blue-grey"``.
    """
    return "blue-grey" if name == "blue_gray" else name.replace("_", " ")


def draw_structures(panel: Panel, maps: LesionMaps, values: Mapping[str, float]) -> None:
    """Mark network, spots, streaks, structureless areas and veil.

    Parameters
    ----------
    panel : Panel
        Panel to draw in.
    maps : LesionMaps
        Maps of the lesion.
    values : mapping of str to float
        Features by column name.
    """
    found, shown = maps.structures, fade(maps, 0.15)
    shown = tint(shown, found.structureless, STRUCTURELESS, 0.5)
    shown = tint(shown, found.veil, VEIL, 0.45)
    shown = tint(shown, found.lines, NETWORK, 0.9)
    shown = tint(shown, found.streaks, STREAKS, 0.9)
    show_lesion(panel, maps, shown)
    if found.network.any():
        panel.outline(found.network, hex_color(NETWORK))
    _spots(panel, found.dots, ms=3, mfc=hex_color(DOTS), mec=INK, mew=0.5)
    _spots(panel, found.globules, ms=7.5, mfc="none", mec=hex_color(GLOBULES), mew=1.3)
    value = {name.removeprefix("abcd__structure_"): number for name, number in values.items()}
    present = present_structures(values)
    names = ("network", "structureless")
    network, empty = (percent(value[f"{one}_share"], PRESENT[one][1], 1) for one in names)
    entries = [
        ("s", NETWORK, f"network {network}", present["network"]),
        ("s", STREAKS, f"streaks in {value['streaks_octants']:.0f} octants", present["streaks"]),
        ("o", DOTS, f"dots {value['dots_count']:.0f}", present["dots"]),
        ("ring", GLOBULES, f"globules {value['globules_count']:.0f}", present["globules"]),
        ("s", STRUCTURELESS, f"structureless {empty}", present["structureless"]),
        ("s", VEIL, f"blue-white veil {percent(value['veil_share'])}", False),
    ]
    panel.legend(entries)


def _spots(panel: Panel, where: np.ndarray, **style: object) -> None:
    y, x = np.nonzero(where)
    panel.picture.plot(x, y, "o", **style)


def show_lesion(panel: Panel, maps: LesionMaps, picture: np.ndarray) -> None:
    """Show an image of the crop with the outline of the mask.

    Parameters
    ----------
    panel : Panel
        Panel to draw in.
    maps : LesionMaps
        Maps of the lesion.
    picture : ndarray of shape (h, w, 3), uint8
        Image with the size of the crop.
    """
    panel.show(picture)
    panel.outline(maps.lesion.mask, INK)


def fade(maps: LesionMaps, towards_white: float = 0.3) -> np.ndarray:
    """Lighten the crop of the photograph.

    Parameters
    ----------
    maps : LesionMaps
        Maps of the lesion.
    towards_white : float, default=0.3
        0 for no change, 1 for white.

    Returns
    -------
    ndarray of shape (h, w, 3), uint8
        Lightened image, light grey outside the photograph.
    """
    image = maps.photograph
    pale = cv2.addWeighted(image, 1.0 - towards_white, image, 0.0, 255.0 * towards_white)
    pale[~maps.frame] = _BEYOND
    return pale


def tint(
    image: np.ndarray, where: np.ndarray, color: tuple[int, int, int], alpha: float
) -> np.ndarray:
    """Blend a colour into a part of an image.

    Parameters
    ----------
    image : ndarray of shape (h, w, 3), uint8
        RGB image, which is not modified.
    where : ndarray of shape (h, w), bool or float
        Pixels to colour, or their weights from 0 to 1.
    color : tuple of int
        RGB.
    alpha : float
        Opacity, 0 to 1.

    Returns
    -------
    ndarray of shape (h, w, 3), uint8
        A new image.
    """
    weight = alpha * where[..., None].astype(np.float32)
    return (image + weight * (np.array(color, np.float32) - image)).round().astype(np.uint8)


def unit_vector(angle: float) -> np.ndarray:
    """Return the unit vector in a direction.

    Parameters
    ----------
    angle : float
        Radians from the horizontal axis towards increasing rows.

    Returns
    -------
    ndarray of shape (2,), float
        (x, y) of length 1.
    """
    return np.array([np.cos(angle), np.sin(angle)])


def hex_color(color: tuple[int, int, int]) -> str:
    """Format an RGB colour for matplotlib.

    Parameters
    ----------
    color : tuple of int
        RGB.

    Returns
    -------
    str
        For example ``"#0072B2"``.
    """
    return "#{:02X}{:02X}{:02X}".format(*color)


def draw_abcd_sheet(
    image: np.ndarray,
    mask: np.ndarray,
    *,
    field_of_view: np.ndarray | None = None,
    hair: np.ndarray | None = None,
    raw: np.ndarray | None = None,
    structures: np.ndarray | None = None,
    palette: Palette = DEFAULT_PALETTE,
    title: str = "ABCD sheet",
    notes: str = "",
) -> Figure:
    """Draw the ABCD features of one lesion.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB image, usually after colour constancy.
    mask : ndarray of shape (H, W), bool
        True inside the lesion. If the mask is empty, the sheet states that no lesion was found.
    field_of_view : ndarray of shape (H, W), bool, default=None
        True where skin is visible. If None, skin is visible everywhere.
    hair : ndarray of shape (H, W), bool, default=None
        True on hair. If None, the image has no hair.
    raw : ndarray of shape (H, W, 3), uint8, default=None
        The photograph to show. If None, `image` is shown.
    structures : ndarray of shape (5, S, S), float32, default=None
        Maps of dermoscopic structures, as passed to `hybridlesion.features.abcd`.
    palette : Palette, default=DEFAULT_PALETTE
        Reference colours.
    title : str, default="ABCD sheet"
        Title, which may be any text.
    notes : str, default=""
        Line below the title.

    Returns
    -------
    Figure
        1600 x 1000 pixels at 100 dpi: the photograph, the asymmetry of shape and colour, the
        octants of the border, the six colours, the structures, and the scores. Each overlay is the
        map from which its feature is computed.

    Raises
    ------
    ImageError
        If the image is not a (H, W, 3) uint8 array, or a mask has a different size.

    Examples
    --------
    >>> import numpy as np
    >>> from hybridlesion.plotting import draw_abcd_sheet
    >>> y, x = np.mgrid[-80:81, -80:81]
    >>> disc = x**2 + y**2 <= 50**2
    >>> image = np.where(disc[..., None], (120, 80, 60), (225, 190, 170)).astype(np.uint8)
    >>> figure = draw_abcd_sheet(image, disc, title="A disc")
    >>> figure.get_size_inches() * figure.dpi
    array([1600., 1000.])
    """
    options = {"field_of_view": field_of_view, "hair": hair}
    values = abcd(image, mask, raw=raw, structures=structures, palette=palette, **options)
    image, mask = check_image(image), check_mask(mask)
    options = {name: None if x is None else check_mask(x) for name, x in options.items()}
    figure, shown = make_page(title, notes), image if raw is None else raw
    draw_photograph(make_panel(figure, 0, 0, "Photograph"), shown, mask, **options)
    if not mask.any():
        text = "No lesion was found: there is nothing to measure."
        write(figure, 0.6, 0.6, text, 15, ha="center", va="baseline")
        return figure
    maps = lesion_maps(image, mask, raw=raw, palette=palette, **options)
    draw_shape_mirror(make_panel(figure, 1, 0, "A  Asymmetry of shape"), maps)
    draw_color_mirror(make_panel(figure, 2, 0, "A  Asymmetry of colour"), maps)
    draw_border(make_panel(figure, 0, 1, "B  Border: pigment cut-off"), maps)
    draw_colors(make_panel(figure, 1, 1, "C  The six colours"), maps, values, palette)
    draw_structures(make_panel(figure, 2, 1, "D  Structures"), maps, values)
    draw_numbers(numbers_axes(figure), values)
    return figure
