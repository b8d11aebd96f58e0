"""Maps of one lesion that show where its features come from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hybridlesion._optional_imports import cv2
from hybridlesion.features import structure
from hybridlesion.features._context import LesionContext, cut_out
from hybridlesion.features._numerics import group_medians
from hybridlesion.features.asymmetry import N_AXES, reflect, shrink
from hybridlesion.features.border import OCTANTS, abruptness, border_profiles, steepest_rise
from hybridlesion.features.color import DEFAULT_PALETTE, Palette, classify_colors

NOT_MEASURED = 255
"""Value outside the lesion and under hairs."""


def color_map(lesion: LesionContext, palette: Palette = DEFAULT_PALETTE) -> np.ndarray:
    """Put the colour of every measured pixel where it belongs.

    Parameters
    ----------
    lesion : LesionContext
        The lesion at measuring scale.
    palette : Palette, default=DEFAULT_PALETTE
        Reference colours.

    Returns
    -------
    ndarray of shape (h, w), uint8
        Index into `COLORS`, 6 for none of them, 255 where nothing was measured.
    """
    named = np.full(lesion.mask.shape, NOT_MEASURED, np.uint8)
    named[lesion.inside] = classify_colors(lesion, palette)
    return named


@dataclass(frozen=True)
class MirrorMap:
    """A lesion and its mirror image about its best axis, at the scale at which both are compared.

    Parameters
    ----------
    angle : float
        Direction of the best axis in radians, from the row axis towards rising rows.
    best, cross : float
        Mismatch about that axis, and about the one perpendicular to it.
    own, mirrored : ndarray of shape (h, w), float32
        The mask and its mirror image, 0 to 1.
    difference : ndarray of shape (h, w), float32
        Delta-E of each pixel to its mirror image; NaN where the halves do not overlap.
    """

    angle: float
    best: float
    cross: float
    own: np.ndarray
    mirrored: np.ndarray
    difference: np.ndarray


def mirror_map(lesion: LesionContext, kind: str) -> MirrorMap:
    """Mirror a lesion about the axis that suits its shape, or its colour, best.

    Parameters
    ----------
    lesion : LesionContext
        The lesion at measuring scale.
    kind : {"shape", "color"}
        What shall match best.

    Returns
    -------
    MirrorMap
        ``sum |own - mirrored| / (2 sum own)`` is the feature ``asymmetry_shape_min`` for the
        shape, and the mean of `difference` is ``asymmetry_color_min`` for the colour.
    """
    mask, lab, pigment, _ = shrink(lesion)
    curve = reflect(mask, lab, pigment, lesion.axes[0])[kind]
    best = int(curve.argmin())
    angle = lesion.axes[0] + best * np.pi / N_AXES
    layers = np.dstack([lab, mask.astype(np.float32)])
    mirror = cv2.warpAffine(layers, _reflection(mask, angle), mask.shape[::-1])
    difference = np.linalg.norm(lab - mirror[..., :3], axis=2)
    difference[~(mask & (mirror[..., 3] > 0.5))] = np.nan
    cross = curve[(best + N_AXES // 2) % N_AXES]
    return MirrorMap(
        float(angle), float(curve[best]), float(cross), layers[..., 3], mirror[..., 3], difference
    )


def _reflection(mask: np.ndarray, angle: float) -> np.ndarray:
    """2x3 matrix that reflects points about the line through the mask's centroid at `angle`."""
    center = np.array([places.mean() for places in np.nonzero(mask)])[::-1]
    cos, sin = np.cos(2.0 * angle), np.sin(2.0 * angle)
    linear = np.array([[cos, sin], [sin, -cos]])
    return np.column_stack([linear, center - linear @ center])


@dataclass(frozen=True)
class Octants:
    """The cut-off of eight octants, counted from the major axis towards rising rows.

    Parameters
    ----------
    slope : ndarray of shape (8,), float
        Median of the steepest rises of lightness, L* per tenth of a diameter; NaN where the border
        is not seen from both sides.
    weight : ndarray of shape (8,), float
        How much the octant counts as abrupt, 0 to 1; from 0.5 on it does. NaN where not seen.
    of_point : ndarray of shape (256,), int
        Octant of each point of the outline.
    """

    slope: np.ndarray
    weight: np.ndarray
    of_point: np.ndarray

    @property
    def abrupt(self) -> np.ndarray:
        """Octants that count as abrupt, (8,) bool."""
        return self.weight >= 0.5


def octant_cutoffs(lesion: LesionContext) -> Octants:
    """Measure the cut-off octant by octant.

    Parameters
    ----------
    lesion : LesionContext
        The lesion at measuring scale.

    Returns
    -------
    Octants
        The mean weight of the octants that are seen, times eight, is the feature
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
    """Structures of one lesion at measuring scale, all of its cut-out's size.

    Parameters
    ----------
    core : ndarray of shape (h, w), bool
        The lesion without its rim, in which a network is looked for.
    network : ndarray of shape (h, w), bool
        Where dark lines are dense.
    lines : ndarray of shape (h, w), bool
        Those lines.
    dots, globules : ndarray of shape (h, w), bool
        Centres of dark spots.
    rim : ndarray of shape (h, w), bool
        The rim, in which streaks are looked for.
    streaks : ndarray of shape (h, w), bool
        Dark radial lines in the rim.
    structureless : ndarray of shape (h, w), bool
        Where lightness hardly changes.
    veil : ndarray of shape (h, w), float32
        How much each pixel counts as blue-white veil, 0 to 1.
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
    """Find the structures where `hybridlesion.features.structure` counts them.

    Parameters
    ----------
    lesion : LesionContext
        The lesion at measuring scale.

    Returns
    -------
    StructureMaps
        A test holds that shares and counts taken from these maps are the features.
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
    """A lesion cut out at measuring scale, and what was found where.

    Parameters
    ----------
    lesion : LesionContext
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

    lesion: LesionContext
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
