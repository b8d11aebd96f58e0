"""Dermoscopic structures: network, dots, globules, streaks, veil, regression, structureless."""

from __future__ import annotations

import numpy as np

from hybridlesion.features._feature import family_rows
from hybridlesion.features._lesion import Lesion
from hybridlesion.features._ridges import Curvature
from hybridlesion.features._statistics import deviation, percentiles
from hybridlesion.features.structure_rules import (
    BLOBS,
    CALM,
    DENSE,
    LEAST,
    LINE,
    RADIAL,
    core_of,
    density,
    find_spots,
    local_variance,
    radial_direction,
    rim_of,
    veil_weight,
)

__all__ = ["CATALOGUE", "structure"]


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
    line = lesion.hessian(LINE)
    values = _network(lesion, line) | _blobs(lesion) | _streaks(lesion, line) | _areas(lesion)
    return {name: float(value) for name, value in values.items()}


def _network(lesion: Lesion, line: Curvature) -> dict[str, float]:
    core = core_of(lesion)
    where = np.flatnonzero(core)
    strength = line.dark_line.ravel()[where]
    on_line = strength > LEAST
    dense = density((line.dark_line > LEAST) & core).ravel()[where]
    typical = dense[dense > DENSE]
    return {
        "network_share": typical.size / where.size,
        "network_density": on_line.mean(),
        "network_contrast": strength[on_line].mean() if on_line.any() else 0.0,
        "network_irregularity": deviation(typical) / typical.mean() if typical.size else 0.0,
        "network_patchiness": deviation(dense),
        "light_lines": (line.light_line.ravel()[where] > LEAST).mean(),
    }


def _blobs(lesion: Lesion) -> dict[str, float]:
    """Dark maxima of the Laplacian at two sizes: number, strength and evenness."""
    values = {}
    for name, sigma in BLOBS.items():
        found, peak = find_spots(lesion, sigma)
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
    rim = np.flatnonzero(rim_of(lesion))
    radial = radial_direction(lesion, line, rim)
    sharp = line.dark_line.ravel()[rim] > 1.5 * LEAST
    streak, around = sharp & (radial > RADIAL), sharp & (radial < -RADIAL)
    total = max(len(rim), 1)
    sector = lesion.angle.ravel()[rim] >> 5
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
    spread = np.sqrt(np.maximum(local_variance(lesion).ravel()[lesion.where], 0.0))
    veil = veil_weight(own_b, lightness)
    scar = (lightness > -4.0) & (a + b < -6.0)
    grey = (own_a * own_a + own_b * own_b < 12.0**2) & (lightness < -8.0)
    return {
        "veil_share": veil.mean(),
        "veil_strength": percentiles(b * np.maximum(lightness, -30.0) / 30.0, 95)[0],
        "blue_lowest": percentiles(own_b, 2)[0],
        "regression_share": scar.mean(),
        "grey_share": grey.mean(),
        "structureless_share": (spread < CALM).mean(),
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
            for name in BLOBS
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
