"""Dermoscopic structures: network, dots, globules, streaks, veil, regression, structureless."""

from __future__ import annotations

import numpy as np

from hybridlesion._opencv import cv2
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
    Gaussian (Lindeberg) with both curvatures positive that stand out from the lines around them,
    each counted at the size at which it is stronger; streaks are ridges in the rim that point
    away from the centre.

    References
    ----------
    Stolz et al. 1994; Barata et al. 2012, IEEE Trans. Biomed. Eng. 59; Madooei et al. 2013.
    """
    lesion = lesion.near
    line = lesion.hessian(LINE)
    core = core_of(lesion)
    values = _network(lesion, line, core) | _blobs(lesion, line, core)
    values |= _streaks(lesion, line) | _areas(lesion)
    return {name: float(value) for name, value in values.items()}


def _network(lesion: Lesion, line: Curvature, core: np.ndarray) -> dict[str, float]:
    """Share, strength and evenness of dark lines in the core, which lies in the lesion's box."""
    on_line = (line.dark_line > LEAST) & core
    dense, dark, light = (
        layer[lesion.box] for layer in (density(on_line), line.dark_line, line.light_line)
    )
    core, on_line = core[lesion.box], on_line[lesion.box]
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
    """Mean, standard deviation and number of some values; 0 of none."""
    mean, sd = cv2.meanStdDev(values, mask=where.view(np.uint8))
    return mean.item(), sd.item(), np.count_nonzero(where)


def _blobs(lesion: Lesion, line: Curvature, core: np.ndarray) -> dict[str, float]:
    """Dark maxima of the Laplacian at two sizes: number, strength and evenness."""
    values = {}
    for name, (where, strength) in find_spots(lesion, line, core).items():
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


def _streaks(lesion: Lesion, line: Curvature) -> dict[str, float]:
    rim = np.flatnonzero(rim_of(lesion))
    angle = lesion.angle(rim)
    radial = radial_direction(lesion, line, rim, angle)
    sharp = line.dark_line.ravel().take(rim) > 1.5 * LEAST
    streak, around = sharp & (radial > RADIAL), sharp & (radial < -RADIAL)
    total = max(len(rim), 1)
    sector = angle >> 5
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
                (f"{name}_count", "count", 0.0, np.inf, f"number of dark {name}, each spot once"),
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
