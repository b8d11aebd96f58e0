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
    "STANDING_OUT",
    "core_of",
    "density",
    "find_spots",
    "local_variance",
    "radial_direction",
    "rim_of",
    "veil_weight",
]

LINE = 1.5  # sigma in pixels of the filter for network lines and streaks
BLOBS = {"dots": 1.5, "globules": 3.0}  # sigma in pixels
LEAST = 1.2  # L*; weaker lines and blobs are noise of the camera and of JPEG
DENSE = 0.18  # share of a neighbourhood on dark lines from which it is a network
# Times the strength of the lines around it, from which a spot counts. From 4 to 5 the counts agree
# with the experts of PH2 alike; the higher, the less they repeat when a picture is turned.
STANDING_OUT = 4.5
RADIAL = 0.7  # cosine of twice the angle to the radius, above which a line is a streak
CALM = 1.5  # L*; a smaller local deviation is structureless

_RADIUS = 1.4  # sigma; a spot of this radius answers most
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
    return cv2.boxFilter(lines.view(np.uint8), cv2.CV_32F, _NEIGHBOURHOOD)


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


def find_spots(
    lesion: Lesion, line: Curvature, core: np.ndarray
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Find round dark spots of two sizes, each spot once.

    Parameters
    ----------
    lesion : Lesion
        The lesion at measuring scale.
    line : Curvature
        Its second derivatives at the scale of lines.
    core : ndarray of shape (h, w), bool
        Where lines count, as `core_of` gives it.

    Returns
    -------
    dict of str to (ndarray of shape (n,), int, ndarray of shape (n,), float32)
        For ``dots`` and ``globules`` the positions of their centres in the flattened cut-out, and
        half the Laplacian there, in L*.

    Notes
    -----
    A spot stands out: half its Laplacian exceeds 4.5 times the mean strength of dark lines around
    it, else it is a knot of the network. Of a dot and a globule that overlap, closer than the
    globule's radius of 1.4 sigma, the one with the larger scale-normalised Laplacian counts.
    """
    # the core lies in the box of the lesion
    lines = cv2.copyTo(cv2.max(line.dark_line[lesion.box], 0.0), core[lesion.box].view(np.uint8))
    around = np.zeros(core.shape, np.float32)
    around[lesion.box] = cv2.blur(lines, _NEIGHBOURHOOD, borderType=cv2.BORDER_CONSTANT)
    found = {name: _peaks(lesion, around.ravel(), sigma) for name, sigma in BLOBS.items()}
    (dots, dot_strength), (globules, globule_strength) = found["dots"], found["globules"]
    apart_x, apart_y = map(np.subtract.outer, lesion.places(dots), lesion.places(globules))
    radius = _RADIUS * BLOBS["globules"]
    overlap = apart_x * apart_x + apart_y * apart_y <= radius * radius
    stronger = dot_strength[:, None] > globule_strength
    dot = ~(overlap & ~stronger).any(axis=1)
    globule = ~(overlap & stronger).any(axis=0)
    return {
        "dots": (dots[dot], dot_strength[dot]),
        "globules": (globules[globule], globule_strength[globule]),
    }


def _peaks(lesion: Lesion, around: np.ndarray, sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """Positions and strengths of dark spots of one size."""
    hessian = lesion.hessian(sigma)
    # round enough: mean - root > (mean + root) / 2, that is, the weaker curvature is at least half
    # the stronger one
    strength = cv2.copyTo(hessian.mean, (hessian.mean > 3.0 * hessian.root).view(np.uint8))
    size = 2 * round(_RADIUS * sigma) + 1
    # weak ones are no maxima either, so that one comparison will do
    highest = cv2.dilate(strength, np.ones((size, size), np.uint8))
    peak = (strength >= cv2.max(highest, LEAST)).ravel()
    where = np.flatnonzero(peak)
    height = strength.ravel().take(where)
    kept = lesion.inside.ravel().take(where) & (lesion.depth.ravel().take(where) > 0.02)
    kept &= height > STANDING_OUT * around.take(where)
    # neighbours of equal height are one spot
    kept &= ~(peak.take(where - 1) | peak.take(where - lesion.mask.shape[1]))
    return where[kept], height[kept]


def radial_direction(
    lesion: Lesion, line: Curvature, where: np.ndarray, angle: np.ndarray
) -> np.ndarray:
    """Compare the direction of lines with that of the radius.

    Parameters
    ----------
    lesion : Lesion
        The lesion at measuring scale.
    line : Curvature
        Its second derivatives.
    where : ndarray of shape (n,), int
        Positions in the flattened cut-out.
    angle : ndarray of shape (n,), int16
        Their direction from the centre, as `Lesion.angle` gives it.

    Returns
    -------
    ndarray of shape (n,), float32
        Cosine of twice the angle between them: 1 along the radius, -1 across it.
    """
    # across a streak is across the radius
    turn = angle * np.float32(2.0 * np.pi / 128.0)
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
        In windows of 1/18 diameter, inside the lesion's bounding box; rounding may leave a little
        below 0.
    """
    rows, columns = (
        slice(max(side.start - half, 0), side.stop + half)
        for side, half in zip(lesion.box, (n // 2 for n in _WINDOW), strict=True)
    )
    variance = np.zeros(lesion.mask.shape, np.float32)
    lightness = lesion.lightness[rows, columns]
    mean = cv2.blur(lightness, _WINDOW)
    np.subtract(
        cv2.blur(cv2.multiply(lightness, lightness), _WINDOW),
        cv2.multiply(mean, mean),
        out=variance[rows, columns],
    )
    return variance


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
