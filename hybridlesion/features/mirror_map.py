"""Where a lesion and its mirror image differ: the pictures behind the numbers of asymmetry."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hybridlesion._opencv import cv2
from hybridlesion.features._lesion import Lesion
from hybridlesion.features.asymmetry import N_AXES, _small, reflect

__all__ = ["MirrorMap", "mirror_map"]


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


def mirror_map(lesion: Lesion, kind: str) -> MirrorMap:
    """Mirror a lesion about the axis that suits its shape, or its colour, best.

    Parameters
    ----------
    lesion : Lesion
        The lesion at measuring scale.
    kind : {"shape", "color"}
        What shall match best.

    Returns
    -------
    MirrorMap
        ``sum |own - mirrored| / (2 sum own)`` is the feature ``asymmetry_shape_min`` for the
        shape, and the mean of `difference` is ``asymmetry_color_min`` for the colour.
    """
    mask, lab, pigment, _ = _small(lesion)
    curve = getattr(reflect(mask, lab, pigment, lesion.axes[0]), kind)
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
