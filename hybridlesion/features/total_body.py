"""Measures as total-body photography reports them, so that both kinds of table read alike."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hybridlesion._optional_imports import cv2
from hybridlesion.features._context import Lesion
from hybridlesion.features._feature import family_rows

__all__ = ["CATALOGUE", "total_body"]

_RINGS = 8
_LEAST = 32  # pixels; the spread of fewer is chance
_EVERY = 3  # pixels; a standard deviation needs no more

# Value from which a part of a 0-to-10 scale counts as 10: about the 95th percentile of ISIC 2017.
# The scales of total-body photography are not published.
_JAGGED, _LOPSIDED, _SPREAD, _PATCHY = 1.9, 0.25, 21.0, 12.0


def total_body(lesion: Lesion, values: Mapping[str, float]) -> dict[str, float]:
    """Measure a lesion in the terms of the ``tbp_lv_*`` columns of ISIC 2024.

    Parameters
    ----------
    lesion : Lesion
        The lesion at measuring scale.
    values : mapping of str to float
        Features of the families asymmetry, border and color by column name.

    Returns
    -------
    dict of str to float
        One value for each row of `CATALOGUE`, by column name.

    Notes
    -----
    ``border_area_perimeter = P^2 / A`` is ``tbp_lv_area_perim_ratio``. ``border_norm`` (0-10,
    ``tbp_lv_norm_border``) is the mean of jaggedness ``10 (compactness - 1) / 0.9`` and of the
    asymmetry about the second axis ``10 shape_cross / 0.25``. ``color_radial_sd``
    (``tbp_lv_radial_color_std_max``) is the largest spread of colour within one of eight concentric
    rings round the centre. ``color_norm`` (0-10, ``tbp_lv_norm_color``) is the mean of
    ``10 spread / 21`` and ``10 radial_sd / 12``. ``color_contrast`` (``tbp_lv_deltaLB``) is
    ``sqrt(dL^2 + db^2)`` to the median colour of the skin. Parts of 0-to-10 scales are clipped.

    ``tbp_lv_symm_2axis`` is ``asymmetry_shape_cross``, ``tbp_lv_eccentricity`` is
    ``border_eccentricity``, ``tbp_lv_H`` is ``color_hue_angle`` and ``tbp_lv_deltaL`` is
    ``color_lightness_delta``. Cameras and light differ: the columns mean the same and are not on
    the same scale.

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
            (compactness - 1.0) / (_JAGGED - 1.0),
            values["abcd__asymmetry_shape_cross"] / _LOPSIDED,
        ),
        "abcd__color_radial_sd": radial,
        "abcd__color_norm": _scale(values["abcd__color_spread"] / _SPREAD, radial / _PATCHY),
        "abcd__color_contrast": float(np.hypot(lightness, b)),
    }


def _scale(*parts: float) -> float:
    """Mean of parts that count from 0 to 1, on a scale of 0 to 10."""
    return float(10.0 * np.clip(parts, 0.0, 1.0).mean())


def _radial_spread(lesion: Lesion) -> float:
    """Largest root mean variance of Lab within one ring; 0 when all rings are tiny."""
    dx, dy = lesion.places(lesion.where[::_EVERY])
    radius = cv2.magnitude(dx, dy).ravel()
    ring = (radius * np.float32(_RINGS / max(float(radius.max()), 1.0))).astype(np.uint8)
    inside = np.minimum(ring, _RINGS - 1) == np.arange(_RINGS, dtype=np.uint8)[:, None]
    # one row a ring: its pixels, then sums of Lab and of its squares
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


CATALOGUE = (
    *family_rows(
        "border",
        "ISIC 2024",
        (
            ("area_perimeter", "1", 6.0, np.inf, "P^2 / A (tbp_lv_area_perim_ratio)"),
            ("norm", "score", 0.0, 10.0, "jaggedness and second-axis asymmetry (norm_border)"),
        ),
    ),
    *family_rows(
        "color",
        "ISIC 2024",
        (
            ("radial_sd", "unit", 0.0, 150.0, "largest spread in one of 8 concentric rings"),
            ("norm", "score", 0.0, 10.0, "spread over all and within rings (norm_color)"),
        ),
    ),
    *family_rows(
        "color",
        "ISIC 2024",
        (("contrast", "unit", 0.0, 300.0, "sqrt(dL^2 + db^2) to the skin (tbp_lv_deltaLB)"),),
        undefined="no skin is seen outside the lesion",
    ),
)
