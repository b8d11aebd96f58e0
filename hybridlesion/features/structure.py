"""Dermoscopic structures: network, dots, globules, streaks, veil, regression, structureless."""

from __future__ import annotations

import numpy as np

from hybridlesion._opencv import cv2
from hybridlesion.features._feature import family_rows
from hybridlesion.features._lesion import Lesion
from hybridlesion.features._ridges import Curvature
from hybridlesion.features._statistics import deviation, percentiles

__all__ = ["CATALOGUE", "structure"]

_LINE = 1.5  # sigma in pixels of the filter for network lines and streaks
_BLOBS = {"dots": 1.5, "globules": 3.0}  # sigma in pixels; a spot of radius 1.4 sigma answers most
_LEAST = 1.2  # L*; weaker lines and blobs are noise of the camera and of JPEG


def structure(lesion: Lesion) -> dict[str, float]:
    """Measure the structures of the D of ABCD.

    Parameters
    ----------
    lesion : Lesion
        The lesion at measuring scale.

    Returns
    -------
    dict of str to float
        One value for each row of `CATALOGUE`, keys without ``abcd__structure_``.

    Notes
    -----
    Network lines are dark ridges of the steerable second derivative of a Gaussian that are dense
    in their neighbourhood; dots and globules are maxima of the scale-normalised Laplacian of a
    Gaussian (Lindeberg) with both curvatures positive; streaks are ridges in the rim that point
    away from the centre.

    References
    ----------
    Stolz et al. 1994; Barata et al. 2012, IEEE Trans. Biomed. Eng. 59; Madooei et al. 2013.
    """
    lesion = lesion.near
    line = lesion.hessian(_LINE)
    values = _network(lesion, line) | _blobs(lesion) | _streaks(lesion, line) | _areas(lesion)
    return {name: float(value) for name, value in values.items()}


def _network(lesion: Lesion, line: Curvature) -> dict[str, float]:
    core = lesion.inside & (lesion.depth > 0.03)
    core = core if core.any() else lesion.inside
    where = np.flatnonzero(core)
    strength = line.dark_line.ravel()[where]
    on_line = strength > _LEAST
    there = np.zeros(core.shape, np.float32)
    there.ravel()[where] = on_line
    dense = cv2.blur(there, (17, 17)).ravel()[where]
    typical = dense[dense > 0.18]
    return {
        "network_share": typical.size / where.size,
        "network_density": on_line.mean(),
        "network_contrast": strength[on_line].mean() if on_line.any() else 0.0,
        "network_irregularity": deviation(typical) / typical.mean() if typical.size else 0.0,
        "network_patchiness": deviation(dense),
        "light_lines": (line.light_line.ravel()[where] > _LEAST).mean(),
    }


def _blobs(lesion: Lesion) -> dict[str, float]:
    """Dark maxima of the Laplacian at two sizes: number, strength and evenness."""
    values = {}
    for name, sigma in _BLOBS.items():
        hessian = lesion.hessian(sigma)
        # half the Laplacian where it is round enough: mean - root > (mean + root) / 2, that is, the
        # weaker curvature is at least half the stronger one
        found = hessian.mean * (hessian.mean > 3.0 * hessian.root)
        size = 2 * round(1.4 * sigma) + 1
        peak = found >= cv2.dilate(found, np.ones((size, size), np.uint8))
        peak &= (found > _LEAST) & lesion.inside & (lesion.depth > 0.02)
        # neighbours of equal height are one spot
        peak[1:] &= ~peak[:-1]
        peak[:, 1:] &= ~peak[:, :-1]
        peak = np.flatnonzero(peak)
        count = len(peak)
        sector = np.bincount(lesion.angle.ravel()[peak] >> 5, minlength=8)
        values |= {
            f"{name}_count": float(count),
            f"{name}_strength": 2.0 * found.ravel()[peak].mean() if count else 0.0,
            f"{name}_unevenness": deviation(sector) / sector.mean() if count else 0.0,
            f"{name}_in_rim": (lesion.depth.ravel()[peak] < 0.12).mean() if count else 0.0,
        }
    return values


def _streaks(lesion: Lesion, line: Curvature) -> dict[str, float]:
    rim = np.flatnonzero((lesion.depth < 0.1) & (lesion.reach < 0.05) & lesion.usable)
    sector = lesion.angle.ravel()[rim]
    # a streak runs along the radius: across the line and the radius are perpendicular
    turn = sector * np.float32(2.0 * np.pi / 128.0) + np.float32(2.0 * lesion.axes[0])
    cos, sin = line.across(rim)
    radial = -(cos * np.cos(turn) + sin * np.sin(turn))
    sharp = line.dark_line.ravel()[rim] > 1.5 * _LEAST
    streak, around = sharp & (radial > 0.7), sharp & (radial < -0.7)
    total = max(len(rim), 1)
    sector >>= 5
    area = np.maximum(np.bincount(sector, minlength=8), 1)
    share = np.bincount(sector[streak], minlength=8) / area
    return {
        "streaks_share": np.count_nonzero(streak) / total,
        "streaks_octants": np.count_nonzero(share > 0.01),
        "streaks_unevenness": deviation(share),
        "streaks_excess": (np.count_nonzero(streak) - np.count_nonzero(around)) / total,
    }


