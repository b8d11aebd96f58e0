"""The picture of B on an ABCD sheet: how abruptly the pigment ends, octant by octant."""

from __future__ import annotations

import numpy as np

from hybridlesion.features.maps import LesionMaps
from hybridlesion.features.octants import ABRUPT
from hybridlesion.report._abcd_layout import Panel
from hybridlesion.report._abcd_marks import fade, limit_view, unit_vector
from hybridlesion.report._style import INK

__all__ = ["draw_border"]

_STEEPEST = 2.0 * ABRUPT  # slope at the end of the colour scale, the limit is its middle
_SLOPES = "RdYlBu_r"


def draw_border(panel: Panel, maps: LesionMaps) -> None:
    """Colour eight octants of the border by how abruptly the pigment ends.

    Parameters
    ----------
    panel : Panel
        Where to draw.
    maps : LesionMaps
        The lesion.
    """
    panel.picture.imshow(fade(maps))
    for octant in range(8):
        _octant(panel, maps, octant)
    seen = int(np.isfinite(maps.octants.slope).sum())
    octants = "8 octants" if seen == 8 else f"the {seen} octants seen"
    count = f"{maps.octants.abrupt.sum()} of {octants}" if seen else "no octant is seen"
    panel.say(
        "How steeply lightness rises across the border, in L* per tenth of a diameter. Bold and "
        f"framed: abrupt ({ABRUPT:.0f} or more), {count}."
    )
    panel.scale(_SLOPES, "soft 0", f"{_STEEPEST:.0f} or more", middle=True)


def _octant(panel: Panel, maps: LesionMaps, octant: int) -> None:
    """Draw one octant's piece of the border, its number and where it begins."""
    from matplotlib import colormaps

    lesion, slope = maps.lesion, maps.octants.slope[octant]
    abrupt, seen = bool(maps.octants.abrupt[octant]), bool(np.isfinite(slope))
    own = maps.octants.of_point == octant
    center, angle = np.array(lesion.center), lesion.axes[0] + octant * np.pi / 4
    radius = np.hypot(*(lesion.outline.points - center).T)
    far = center + (radius.max() + 0.1 * lesion.diameter) * unit_vector(angle)
    panel.picture.plot(*np.array([center, far]).T, color=INK, lw=0.6, alpha=0.6)
    if not own.any():
        return
    color = colormaps[_SLOPES](np.clip(slope / _STEEPEST, 0, 1)) if seen else "#BBBBBB"
    _band(panel, maps, own, color, abrupt)
    place = center + (radius[own].max() + 0.16 * lesion.diameter) * unit_vector(angle + np.pi / 8)
    edge = 0.08 * lesion.diameter
    x, y = np.clip(place, edge, np.array(lesion.mask.shape[::-1]) - edge)
    # cut, not rounded, so that what reads 30 is 30 or more
    panel.picture.text(x, y, f"{np.floor(slope):.0f}" if seen else "unseen", ha="center",
                       va="center", fontsize=11 if abrupt else 9.5, color=INK,
                       fontweight="bold" if abrupt else "normal",
                       path_effects=_halo())  # fmt: skip


def _halo() -> list:
    """A white rim that keeps letters readable on any picture."""
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=3, foreground="white")]


def _band(panel: Panel, maps: LesionMaps, own: np.ndarray, color, abrupt: bool) -> None:
    """Colour the outline of one octant as a band of pieces from point to point."""
    from matplotlib.collections import PolyCollection

    lesion = maps.lesion
    half = 0.045 * lesion.diameter * lesion.outline.normals
    inner, outer = lesion.outline.points - half, lesion.outline.points + half
    corners = [inner, outer, np.roll(outer, -1, axis=0), np.roll(inner, -1, axis=0)]
    pieces = np.stack(corners, axis=1)[own]
    if abrupt:
        panel.picture.add_collection(
            PolyCollection(pieces, facecolors=INK, edgecolors=INK, linewidths=4.5)
        )
    panel.picture.add_collection(
        PolyCollection(pieces, facecolors=[color], edgecolors=[color], linewidths=0.6, zorder=1.5)
    )
    limit_view(panel, maps)
