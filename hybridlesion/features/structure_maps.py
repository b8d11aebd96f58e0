"""Where the structures are: the pictures behind the numbers of D."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hybridlesion.features._lesion import Lesion
from hybridlesion.features.scores import _PRESENT
from hybridlesion.features.structure_rules import (
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

__all__ = ["StructureMaps", "structure_maps", "structure_presence"]


@dataclass(frozen=True)
class StructureMaps:
    """Structures of one lesion at measuring scale, all of its cut-out's size.

    Parameters
    ----------
    core : ndarray of shape (h, w), bool
        The lesion without its rim, in which a network is looked for.
    network : ndarray of shape (h, w), bool
        Where dark lines are dense.
    lines : ndarray of shape (h, w), bool
        Those lines.
    dots, globules : ndarray of shape (h, w), bool
        Centres of dark spots.
    rim : ndarray of shape (h, w), bool
        The rim, in which streaks are looked for.
    streaks : ndarray of shape (h, w), bool
        Dark radial lines in the rim.
    structureless : ndarray of shape (h, w), bool
        Where lightness hardly changes.
    veil : ndarray of shape (h, w), float32
        How much each pixel counts as blue-white veil, 0 to 1.
    """

    core: np.ndarray
    network: np.ndarray
    lines: np.ndarray
    dots: np.ndarray
    globules: np.ndarray
    rim: np.ndarray
    streaks: np.ndarray
    structureless: np.ndarray
    veil: np.ndarray


def structure_maps(lesion: Lesion) -> StructureMaps:
    """Find the structures where `hybridlesion.features.structure` counts them.

    Parameters
    ----------
    lesion : Lesion
        The lesion at measuring scale.

    Returns
    -------
    StructureMaps
        A test holds that shares and counts taken from these maps are the features.
    """
    return StructureMaps(
        **_lines_and_spots(lesion),
        **_streaks(lesion),
        **_areas(lesion),
    )


def structure_presence(values: Mapping[str, float]) -> dict[str, float]:
    """Say how much each of the five structures adds to D.

    Parameters
    ----------
    values : mapping of str to float
        Features by column name.

    Returns
    -------
    dict of str to float
        0 to 1 by structure; their sum, at least 1, is the feature ``structures``.
    """
    return {
        name.removeprefix("abcd__structure_").split("_")[0]: float(
            1.0 / (1.0 + np.exp(-np.clip((values[name] - half) / width, -50.0, 50.0)))
        )
        for name, (half, width) in _PRESENT.items()
    }


def _lines_and_spots(lesion: Lesion) -> dict[str, np.ndarray]:
    core, line = core_of(lesion), lesion.hessian(LINE)
    lines = (line.dark_line > LEAST) & core
    dense = (density(lines) > DENSE) & core
    found = {"core": core, "network": dense, "lines": lines & dense}
    for name, (where, _) in find_spots(lesion, line, core).items():
        found[name] = np.zeros(core.shape, bool)
        found[name].ravel()[where] = True
    return found


def _streaks(lesion: Lesion) -> dict[str, np.ndarray]:
    line, rim = lesion.hessian(LINE), rim_of(lesion)
    every = np.arange(rim.size)
    radial = radial_direction(lesion, line, every, lesion.angle(every)).reshape(rim.shape)
    return {"rim": rim, "streaks": (line.dark_line > 1.5 * LEAST) & (radial > RADIAL) & rim}


def _areas(lesion: Lesion) -> dict[str, np.ndarray]:
    darkness = lesion.lab_inside[0] - np.float32(lesion.ground[0])
    veil = np.zeros(lesion.mask.shape, np.float32)
    veil[lesion.inside] = veil_weight(lesion.lab_inside[2], darkness)
    calm = (local_variance(lesion) < CALM**2) & lesion.inside
    return {"structureless": calm, "veil": veil}
