"""How abruptly the pigment ends in each octant: the picture behind the cut-off's numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hybridlesion.features import cutoff
from hybridlesion.features._lesion import Lesion

__all__ = ["ABRUPT", "Octants", "octant_cutoffs"]

ABRUPT = cutoff._ABRUPT
"""Slope in L* per tenth of a diameter at which an octant counts half."""


@dataclass(frozen=True)
class Octants:
    """The cut-off of eight octants, counted from the major axis towards rising rows.

    Parameters
    ----------
    slope : ndarray of shape (8,), float
        Median of the steepest rises of lightness, L* per tenth of a diameter; NaN where the border
        is not seen from both sides.
    weight : ndarray of shape (8,), float
        How much the octant counts as abrupt, 0 to 1; from 0.5 on it does. NaN where not seen.
    of_point : ndarray of shape (256,), int
        Octant of each point of the outline.
    """

    slope: np.ndarray
    weight: np.ndarray
    of_point: np.ndarray

    @property
    def abrupt(self) -> np.ndarray:
        """Octants that count as abrupt, (8,) bool."""
        return self.weight >= 0.5


def octant_cutoffs(lesion: Lesion) -> Octants:
    """Measure the cut-off octant by octant.

    Parameters
    ----------
    lesion : Lesion
        The lesion at measuring scale.

    Returns
    -------
    Octants
        The mean weight of the octants that are seen, times eight, is the feature
        ``border_abrupt``.
    """
    profiles = cutoff.border_profiles(lesion)
    lightness = profiles.lab[..., 0]
    step = 2.0 * cutoff._REACH / (cutoff._SAMPLES - 1)
    rise = ((lightness[:, 3:] - lightness[:, :-3]) / (3.0 * step) / 10.0).max(axis=1)
    seen = np.isfinite(lightness).all(axis=1)
    slope = np.full(cutoff._OCTANTS, np.nan)
    for octant in np.unique(profiles.octant[seen]):
        slope[octant] = np.median(rise[seen & (profiles.octant == octant)])
    steep = np.clip((slope - cutoff._ABRUPT) / cutoff._SOFT, -50.0, 50.0)
    return Octants(slope, 1.0 / (1.0 + np.exp(-steep)), profiles.octant)
