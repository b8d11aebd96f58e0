"""What counts as a network, a spot, a streak, a structureless area and a veil.

The numbers of `structure` and the pictures of `structure_maps` both follow these rules.
"""

from __future__ import annotations

import numpy as np

from hybridlesion._opencv import cv2
from hybridlesion.features._lesion import Lesion
from hybridlesion.features._ridges import Curvature

__all__ = [
    "BLOBS",
    "CALM",
    "DENSE",
    "LEAST",
    "LINE",
    "RADIAL",
    "core_of",
    "density",
    "find_spots",
    "local_variance",
    "radial_direction",
    "rim_of",
    "veil_weight",
]

LINE = 1.5  # sigma in pixels of the filter for network lines and streaks
BLOBS = {"dots": 1.5, "globules": 3.0}  # sigma in pixels; a spot of radius 1.4 sigma answers most
LEAST = 1.2  # L*; weaker lines and blobs are noise of the camera and of JPEG
DENSE = 0.18  # share of a neighbourhood on dark lines from which it is a network
RADIAL = 0.7  # cosine of twice the angle to the radius, above which a line is a streak
CALM = 1.5  # L*; a smaller local deviation is structureless

_NEIGHBOURHOOD = (17, 17)  # pixels in which lines are counted
_WINDOW = (9, 9)  # pixels in which lightness is compared


def core_of(lesion: Lesion) -> np.ndarray:
    """The lesion without its rim, in which a network is looked for.

    Parameters
    ----------
    lesion : Lesion
        The lesion at measuring scale.

    Returns
    -------
    ndarray of shape (h, w), bool
        All of it where nothing but rim is there.
    """
    core = lesion.inside & (lesion.depth > 0.03)
    return core if core.any() else lesion.inside


def density(lines: np.ndarray) -> np.ndarray:
    """Share of each pixel's neighbourhood that lies on lines.

    Parameters
    ----------
    lines : ndarray of shape (h, w), bool
        Pixels on dark lines.

    Returns
    -------
    ndarray of shape (h, w), float32
        0 to 1.
    """
    return cv2.blur(lines.astype(np.float32), _NEIGHBOURHOOD)


def rim_of(lesion: Lesion) -> np.ndarray:
    """Both sides of the border, where streaks are looked for.

    Parameters
    ----------
    lesion : Lesion
        The lesion at measuring scale.

    Returns
    -------
    ndarray of shape (h, w), bool
        Usable pixels up to 0.1 diameters inside and 0.05 outside.
    """
    return (lesion.depth < 0.1) & (lesion.reach < 0.05) & lesion.usable


def find_spots(lesion: Lesion, sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """Find round dark spots of one size.

    Parameters
    ----------
    lesion : Lesion
        The lesion at measuring scale.
    sigma : float
        Width of the filter in pixels.

    Returns
    -------
    strength : ndarray of shape (h, w), float32
        Half the Laplacian where it is round enough, else 0.
    centres : ndarray of shape (h, w), bool
        Its maxima in the lesion.
    """
    hessian = lesion.hessian(sigma)
    # round enough: mean - root > (mean + root) / 2, that is, the weaker curvature is at least half
    # the stronger one
    strength = hessian.mean * (hessian.mean > 3.0 * hessian.root)
    size = 2 * round(1.4 * sigma) + 1
    centres = strength >= cv2.dilate(strength, np.ones((size, size), np.uint8))
    centres &= (strength > LEAST) & lesion.inside & (lesion.depth > 0.02)
    # neighbours of equal height are one spot
    centres[1:] &= ~centres[:-1]
    centres[:, 1:] &= ~centres[:, :-1]
    return strength, centres


def radial_direction(lesion: Lesion, line: Curvature, where: np.ndarray) -> np.ndarray:
    """Compare the direction of lines with that of the radius.

    Parameters
    ----------
    lesion : Lesion
        The lesion at measuring scale.
    line : Curvature
        Its second derivatives.
    where : ndarray of shape (n,), int
        Positions in the flattened cut-out.

    Returns
    -------
    ndarray of shape (n,), float32
        Cosine of twice the angle between them: 1 along the radius, -1 across it.
    """
    # across a streak is across the radius
    turn = lesion.angle.ravel()[where] * np.float32(2.0 * np.pi / 128.0)
    turn += np.float32(2.0 * lesion.axes[0])
    cos, sin = line.across(where)
    return -(cos * np.cos(turn) + sin * np.sin(turn))


def local_variance(lesion: Lesion) -> np.ndarray:
    """Variance of lightness round each pixel.

    Parameters
    ----------
    lesion : Lesion
        The lesion at measuring scale.

    Returns
    -------
    ndarray of shape (h, w), float32
        In windows of 1/18 diameter; rounding may leave a little below 0.
    """
    mean = cv2.blur(lesion.lightness, _WINDOW)
    return cv2.blur(lesion.lightness * lesion.lightness, _WINDOW) - mean * mean


def veil_weight(b: np.ndarray, darkness: np.ndarray) -> np.ndarray:
    """Say how much pixels look like blue-white veil: blue and dark, each by a soft step.

    Parameters
    ----------
    b : ndarray of shape (n,), float
        b* of the pixels.
    darkness : ndarray of shape (n,), float
        L* minus that of the skin.

    Returns
    -------
    ndarray of shape (n,), float
        0 to 1.
    """
    return 1.0 / ((1.0 + np.exp((b - 2.0) / 2.0)) * (1.0 + np.exp((darkness + 14.0) / 3.0)))
