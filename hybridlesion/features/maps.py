"""Maps of one lesion that show where its features come from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hybridlesion._optional_imports import cv2
from hybridlesion.features import structure
from hybridlesion.features._context import LesionContext, cut_out
from hybridlesion.features._numerics import group_medians
from hybridlesion.features.asymmetry import N_AXES, choose_axes, reflect, shrink
from hybridlesion.features.border import OCTANTS, abruptness, border_profiles, steepest_rise
from hybridlesion.features.color import DEFAULT_PALETTE, Palette, classify_colors

NOT_MEASURED = 255
"""Value outside the lesion and under hairs."""


def color_map(lesion: LesionContext, palette: Palette = DEFAULT_PALETTE) -> np.ndarray:
    """Map the colour of every measured pixel.

    Parameters
    ----------
    lesion : LesionContext
        The lesion at measuring scale.
    palette : Palette, default=DEFAULT_PALETTE
        Reference colours.

    Returns
    -------
    ndarray of shape (h, w), uint8
        Index into `COLORS`; 6 for none of the colours, 255 for pixels that were not measured.
    """
    named = np.full(lesion.mask.shape, NOT_MEASURED, np.uint8)
    named[lesion.inside] = classify_colors(lesion, palette)
    return named


@dataclass(frozen=True)
class MirrorMap:
    """Lesion and its mirror image about the best axis, at the scale of the comparison.

    Parameters
    ----------
    angle : float
        Direction of the best axis in radians, from the row axis towards increasing rows.
    shape, color : tuple of two float
        Mismatch of contour and colour about the best axis and about the one perpendicular to it.
    own, mirrored : ndarray of shape (h, w), float32
        The mask and its mirror image, 0 to 1.
    difference : ndarray of shape (h, w), float32
        Delta-E between each pixel and its mirror image; NaN where the halves do not overlap.
    """

    angle: float
    shape: tuple[float, float]
    color: tuple[float, float]
    own: np.ndarray
    mirrored: np.ndarray
    difference: np.ndarray


def mirror_map(lesion: LesionContext) -> MirrorMap:
    """Mirror a lesion about the axis of least asymmetry.

    Parameters
    ----------
    lesion : LesionContext
        The lesion at measuring scale.

    Returns
    -------
    MirrorMap
        Both halves of the comparison about the best axis, and the mismatches about both axes.
    """
    mask, lab, pigment, _ = shrink(lesion)
    curves = reflect(mask, lab, pigment, lesion.axes[0])
    best, _ = choose_axes(curves)
    angle = lesion.axes[0] + best * np.pi / N_AXES
    layers = np.dstack([lab, mask.astype(np.float32)])
    mirror = cv2.warpAffine(layers, _reflection(mask, angle), mask.shape[::-1])
    difference = np.linalg.norm(lab - mirror[..., :3], axis=2)
    difference[~(mask & (mirror[..., 3] > 0.5))] = np.nan
    pair = [best, (best + N_AXES // 2) % N_AXES]
    shape, color = (tuple(curves[kind][pair].tolist()) for kind in ("shape", "color"))
    return MirrorMap(angle, shape, color, layers[..., 3], mirror[..., 3], difference)


def _reflection(mask: np.ndarray, angle: float) -> np.ndarray:
    """2x3 matrix that reflects points about the line through the mask's centroid at `angle`."""
    center = np.array([places.mean() for places in np.nonzero(mask)])[::-1]
    cos, sin = np.cos(2.0 * angle), np.sin(2.0 * angle)
    linear = np.array([[cos, sin], [sin, -cos]])
    return np.column_stack([linear, center - linear @ center])


@dataclass(frozen=True)
class Octants:
    """Cut-off of the eight octants, counted from the major axis towards increasing rows.

    Parameters
    ----------
    slope : ndarray of shape (8,), float
        Median of the steepest rises of lightness, in L* per tenth of a diameter; NaN if the border
        is not visible on both sides.
    weight : ndarray of shape (8,), float
        How abrupt the octant is, from 0 to 1; NaN if it is not visible.
    of_point : ndarray of shape (256,), int
        Octant of each point of the outline.
    """

    slope: np.ndarray
    weight: np.ndarray
    of_point: np.ndarray

    @property
    def abrupt(self) -> np.ndarray:
        """Octants that count as abrupt, with a weight of at least 0.5, (8,) bool."""
        return self.weight >= 0.5


def octant_cutoffs(lesion: LesionContext) -> Octants:
    """Measure the cut-off at the border in each octant.

    Parameters
    ----------
    lesion : LesionContext
        The lesion at measuring scale.

    Returns
    -------
    Octants
        Cut-off by octant. The mean weight of the visible octants, times eight, is the feature
        ``border_abrupt``.
    """
    lab, octant = border_profiles(lesion)
    rise = steepest_rise(lab)
    seen = np.isfinite(rise)
    slope = np.full(OCTANTS, np.nan)
    if seen.any():
        slope[np.unique(octant[seen])] = group_medians(rise[seen], octant[seen])
    return Octants(slope, abruptness(slope), octant)


