"""The pictures of A on an ABCD sheet: what does not match when the lesion is mirrored."""

from __future__ import annotations

import numpy as np

from hybridlesion._opencv import cv2
from hybridlesion.features.maps import LesionMaps
from hybridlesion.report._abcd_layout import Panel
from hybridlesion.report._abcd_marks import (
    BLUE,
    RED,
    fade,
    limit_view,
    show_lesion,
    tint,
    unit_vector,
)
from hybridlesion.report._abcd_words import percent
from hybridlesion.report._style import INK

__all__ = ["draw_color_mirror", "draw_shape_mirror"]

_LARGEST_DIFFERENCE = 30.0  # Delta-E at the end of the colour scale


def draw_shape_mirror(panel: Panel, maps: LesionMaps) -> None:
    """Shade what has no partner when the lesion is mirrored.

    Parameters
    ----------
    panel : Panel
        Where to draw.
    maps : LesionMaps
        The lesion.
    """
    found, lesion = maps.shape, maps.lesion
    size = lesion.mask.shape[::-1]
    own, theirs = (
        cv2.resize(layer, size, interpolation=cv2.INTER_CUBIC) > 0.5
        for layer in (found.own, found.mirrored)
    )
    shown = tint(fade(maps), own & ~theirs, RED, 0.7)
    show_lesion(panel, maps, tint(shown, theirs & ~own, BLUE, 0.6))
    _axes(panel, maps, found.angle)
    panel.say(
        f"{percent(found.best)} of the lesion has no mirror partner about its best axis (solid), "
        f"{percent(found.cross)} about the axis across it (dashed). Orange: sticks out about the "
        "best axis; blue: is missing there."
    )


def draw_color_mirror(panel: Panel, maps: LesionMaps) -> None:
    """Show how much each pixel differs in colour from its mirror image.

    Parameters
    ----------
    panel : Panel
        Where to draw.
    maps : LesionMaps
        The lesion.
    """
    found, size = maps.color, maps.lesion.mask.shape[::-1]
    both = np.isfinite(found.difference)
    difference = cv2.resize(np.where(both, found.difference, 0.0).astype(np.float32), size)
    both = cv2.resize(both.astype(np.float32), size)
    shown = np.where(both > 0.5, difference / np.maximum(both, 0.5), np.nan)
    show_lesion(panel, maps, fade(maps))
    panel.picture.imshow(shown, cmap="cividis", vmin=0.0, vmax=_LARGEST_DIFFERENCE)
    _axes(panel, maps, found.angle)
    panel.say(
        f"Mirrored points differ in colour by {found.best:.1f} on average about the best axis "
        f"(solid), by {found.cross:.1f} about the axis across it (dashed)."
    )
    panel.scale("cividis", "alike 0", f"{_LARGEST_DIFFERENCE:.0f} or more (Delta-E)")


def _axes(panel: Panel, maps: LesionMaps, angle: float) -> None:
    """Draw the best axis and the one across it through the centre."""
    center, lesion = np.array(maps.lesion.center), maps.lesion
    offset = np.argwhere(lesion.mask)[:, ::-1] - center
    for turn, style in ((0.0, "-"), (np.pi / 2, (0, (4, 3)))):
        direction = unit_vector(angle + turn)
        along = offset @ direction
        ends = (along.min() - 0.1 * lesion.diameter, along.max() + 0.1 * lesion.diameter)
        line = center + np.outer(ends, direction)
        panel.picture.plot(*line.T, color="white", lw=3.2, alpha=0.8, solid_capstyle="round")
        panel.picture.plot(*line.T, color=INK, lw=1.6, ls=style)
    limit_view(panel, maps)
