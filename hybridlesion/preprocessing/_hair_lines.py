"""Lines that may be hairs, and what is measured of each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hybridlesion._opencv import cv2
from hybridlesion.preprocessing._ridges import FLANK, N_ANGLES, RidgeMap, perpendicular

__all__ = ["MEASURES", "Lines", "Scene", "trace_lines"]

# A line stands out by so many grey levels, and by so many times the mean of its surroundings, a
# square of a tenth of the long side: skin furrows and pigment nets have lines everywhere.
CONTRAST = 1.5
PROMINENCE = 2.2
SURROUNDINGS = 0.1

# Shares of the long side that a line must extend over.
EXTENT = 0.06

# Logarithms of lengths are of shares of the long side; colours and contrasts in grey levels.
MEASURES = (
    "light",
    "log_length",
    "log_extent",
    "straightness",
    "log_contrast",
    "prominence",
    "log_unrest",
    "red_contrast",
    "green_contrast",
    "blue_contrast",
    "redness_of_contrast",
    "one_direction",
    "red_level",
    "green_level",
    "rim_distance",
)


class Scene:
    """What all lines of an image are measured against.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB image.
    fov : ndarray of shape (H, W), bool
        Usable field of view.
    """

    def __init__(self, image: np.ndarray, fov: np.ndarray):
        self.fov = fov
        self.long_side = max(fov.shape)
        self.soft = cv2.GaussianBlur(image, (3, 3), 0)
        self.skin = [_median(self.soft[..., channel], fov) for channel in range(3)]
        framed = cv2.copyMakeBorder(fov.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
        self.rim_distance = cv2.distanceTransform(framed, cv2.DIST_L2, 3)[1:-1, 1:-1]


def _median(values: np.ndarray, fov: np.ndarray) -> int:
    counts = cv2.calcHist([values], [0], fov.astype(np.uint8), [256], [0, 256]).ravel()
    return int(np.searchsorted(np.cumsum(counts), counts.sum() / 2))


@dataclass(frozen=True)
class Lines:
    """Lines of one kind, dark or light.

    Parameters
    ----------
    rows, columns : ndarray of shape (n,), int
        Their pixels, one wide.
    line : ndarray of shape (n,), int
        To which line each pixel belongs.
    measures : ndarray of shape (lines, len(MEASURES)), float
        One row a line.
    """

    rows: np.ndarray
    columns: np.ndarray
    line: np.ndarray
    measures: np.ndarray


def trace_lines(scene: Scene, ridges: RidgeMap, *, light: bool) -> Lines:
    """Trace the long lines of a ridge map and measure them.

    Parameters
    ----------
    scene : Scene
        The image.
    ridges : RidgeMap
        Of its red channel.
    light : bool
        Whether the ridges are the light ones.

    Returns
    -------
    Lines
        None of them shorter than 6 % of the long side.
    """
    fov, long_side = scene.fov, scene.long_side
    window = int(SURROUNDINGS * long_side) | 1
    unrest = cv2.blur(np.maximum(ridges.contrast, 0), (window, window))
    rows, columns = _crests(ridges, unrest, fov)
    crest = np.zeros(fov.shape, np.uint8)
    crest[rows, columns] = 1
    # Gaps of a pixel do not part a line.
    joined = cv2.dilate(crest, np.ones((3, 3), np.uint8))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    extent = np.hypot(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT])
    long = extent >= EXTENT * long_side
    long[0] = False
    kept = long[labels[rows, columns]]
    rows, columns = rows[kept], columns[kept]
    line = (np.cumsum(long) - 1)[labels[rows, columns]]
    measures = _measure(scene, ridges, unrest, (rows, columns), line, extent[long], light)
    return Lines(rows, columns, line, measures)


def _crests(ridges: RidgeMap, unrest: np.ndarray, fov: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pixels that stand out, and more so than their neighbours across the line."""
    contrast = ridges.contrast
    rows, columns = np.nonzero((contrast > CONTRAST) & (contrast > PROMINENCE * unrest) & fov)
    down, along = perpendicular(ridges.angle[rows, columns], 1)
    own = contrast[rows, columns]
    crest = (own >= _at(contrast, rows + down, columns + along)) & (
        own > _at(contrast, rows - down, columns - along)
    )
    return rows[crest], columns[crest]


def _measure(
    scene: Scene,
    ridges: RidgeMap,
    unrest: np.ndarray,
    pixels: tuple[np.ndarray, np.ndarray],
    line: np.ndarray,
    extent: np.ndarray,
    light: bool,
) -> np.ndarray:
    number = len(extent)
    if number == 0:
        return np.empty((0, len(MEASURES)))
    soft, long_side = scene.soft, scene.long_side
    length = np.bincount(line, minlength=number)

    def mean(values: np.ndarray) -> np.ndarray:
        return np.bincount(line, weights=values, minlength=number) / length

    step_down, step_along = perpendicular(ridges.angle[pixels], FLANK)
    flanks = [
        _at(soft, pixels[0] + sign * step_down, pixels[1] + sign * step_along).astype(float)
        for sign in (1, -1)
    ]
    colors = soft[pixels].astype(float)
    across = ((flanks[0] + flanks[1]) / 2 - colors).T
    red, green, blue = (mean(channel) for channel in across)
    turn = 2 * np.pi * ridges.angle[pixels] / N_ANGLES
    around = unrest[pixels] + 0.5
    return np.column_stack(
        [
            np.full(number, float(light)),
            np.log(length / long_side),
            np.log(extent / long_side),
            extent / length,
            np.log(mean(ridges.contrast[pixels])),
            mean(ridges.contrast[pixels] / around),
            mean(np.log(around)),
            red / 10,
            green / 10,
            blue / 10,
            (red - green) / (np.abs(red) + np.abs(green) + 2),
            np.hypot(mean(np.cos(turn)), mean(np.sin(turn))),
            mean(colors[:, 0] - scene.skin[0]) / 50,
            mean(colors[:, 1] - scene.skin[1]) / 50,
            mean(np.minimum(scene.rim_distance[pixels] / long_side * 10, 2)),
        ]
    )


def _at(array: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    height, width = array.shape[:2]
    return array[np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)]
