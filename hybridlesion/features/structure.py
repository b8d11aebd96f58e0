"""Dermoscopic structures: network, dots, globules, streaks, veil, regression, structureless."""

from __future__ import annotations

import numpy as np

from hybridlesion._optional_imports import cv2
from hybridlesion.features._context import LesionContext
from hybridlesion.features._numerics import deviation, percentiles

LINE = 1.5  # sigma in pixels of the filter for network lines and streaks
BLOBS = {"dots": 1.5, "globules": 3.0}  # sigma in pixels
STREAKED = 0.01  # share of the rim of an octant that streaks must cover to count
LEAST = 1.2  # L*; weaker lines and blobs are camera or JPEG noise
DENSE = 0.18  # minimum fraction of dark lines in a neighbourhood of a network
# Factor by which a spot must exceed the strength of the lines around it. From 4 to 5, the counts
# agree equally well with the experts of PH2; higher factors repeat less well on rotated images.
STANDING_OUT = 4.5
RADIAL = 0.7  # cosine of twice the angle to the radius, above which a line is a streak
CALM = 1.5  # L*; areas with a smaller local deviation are structureless

_RADIUS = 1.4  # in sigma; spots of this radius have the strongest response
_NEIGHBOURHOOD = (17, 17)  # pixels in which lines are counted
_WINDOW = 9  # side in pixels of the square in which lightness is compared


def find_lines(lesion: LesionContext) -> tuple[np.ndarray, np.ndarray]:
    """Find dark lines in the core of a lesion, and their density.

    Parameters
    ----------
    lesion : LesionContext
        The lesion at measuring scale.

    Returns
    -------
    lines : ndarray of shape (h, w), bool
        Pixels of the core on dark lines.
    density : ndarray of shape (h, w), float32
        Share of each pixel's neighbourhood on such lines; above `DENSE`, they form a network.
    """
    lines = (lesion.hessian(LINE).dark_line > LEAST) & lesion.core
    return lines, cv2.boxFilter(lines.view(np.uint8), cv2.CV_32F, _NEIGHBOURHOOD)


def find_spots(lesion: LesionContext) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Find round dark spots of two sizes, counting each spot once.

    Parameters
    ----------
    lesion : LesionContext
        The lesion at measuring scale.

    Returns
    -------
    dict of str to (ndarray of shape (n,), int, ndarray of shape (n,), float32)
        For ``dots`` and ``globules``, the indices of their centres in the flattened cut-out, and
        half the Laplacian there, in L*.

    Notes
    -----
    Half the Laplacian of a spot must exceed 4.5 times the mean strength of the dark lines around
    it; otherwise, the spot is a node of the network. If a dot and a globule are closer than the
    radius of the globule, 1.4 sigma, only the spot with the larger scale-normalised Laplacian is
    counted.
    """
    # the core lies inside the bounding box of the lesion
    box = lesion.box
    strength = cv2.max(lesion.hessian(LINE).dark_line[box], 0.0)
    lines = cv2.copyTo(strength, lesion.core[box].view(np.uint8))
    around = np.zeros(lesion.mask.shape, np.float32)
    around[box] = cv2.blur(lines, _NEIGHBOURHOOD, borderType=cv2.BORDER_CONSTANT)
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


def _peaks(
    lesion: LesionContext, around: np.ndarray, sigma: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices and strengths of dark spots of one size."""
    hessian = lesion.hessian(sigma)
    # round enough: mean - root > (mean + root) / 2, that is, the weaker curvature is at least half
    # the stronger one
    strength = cv2.copyTo(hessian.mean, (hessian.mean > 3.0 * hessian.root).view(np.uint8))
    size = 2 * round(_RADIUS * sigma) + 1
    # weak maxima are excluded by the same comparison
    highest = cv2.dilate(strength, np.ones((size, size), np.uint8))
    peak = (strength >= cv2.max(highest, LEAST)).ravel()
    where = np.flatnonzero(peak)
    height = strength.ravel().take(where)
    kept = lesion.inside.ravel().take(where) & (lesion.depth.ravel().take(where) > 0.02)
    kept &= height > STANDING_OUT * around.take(where)
    # neighbours of equal height are one spot
    kept &= ~(peak.take(where - 1) | peak.take(where - lesion.mask.shape[1]))
    return where[kept], height[kept]