def _areas(lesion: Lesion) -> dict[str, float]:
    """Veil, regression and structureless share, by colour and local spread."""
    lightness, a, b = lesion.lab_inside - lesion.ground.astype(np.float32)[:, None]
    own_a, own_b = lesion.lab_inside[1:]
    mean = cv2.blur(lesion.lightness, (9, 9))
    square = cv2.blur(lesion.lightness * lesion.lightness, (9, 9))
    variance = square.ravel()[lesion.where] - mean.ravel()[lesion.where] ** 2
    spread = np.sqrt(np.maximum(variance, 0.0))
    # blue and dark, each by a soft step
    veil = 1.0 / ((1.0 + np.exp((own_b - 2.0) / 2.0)) * (1.0 + np.exp((lightness + 14.0) / 3.0)))
    scar = (lightness > -4.0) & (a + b < -6.0)
    grey = (own_a * own_a + own_b * own_b < 12.0**2) & (lightness < -8.0)
    return {
        "veil_share": veil.mean(),
        "veil_strength": percentiles(b * np.maximum(lightness, -30.0) / 30.0, 95)[0],
        "blue_lowest": percentiles(own_b, 2)[0],
        "regression_share": scar.mean(),
        "grey_share": grey.mean(),
        "structureless_share": (spread < 1.5).mean(),
        "local_spread": spread.mean(),
        "local_spread_sd": deviation(spread),
    }


CATALOGUE = (
    *family_rows(
        "structure",
        "Barata 2012",
        (
            ("network_share", "share", 0.0, 1.0, "part of the lesion where dark lines are dense"),
            ("network_density", "share", 0.0, 1.0, "part of the lesion that is a dark line"),
            ("network_contrast", "L*", 0.0, np.inf, "mean strength of those lines"),
            (
                "network_irregularity",
                "1",
                0.0,
                np.inf,
                "sd over mean of the density in the network",
            ),
            ("network_patchiness", "share", 0.0, 0.5, "sd of the density over the lesion"),
            ("light_lines", "share", 0.0, 1.0, "part that is a light line (negative network)"),
        ),
    ),
    *family_rows(
        "structure",
        "Lindeberg 1998",
        (
            row
            for name in _BLOBS
            for row in (
                (f"{name}_count", "count", 0.0, np.inf, f"number of dark {name}"),
                (f"{name}_strength", "L*", 0.0, np.inf, "mean Laplacian at their centres"),
                (f"{name}_unevenness", "1", 0.0, 3.0, "sd over mean of the counts in 8 sectors"),
                (
                    f"{name}_in_rim",
                    "share",
                    0.0,
                    1.0,
                    "part of them less than 0.12 d from the border",
                ),
            )
        ),
    ),
    *family_rows(
        "structure",
        "Stolz 1994",
        (
            ("streaks_share", "share", 0.0, 1.0, "part of the rim on dark radial lines"),
            ("streaks_octants", "octants", 0.0, 8.0, "octants where that share exceeds 0.01"),
            ("streaks_unevenness", "share", 0.0, 0.5, "sd of the octants' shares"),
            ("streaks_excess", "share", -1.0, 1.0, "radial minus tangential lines in the rim"),
            ("structureless_share", "share", 0.0, 1.0, "part with a local sd of L* below 1.5"),
            ("local_spread", "L*", 0.0, 50.0, "mean local sd of L* in windows of 1/18 diameter"),
            ("local_spread_sd", "L*", 0.0, 50.0, "sd of that over the lesion"),
        ),
    ),
    *family_rows(
        "structure",
        "Madooei 2013",
        (
            ("veil_share", "share", 0.0, 1.0, "blue-white veil: blue and darker than skin, soft"),
            ("veil_strength", "unit", -128.0, 255.0, "95th percentile of (b_skin - b) x darkness"),
            ("blue_lowest", "unit", -128.0, 127.0, "2nd percentile of b*"),
            ("regression_share", "share", 0.0, 1.0, "as light as skin but paler: scar-like"),
            ("grey_share", "share", 0.0, 1.0, "darker than skin with chroma below 12"),
        ),
    ),
)