@dataclass(frozen=True)
class StructureMaps:
    """Structures of one lesion at measuring scale; all maps have the size of the cut-out.

    Parameters
    ----------
    core : ndarray of shape (h, w), bool
        Lesion without its rim, which is searched for a network.
    network : ndarray of shape (h, w), bool
        Areas with dense dark lines.
    lines : ndarray of shape (h, w), bool
        Dark lines in these areas.
    dots, globules : ndarray of shape (h, w), bool
        Centres of dark spots.
    rim : ndarray of shape (h, w), bool
        Rim of the lesion, which is searched for streaks.
    streaks : ndarray of shape (h, w), bool
        Dark radial lines in the rim.
    structureless : ndarray of shape (h, w), bool
        Areas with nearly constant lightness.
    veil : ndarray of shape (h, w), float32
        How much each pixel resembles blue-white veil, 0 to 1.
    """

    core: np.ndarray
    network: np.ndarray
    lines: np.ndarray
    dots: np.ndarray
    globules: np.ndarray
    rim: np.ndarray
    streaks: np.ndarray
    structureless: np.ndarray
    veil: np.ndarray


def structure_maps(lesion: LesionContext) -> StructureMaps:
    """Locate the structures that `hybridlesion.features.structure` counts.

    Parameters
    ----------
    lesion : LesionContext
        The lesion at measuring scale.

    Returns
    -------
    StructureMaps
        Maps whose shares and counts equal the features, as verified by a test.
    """

    def mark(where: np.ndarray) -> np.ndarray:
        marked = np.zeros(lesion.mask.shape, bool)
        marked.ravel()[where] = True
        return marked

    lines, density = structure.find_lines(lesion)
    network = (density > structure.DENSE) & lesion.core
    spots = structure.find_spots(lesion)
    rim, _, radial, _ = structure.find_streaks(lesion)
    darkness = lesion.lab_inside[0] - np.float32(lesion.ground[0])
    veil = np.zeros(lesion.mask.shape, np.float32)
    veil[lesion.inside] = structure.veil_weight(lesion.lab_inside[2], darkness)
    return StructureMaps(
        core=lesion.core,
        network=network,
        lines=lines & network,
        dots=mark(spots["dots"][0]),
        globules=mark(spots["globules"][0]),
        rim=mark(rim),
        streaks=mark(rim[radial]),
        structureless=(structure.local_variance(lesion) < structure.CALM**2) & lesion.inside,
        veil=veil,
    )


@dataclass(frozen=True)
class LesionMaps:
    """Lesion cut out at measuring scale, with maps of its features.

    Parameters
    ----------
    lesion : LesionContext
        Cut-out, mask, axes and outline.
    photograph : ndarray of shape (h, w, 3), uint8
        The same cut-out from `raw`, as passed to `lesion_maps`.
    frame : ndarray of shape (h, w), bool
        True inside the photograph, False where the cut-out extends beyond it.
    mirror : MirrorMap
        The lesion mirrored about its best axis.
    octants : Octants
        Cut-off at the border.
    colors : ndarray of shape (h, w), uint8
        Named colours, as returned by `color_map`.
    structures : StructureMaps
        Network, spots, streaks and areas.
    """

    lesion: LesionContext
    photograph: np.ndarray
    frame: np.ndarray
    mirror: MirrorMap
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
    """Locate the sources of a lesion's features; the parameters are those of `abcd`.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB image, usually after colour constancy.
    mask : ndarray of shape (H, W), bool
        Lesion mask with at least one pixel.
    field_of_view : ndarray of shape (H, W), bool, default=None
        True on visible skin. If None, the whole image is used.
    hair : ndarray of shape (H, W), bool, default=None
        True on hair. If None, the image is assumed to be free of hair.
    raw : ndarray of shape (H, W, 3), uint8, default=None
        Image before colour constancy. If None, `image` is used.
    palette : Palette, default=DEFAULT_PALETTE
        Reference points of the six colours.

    Returns
    -------
    LesionMaps
        Maps at the scale at which features are measured.
    """
    lesion = cut_out(image, mask, field_of_view=field_of_view, hair=hair)
    shown = cut_out(image if raw is None else raw, mask)
    return LesionMaps(
        lesion,
        shown.image,
        shown.usable,
        mirror_map(lesion),
        octant_cutoffs(lesion),
        color_map(lesion, palette),
        structure_maps(lesion),
    )