def find_streaks(
    lesion: LesionContext,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Find dark lines in the rim, from 0.1 diameters inside to 0.05 outside the border.

    Parameters
    ----------
    lesion : LesionContext
        The lesion at measuring scale.

    Returns
    -------
    rim : ndarray of shape (n,), int
        Indices of the usable pixels of the rim in the flattened cut-out.
    octant : ndarray of shape (n,), int
        Octant of each pixel, 0 to 7, counted from the major axis.
    radial, tangential : ndarray of shape (n,), bool
        Whether each pixel lies on a dark line along the radius (a streak) or across it.
    """
    line = lesion.hessian(LINE)
    rim = np.flatnonzero((lesion.depth < 0.1) & (lesion.reach < 0.05) & lesion.usable)
    angle = lesion.angle(rim)
    turn = angle * np.float32(2.0 * np.pi / 128.0)
    turn += np.float32(2.0 * lesion.axes[0])
    root, half, mixed = (layer.ravel().take(rim) for layer in (line.root, line.half, line.mixed))
    root = np.maximum(root, 1e-6)
    # Cosine of twice the angle between line and radius. Twice the angle of the direction across the
    # line has cosine half / root and sine mixed / root; across a streak is across the radius.
    cosine = -(half / root * np.cos(turn) + mixed / root * np.sin(turn))
    sharp = line.dark_line.ravel().take(rim) > 1.5 * LEAST
    return rim, angle >> 5, sharp & (cosine > RADIAL), sharp & (cosine < -RADIAL)


def local_variance(lesion: LesionContext) -> np.ndarray:
    """Compute the variance of lightness around each pixel.

    Parameters
    ----------
    lesion : LesionContext
        The lesion at measuring scale.

    Returns
    -------
    ndarray of shape (h, w), float32
        Variance in windows of 1/18 of the diameter, inside the bounding box of the lesion; may be
        slightly negative due to rounding.
    """
    part = lesion.around(_WINDOW // 2)
    lightness = lesion.lightness[part]
    square, mean = cv2.multiply(lightness, lightness), cv2.blur(lightness, (_WINDOW, _WINDOW))
    variance = np.zeros(lesion.mask.shape, np.float32)
    variance[part] = cv2.blur(square, (_WINDOW, _WINDOW)) - cv2.multiply(mean, mean)
    return variance


def veil_weight(b: np.ndarray, darkness: np.ndarray) -> np.ndarray:
    """Rate how much pixels resemble blue-white veil, by soft steps in b* and darkness.

    Parameters
    ----------
    b : ndarray of shape (n,), float
        b* of the pixels.
    darkness : ndarray of shape (n,), float
        L* of the pixels minus that of the skin.

    Returns
    -------
    ndarray of shape (n,), float
        Weights, 0 to 1.
    """
    return 1.0 / ((1.0 + np.exp((b - 2.0) / 2.0)) * (1.0 + np.exp((darkness + 14.0) / 3.0)))


def structure(lesion: LesionContext) -> dict[str, float]:
    """Measure dermoscopic structures, the D of ABCD.

    Parameters
    ----------
    lesion : LesionContext
        The lesion at measuring scale.

    Returns
    -------
    dict of str to float
        One value per feature of the family, keyed without the prefix ``abcd__structure_``.

    Notes
    -----
    Network lines are dark ridges of the steerable second derivative of a Gaussian that are dense
    in their neighbourhood. Dots and globules are maxima of the scale-normalised Laplacian of a
    Gaussian (Lindeberg) with two positive curvatures that stand out from the lines around them;
    each is counted at the size at which it is stronger. Streaks are ridges in the rim that point
    away from the centre.

    References
    ----------
    Stolz et al. 1994; Barata et al. 2012, IEEE Trans. Biomed. Eng. 59; Madooei et al. 2013.
    """
    lesion = lesion.near
    values = _network(lesion) | _blobs(lesion) | _streaks(lesion) | _areas(lesion)
    values |= _mapped(lesion)
    return {name: float(value) for name, value in values.items()}


def _mapped(lesion: LesionContext) -> dict[str, float]:
    """Extent, peak, unevenness and darkness of the structures that a network has mapped."""
    # Imported here, because the catalogue is listed without loading what reads images.
    from hybridlesion.segmentation import STRUCTURES

    values = {}
    sector = lesion.angle(lesion.where) >> 5
    lightness = lesion.lab_inside[0]
    size = np.maximum(np.bincount(sector, minlength=8), 1)
    for index, name in enumerate(STRUCTURES):
        extent = peak = unevenness = darkness = np.nan
        if lesion.structures is not None:
            found = lesion.structures[index].ravel().take(lesion.where)
            total = max(float(found.sum()), 1e-6)
            extent, peak = total / found.size, percentiles(found, 95)[0]
            shares = np.bincount(sector, found, minlength=8) / size
            unevenness = deviation(shares) / max(float(shares.mean()), 1e-6)
            darkness = float(lightness.mean()) - float(found @ lightness) / total
        values |= {
            f"mapped_{name}_extent": extent,
            f"mapped_{name}_peak": peak,
            f"mapped_{name}_unevenness": unevenness,
            f"mapped_{name}_darkness": darkness,
        }
    return values


def _network(lesion: LesionContext) -> dict[str, float]:
    """Area fraction, strength and evenness of dark lines in the core of the lesion."""
    line = lesion.hessian(LINE)
    layers = (lesion.core, *find_lines(lesion), line.dark_line, line.light_line)
    core, on_line, dense, dark, light = (layer[lesion.box] for layer in layers)
    total = np.count_nonzero(core)
    typical, spread, size = _masked(dense, core & (dense > DENSE))
    return {
        "network_share": size / total,
        "network_density": np.count_nonzero(on_line) / total,
        "network_contrast": _masked(dark, on_line)[0],
        "network_irregularity": spread / typical if size else 0.0,
        "network_patchiness": _masked(dense, core)[1],
        "light_lines": np.count_nonzero((light > LEAST) & core) / total,
    }


def _masked(values: np.ndarray, where: np.ndarray) -> tuple[float, float, int]:
    """Mean, standard deviation and number of the masked values; all 0 if there are none."""
    mean, sd = cv2.meanStdDev(values, mask=where.view(np.uint8))
    return mean.item(), sd.item(), int(np.count_nonzero(where))


def _blobs(lesion: LesionContext) -> dict[str, float]:
    """Dark maxima of the Laplacian at two sizes: number, strength and evenness."""
    values = {}
    for name, (where, strength) in find_spots(lesion).items():
        count = len(where)
        sector = np.bincount(lesion.angle(where) >> 5, minlength=8)
        shallow = np.count_nonzero(lesion.depth.ravel().take(where) < 0.12)
        values |= {
            f"{name}_count": float(count),
            f"{name}_strength": 2.0 * strength.mean() if count else 0.0,
            f"{name}_unevenness": deviation(sector) / sector.mean() if count else 0.0,
            f"{name}_in_rim": shallow / max(count, 1),
        }
    return values


def _streaks(lesion: LesionContext) -> dict[str, float]:
    rim, octant, radial, tangential = find_streaks(lesion)
    total, count = max(len(rim), 1), np.count_nonzero(radial)
    area = np.maximum(np.bincount(octant, minlength=8), 1)
    share = np.bincount(octant[radial], minlength=8) / area
    return {
        "streaks_share": count / total,
        "streaks_octants": float(np.count_nonzero(share > STREAKED)),
        "streaks_unevenness": deviation(share),
        "streaks_excess": (count - np.count_nonzero(tangential)) / total,
    }


def _areas(lesion: LesionContext) -> dict[str, float]:
    """Shares of veil, regression and structureless areas, from colour and local spread."""
    lightness, a, b = lesion.lab_inside - lesion.ground.astype(np.float32)[:, None]
    own_a, own_b = lesion.lab_inside[1:]
    box = lesion.box
    inside, variance = lesion.inside[box], local_variance(lesion)[box]
    calm = (variance < CALM**2) & inside
    spread, spread_sd, size = _masked(cv2.sqrt(cv2.max(variance, 0.0)), inside)
    veil = veil_weight(own_b, lightness)
    scar = (lightness > -4.0) & (a + b < -6.0)
    grey = (own_a * own_a + own_b * own_b < 12.0**2) & (lightness < -8.0)
    return {
        "veil_share": veil.mean(),
        "veil_strength": percentiles(b * np.maximum(lightness, -30.0) / 30.0, 95)[0],
        "blue_lowest": percentiles(own_b, 2)[0],
        "regression_share": np.count_nonzero(scar) / size,
        "grey_share": np.count_nonzero(grey) / size,
        "structureless_share": np.count_nonzero(calm) / size,
        "local_spread": spread,
        "local_spread_sd": spread_sd,
    }
