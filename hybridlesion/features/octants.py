"""How abruptly the pigment ends in each octant: the picture behind the cut-off's numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hybridlesion.features._lesion import Lesion
from hybridlesion.features._statistics import group_medians
from hybridlesion.features.cutoff import ABRUPT, OCTANTS, abruptness, border_profiles, steepest_rise

__all__ = ["ABRUPT", "Octants", "octant_cutoffs"]


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
    profiles = border_profiles(lesion)
    rise = steepest_rise(profiles)
    seen = np.isfinite(rise)
    slope = np.full(OCTANTS, np.nan)
    if seen.any():
        octant = profiles.octant[seen]
        slope[np.unique(octant)] = group_medians(rise[seen], octant)
    return Octants(slope, abruptness(slope), profiles.octant)
