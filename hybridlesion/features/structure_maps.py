"""Where the structures are: the pictures behind the numbers of D."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hybridlesion._opencv import cv2
from hybridlesion.features._lesion import Lesion
from hybridlesion.features.scores import _PRESENT
from hybridlesion.features.structure import _BLOBS, _LEAST, _LINE

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
        **_network(lesion),
        **{name: _spots(lesion, sigma) for name, sigma in _BLOBS.items()},
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


def _network(lesion: Lesion) -> dict[str, np.ndarray]:
    line = lesion.hessian(_LINE)
    core = lesion.inside & (lesion.depth > 0.03)
    core = core if core.any() else lesion.inside
    ridge = (line.dark_line > _LEAST) & core
    dense = (cv2.blur(ridge.astype(np.float32), (17, 17)) > 0.18) & core
    return {"core": core, "network": dense, "lines": ridge & dense}


def _spots(lesion: Lesion, sigma: float) -> np.ndarray:
    hessian = lesion.hessian(sigma)
    found = hessian.mean * (hessian.mean > 3.0 * hessian.root)
    size = 2 * round(1.4 * sigma) + 1
    peak = (found >= cv2.dilate(found, np.ones((size, size), np.uint8))) & (found > _LEAST)
    peak &= lesion.inside & (lesion.depth > 0.02)
    peak[1:] &= ~peak[:-1]
    peak[:, 1:] &= ~peak[:, :-1]
    return peak


def _streaks(lesion: Lesion) -> dict[str, np.ndarray]:
    line = lesion.hessian(_LINE)
    rim = (lesion.depth < 0.1) & (lesion.reach < 0.05) & lesion.usable
    turn = lesion.angle.astype(np.float32) * np.float32(2.0 * np.pi / 128.0)
    turn += np.float32(2.0 * lesion.axes[0])
    cos, sin = (part.reshape(rim.shape) for part in line.across(np.arange(rim.size)))
    radial = -(cos * np.cos(turn) + sin * np.sin(turn))
    return {"rim": rim, "streaks": (line.dark_line > 1.5 * _LEAST) & (radial > 0.7) & rim}


def _areas(lesion: Lesion) -> dict[str, np.ndarray]:
    mean = cv2.blur(lesion.lightness, (9, 9))
    square = cv2.blur(lesion.lightness * lesion.lightness, (9, 9))
    spread = np.sqrt(np.maximum(square - mean * mean, 0.0))
    darkness = lesion.lab_inside[0] - np.float32(lesion.ground[0])
    blue = 1.0 / (1.0 + np.exp((lesion.lab_inside[2] - 2.0) / 2.0))
    veil = np.zeros(lesion.mask.shape, np.float32)
    veil[lesion.inside] = blue / (1.0 + np.exp((darkness + 14.0) / 3.0))
    return {"structureless": (spread < 1.5) & lesion.inside, "veil": veil}
