"""Pigment cut-off: how abruptly the lesion ends, octant by octant."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hybridlesion._optional_imports import cv2
from hybridlesion.features._context import Lesion
from hybridlesion.features._feature import family_rows
from hybridlesion.features._statistics import deviation, group_medians, median

__all__ = [
    "ABRUPT",
    "CATALOGUE",
    "OCTANTS",
    "BorderProfiles",
    "abruptness",
    "border_profiles",
    "cutoff",
    "steepest_rise",
]

_REACH = 0.14  # diameters on either side of the outline
_SAMPLES = 23
_OFFSETS = np.linspace(-_REACH, _REACH, _SAMPLES, dtype=np.float32)
_THIRD = _SAMPLES // 3
# outer third minus inner third
_ACROSS = np.repeat(np.float32([-1, 0, 1]) / _THIRD, (_THIRD, _SAMPLES - 2 * _THIRD, _THIRD))
OCTANTS = 8
ABRUPT, _SOFT = 30.0, 5.0  # L* per tenth of a diameter; three quarters of ISIC 2017 lie below


@dataclass(frozen=True)
class BorderProfiles:
    """Colour along lines across the border.

    Parameters
    ----------
    lab : ndarray of shape (256, 23, 3), float32
        CIE Lab from 0.14 diameters inside to as far outside; NaN where nothing is seen.
    octant : ndarray of shape (256,), int
        Octant of each line, 0 to 7, counted from the major axis.
    """

    lab: np.ndarray
    octant: np.ndarray


def border_profiles(lesion: Lesion) -> BorderProfiles:
    """Sample the colour along the normals of the outline.

    Parameters
    ----------
    lesion : Lesion
        The lesion at measuring scale.

    Returns
    -------
    BorderProfiles
        256 lines of 23 samples.
    """
    outline = lesion.outline
    offset = _OFFSETS * np.float32(lesion.diameter)
    at_x, at_y = (
        point[:, None] + normal[:, None] * offset
        for point, normal in zip(
            outline.points.T.astype(np.float32), outline.normals.T.astype(np.float32), strict=True
        )
    )
    lab = cv2.remap(lesion.lab, at_x, at_y, cv2.INTER_LINEAR)
    seen = cv2.remap(lesion.usable.astype(np.float32), at_x, at_y, cv2.INTER_LINEAR)
    lab[seen < 0.5] = np.nan
    dx, dy = (outline.points - lesion.center).T
    turn = (np.arctan2(dy, dx) - lesion.axes[0]) / (2.0 * np.pi)
    return BorderProfiles(lab, np.floor(turn * OCTANTS).astype(int) & (OCTANTS - 1))


def steepest_rise(profiles: BorderProfiles) -> np.ndarray:
    """Steepest rise of lightness along each line.

    Parameters
    ----------
    profiles : BorderProfiles
        Lines across the border.

    Returns
    -------
    ndarray of shape (256,), float32
        L* per tenth of a diameter, over three neighbouring samples; NaN where a line is not seen
        from end to end.
    """
    lightness = profiles.lab[..., 0]
    step = 2.0 * _REACH / (_SAMPLES - 1)
    return ((lightness[:, 3:] - lightness[:, :-3]) / np.float32(30.0 * step)).max(axis=1)


def abruptness(slope: np.ndarray) -> np.ndarray:
    """Count slopes as abrupt, softly.

    Parameters
    ----------
    slope : ndarray of shape (n,), float
        L* per tenth of a diameter.

    Returns
    -------
    ndarray of shape (n,), float
        ``1 / (1 + exp(-(slope - 30) / 5))``: 0 to 1, one half at the limit.
    """
    return 0.5 + 0.5 * np.tanh((slope - ABRUPT) / (2.0 * _SOFT))


def cutoff(lesion: Lesion) -> dict[str, float]:
    """Measure how abruptly pigment ends at the border.

    Parameters
    ----------
    lesion : Lesion
        The lesion at measuring scale.

    Returns
    -------
    dict of str to float
        One value for each row of `CATALOGUE`, keys without ``abcd__border_``; NaN when no line
        across the border is seen on both sides (the lesion fills the frame).

    Notes
    -----
    On each line the *drop* is the mean lightness of the outer third minus that of the inner third
    and the *slope* the steepest rise over three neighbouring samples, in L* per tenth of a
    diameter. An octant's value is the median of its lines. *abrupt* counts octants whose median
    slope exceeds a limit softly, ``sum 1 / (1 + exp(-(slope - 30) / 5))``, scaled to eight
    when some octants are not seen.
    """
    profiles = border_profiles(lesion)
    lab = profiles.lab
    delta = np.einsum("s,lsc->lc", _ACROSS, lab)
    slope = steepest_rise(profiles)
    seen = np.isfinite(slope)
    if not seen.any():
        return {row.name.removeprefix("abcd__border_"): float("nan") for row in CATALOGUE}
    octant, slope, delta = profiles.octant[seen], slope[seen], delta[seen]
    drop, change = delta[:, 0], np.sqrt(np.einsum("lc,lc->l", delta, delta))
    drops = group_medians(drop, octant)
    slopes = group_medians(slope, octant)
    sharp = abruptness(slopes)
    values = {
        "drop_mean": drop.mean(),
        "drop_sd": deviation(drops),
        "drop_min": drops.min(),
        "drop_max": drops.max(),
        "slope_mean": slope.mean(),
        "slope_sd": deviation(slopes),
        "slope_max": slopes.max(),
        "width": min(max(median(drop / np.maximum(slope, 1e-3)), 0.0), 3.0) / 10.0,
        "color_change": change.mean(),
        "color_change_sd": deviation(change),
        "abrupt": sharp.mean() * OCTANTS,
    }
    return {name: float(value) for name, value in values.items()}


CATALOGUE = family_rows(
    "border",
    "Stolz 1994",
    (
        ("drop_mean", "L*", -100.0, 100.0, "mean rise of lightness across the border"),
        ("drop_sd", "L*", 0.0, 100.0, "sd of the octants' drops"),
        ("drop_min", "L*", -100.0, 100.0, "smallest drop of an octant"),
        ("drop_max", "L*", -100.0, 100.0, "largest drop of an octant"),
        ("slope_mean", "L*/0.1 d", -np.inf, np.inf, "mean steepest rise across the border"),
        ("slope_sd", "L*/0.1 d", 0.0, np.inf, "sd of the octants' slopes"),
        ("slope_max", "L*/0.1 d", -np.inf, np.inf, "steepest octant"),
        ("width", "diameters", 0.0, 0.3, "median drop over slope: width of the transition"),
        ("color_change", "Delta-E", 0.0, 300.0, "mean colour change across the border"),
        ("color_change_sd", "Delta-E", 0.0, 300.0, "its sd along the border"),
        ("abrupt", "octants", 0.0, 8.0, "octants with an abrupt cut-off, counted softly"),
    ),
    undefined="the border is nowhere seen from both sides",
)
