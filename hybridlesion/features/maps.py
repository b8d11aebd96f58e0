"""One lesion as the features see it: every picture that stands behind their numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hybridlesion.features._lesion import Lesion, cut_out
from hybridlesion.features.color_map import color_map
from hybridlesion.features.mirror_map import MirrorMap, mirror_map
from hybridlesion.features.octants import Octants, octant_cutoffs
from hybridlesion.features.palette import DEFAULT_PALETTE, Palette
from hybridlesion.features.structure_maps import StructureMaps, structure_maps

__all__ = ["LesionMaps", "lesion_maps"]


@dataclass(frozen=True)
class LesionMaps:
    """A lesion cut out at measuring scale, and what was found where.

    Parameters
    ----------
    lesion : Lesion
        Cut-out, mask, axes and outline.
    photograph : ndarray of shape (h, w, 3), uint8
        The same cut-out of `raw`.
    frame : ndarray of shape (h, w), bool
        True inside the photograph, False where the cut-out reaches beyond it.
    shape, color : MirrorMap
        The lesion mirrored about the best axis of its shape, and of its colour.
    octants : Octants
        Cut-off at the border.
    colors : ndarray of shape (h, w), uint8
        Named colours, as `color_map` gives them.
    structures : StructureMaps
        Network, spots, streaks and areas.
    """

    lesion: Lesion
    photograph: np.ndarray
    frame: np.ndarray
    shape: MirrorMap
    color: MirrorMap
    octants: Octants
    colors: np.ndarray
    structures: StructureMaps


def lesion_maps(
    image: np.ndarray,
    mask: np.ndarray,
    *,
    field_of_view: np.ndarray | None = None,
    hair: np.ndarray | None = None,
    raw: np.ndarray | None = None,
    palette: Palette = DEFAULT_PALETTE,
) -> LesionMaps:
    """Find where in a lesion its features come from; takes what `abcd` takes.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB image, usually after colour constancy.
    mask : ndarray of shape (H, W), bool
        The lesion; at least one pixel.
    field_of_view : ndarray of shape (H, W), bool, default=None
        True where the picture shows skin; None means everywhere.
    hair : ndarray of shape (H, W), bool, default=None
        True on hairs; None means no hair.
    raw : ndarray of shape (H, W, 3), uint8, default=None
        The image before colour constancy; None means `image`.
    palette : Palette, default=DEFAULT_PALETTE
        Reference points of the six colours.

    Returns
    -------
    LesionMaps
        All at the scale at which the features are measured.
    """
    lesion = cut_out(image, mask, field_of_view=field_of_view, hair=hair)
    shown = cut_out(image if raw is None else raw, mask)
    return LesionMaps(
        lesion,
        shown.image,
        shown.usable,
        mirror_map(lesion, "shape"),
        mirror_map(lesion, "color"),
        octant_cutoffs(lesion),
        color_map(lesion, palette),
        structure_maps(lesion),
    )
