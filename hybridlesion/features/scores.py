"""Composite measures: total-body photography, the ABCD rule and perceived strength."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

import numpy as np

from hybridlesion._optional_imports import cv2
from hybridlesion.features._context import LesionContext

_RINGS = 8
_LEAST = 32  # pixels; the spread of fewer is unreliable
_EVERY = 3  # every third pixel is enough for a standard deviation

# Value at which a part of a 0-to-10 scale reaches 10: about the 95th percentile of ISIC 2017.
# The scales of total-body photography are not published.
_JAGGED, _LOPSIDED, _SPREAD, _PATCHY = 1.9, 0.25, 21.0, 12.0


def total_body(lesion: LesionContext, values: Mapping[str, float]) -> dict[str, float]:
    """Measure counterparts of the ``tbp_lv_*`` columns of ISIC 2024.

    Parameters
    ----------
    lesion : LesionContext
        The lesion at measuring scale.
    values : mapping of str to float
        Features of the families asymmetry, border and color, by column name.

    Returns
    -------
    dict of str to float
        Values of `border_area_perimeter`, `border_norm`, `color_radial_sd`, `color_norm` and
        `color_contrast`, by column name.

    Notes
    -----
    ``border_area_perimeter = P^2 / A`` is ``tbp_lv_area_perim_ratio``. ``border_norm`` (0-10,
    ``tbp_lv_norm_border``) is the mean of the jaggedness ``10 (compactness - 1) / 0.9`` and the
    asymmetry about the second axis ``10 shape_cross / 0.25``. ``color_radial_sd``
    (``tbp_lv_radial_color_std_max``) is the largest spread of colour within one of eight concentric
    rings around the centre. ``color_norm`` (0-10, ``tbp_lv_norm_color``) is the mean of
    ``10 spread / 21`` and ``10 radial_sd / 12``. ``color_contrast`` (``tbp_lv_deltaLB``) is
    ``sqrt(dL^2 + db^2)`` from the median colour of the skin. Parts of 0-to-10 scales are clipped.

    ``tbp_lv_symm_2axis`` is ``asymmetry_shape_cross``, ``tbp_lv_eccentricity`` is
    ``border_eccentricity``, ``tbp_lv_H`` is ``color_hue_angle`` and ``tbp_lv_deltaL`` is
    ``color_lightness_delta``. Since cameras and light differ, the columns have the same meaning but
    not the same scale.

    References
    ----------
    Kurtansky et al. 2024, Scientific Data 11, the SLICE-3D data set of ISIC 2024.
    """
    compactness = values["abcd__border_compactness"]
    lightness, _, b = lesion.lab_mean - lesion.skin_lab
    radial = _radial_spread(lesion)
    return {
        "abcd__border_area_perimeter": 4.0 * np.pi * compactness,
        "abcd__border_norm": _scale(
            (compactness - 1.0) / (_JAGGED - 1.0), values["abcd__asymmetry_shape_cross"] / _LOPSIDED
        ),
        "abcd__color_radial_sd": radial,
        "abcd__color_norm": _scale(values["abcd__color_spread"] / _SPREAD, radial / _PATCHY),
        "abcd__color_contrast": float(np.hypot(lightness, b)),
    }


def _scale(*parts: float) -> float:
    """Mean of parts clipped to 0 to 1, on a scale from 0 to 10."""
    return float(10.0 * np.clip(parts, 0.0, 1.0).mean())


def _radial_spread(lesion: LesionContext) -> float:
    """Largest root mean variance of Lab within a ring; 0 if all rings are tiny."""
    dx, dy = lesion.places(lesion.where[::_EVERY])
    radius = cv2.magnitude(dx, dy).ravel()
    ring = (radius * np.float32(_RINGS / max(float(radius.max()), 1.0))).astype(np.uint8)
    inside = np.minimum(ring, _RINGS - 1) == np.arange(_RINGS, dtype=np.uint8)[:, None]
    # one row per ring: number of pixels, then sums of Lab and of its squares
    layers = np.ones((7, len(ring)), np.float32)
    layers[1:4] = lesion.lab_centered[:, ::_EVERY]
    np.multiply(layers[1:4], layers[1:4], out=layers[4:])
    sums = (inside.astype(np.float32) @ layers.T).astype(float)
    large = sums[:, 0] >= _LEAST
    if not large.any():
        return 0.0
    mean, square = np.hsplit(sums[large, 1:] / sums[large, :1], 2)
    variance = (square - mean * mean).sum(axis=1)
    return float(np.sqrt(max(variance.max(), 0.0) / 3.0))


@dataclass(frozen=True)
class Term:
    """Contribution of one feature to a scale.

    Parameters
    ----------
    feature : str
        Column name.
    low, middle, high : float
        10th, 50th and 90th percentiles over the images used for fitting.
    weight : float
        Weight; negative if the perceived strength decreases with the feature.
    """

    feature: str
    low: float
    middle: float
    high: float
    weight: float

    def place(self, value: float) -> float:
        """Place a value between the percentiles.

        Parameters
        ----------
        value : float
            Value of the feature.

        Returns
        -------
        float
            Distance from the middle, -1 to 1; 0 for NaN and infinity.
        """
        if not math.isfinite(value):
            return 0.0
        return min(1.0, max(-1.0, (value - self.middle) / max(self.high - self.low, 1e-9)))


@dataclass(frozen=True)
class MonotoneScale:
    """Weighted sum of features on a scale from 0 to 1, monotone in each of them.

    Parameters
    ----------
    terms : tuple of Term
        Features and their weights.
    offset : float
        Mean of the weighted sum over the images used for fitting.

    Notes
    -----
    ``1 / (1 + exp(-4 (sum w z - offset)))`` with
    ``z = clip((x - middle) / (high - low), -1, 1)``; the slope at the middle is 1. NaN is replaced
    by the middle value of a feature. Each weight has the sign of the feature's own correlation, so
    the scale is monotone as expected.
    """

    terms: tuple[Term, ...]
    offset: float

    def rank(self, values: Mapping[str, float]) -> float:
        """Compute the rank of a lesion.

        Parameters
        ----------
        values : mapping of str to float
            Features by column name.

        Returns
        -------
        float
            Rank, 0 to 1.
        """
        total = -self.offset
        for term in self.terms:
            total += term.weight * term.place(values[term.feature])
        return float(1.0 / (1.0 + np.exp(-4.0 * total)))


@lru_cache
def load_scales(name: str) -> dict[str, MonotoneScale]:
    """Read scales that ship with the package.

    Parameters
    ----------
    name : {"perception", "seven_point"}
        The file, which also describes them.

    Returns
    -------
    dict of str to MonotoneScale
        Scales ``asymmetry``, ``border`` and ``color`` of perception, or one for each criterion of
        the seven-point checklist.
    """
    text = resources.files(__package__).joinpath(f"{name}.json").read_text(encoding="utf-8")
    return {
        key: MonotoneScale(tuple(Term(**term) for term in scale["terms"]), scale["offset"])
        for key, scale in json.loads(text)["scales"].items()
    }


PRESENT = {
    "network": ("network_share", 0.06),
    "structureless": ("structureless_share", 0.35),
    "streaks": ("streaks_octants", 2.0),
    "dots": ("dots_count", 12.0),
    "globules": ("globules_count", 12.0),
}
"""For each structure of the ABCD rule, the feature of its extent and the value from which the
structure is present."""


def present_structures(values: Mapping[str, float]) -> dict[str, bool]:
    """Tell which of the five structures of the ABCD rule are present.

    Parameters
    ----------
    values : mapping of str to float
        Features by column name.

    Returns
    -------
    dict of str to bool
        Keys ``network``, ``structureless``, ``streaks``, ``dots`` and ``globules``.
    """
    return {
        name: values[f"abcd__structure_{extent}"] >= least
        for name, (extent, least) in PRESENT.items()
    }


def scores(values: Mapping[str, float]) -> dict[str, float]:
    """Score a lesion by the ABCD rule of dermoscopy, counting what is there.

    Parameters
    ----------
    values : mapping of str to float
        All other features by column name, and the numbers of asymmetric axes and abrupt octants as
        ``abcd__asymmetry_axes`` and ``abcd__border_abrupt_octants``.

    Returns
    -------
    dict of str to float
        By column name: ``abcd__asymmetry`` 0-2, ``abcd__border`` 0-8, ``abcd__color`` 1-6,
        ``abcd__structures`` 1-5 and ``abcd__tds`` 1.0-8.9. Without a visible octant, border and
        total are NaN.

    Notes
    -----
    A counts the two axes, perpendicular to each other and chosen for least asymmetry, about which
    contour or colour do not mirror; B the octants with an abrupt end of the pigment; C the colours
    present out of six; D the structures present out of five. C and D are at least 1.
    ``TDS = 1.3 A + 0.1 B + 0.5 C + 0.5 D``. The limits of 4.75 and 5.45 by Stolz et al. apply to
    counts by dermatologists, which differ from these.

    References
    ----------
    Stolz et al. 1994, Eur. J. Dermatol. 4; Nachbar et al. 1994, J. Am. Acad. Dermatol. 30.
    """
    a = values["abcd__asymmetry_axes"]
    b = values["abcd__border_abrupt_octants"]
    c = max(values["abcd__color_count"], 1.0)
    d = max(float(sum(present_structures(values).values())), 1.0)
    total = 1.3 * a + 0.1 * b + 0.5 * c + 0.5 * d
    names = ("asymmetry", "border", "color", "structures", "tds")
    return {f"abcd__{name}": score for name, score in zip(names, (a, b, c, d, total), strict=True)}


def perceived(values: Mapping[str, float]) -> dict[str, float]:
    """Estimate how asymmetric, irregular and variegated a lesion looks to people.

    Parameters
    ----------
    values : mapping of str to float
        Features by column name.

    Returns
    -------
    dict of str to float
        ``perceived__asymmetry``, ``perceived__border`` and ``perceived__color``: the expected rank,
        0 to 1, among lesions that people compared in pairs (see `MonotoneScale`).
    """
    scales = load_scales("perception")
    return {f"perceived__{name}": scale.rank(values) for name, scale in scales.items()}


POINTS = {
    "network": 2,
    "veil": 2,
    "vascular": 2,
    "streaks": 1,
    "dots": 1,
    "pigmentation": 1,
    "regression": 1,
}
"""Points of each criterion of the seven-point checklist: major 2, minor 1."""


def seven_points(values: Mapping[str, float]) -> dict[str, float]:
    """Grade a lesion by the seven-point checklist of dermoscopy.

    Parameters
    ----------
    values : mapping of str to float
        Features by column name.

    Returns
    -------
    dict of str to float
        By column name: ``abcd__seven_point_network`` (atypical pigment network), ``_veil``
        (blue-white veil), ``_vascular`` (vascular structures), ``_streaks`` and ``_dots``
        (irregular ones, dots with globules), ``_pigmentation`` (irregular pigmentation) and
        ``_regression``, each 0-1, and the total ``abcd__seven_point``, 0-10.

    Notes
    -----
    Each grade is the rank of the lesion on a monotone scale of features that describe its
    criterion. No set to learn the criteria from may be used, so the weights are fitted to
    diagnoses: melanomas against nevi, and for vascular structures carcinomas, keratoses and
    vascular lesions against all others. The total is ``2 (network + veil + vascular) + streaks +
    dots + pigmentation + regression``. The limit of 3 by Argenziano et al. applies to criteria seen
    by dermatologists, not to these grades.

    References
    ----------
    Argenziano et al. 1998, Arch. Dermatol. 134.
    """
    grades = {name: scale.rank(values) for name, scale in load_scales("seven_point").items()}
    total = sum(points * grades[name] for name, points in POINTS.items())
    return {"abcd__seven_point": total} | {
        f"abcd__seven_point_{name}": grades[name] for name in POINTS
    }
